#include "proto/http_chunks.h"
#include "proto/http_chars.h"
#include "proto/http_msg.h"

/*   SIZE_FIRST -> SIZE -> [EXT_...] -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE_FIRST
 *                                         \ size 0
 *                                          TRAILER_FIRST -> TRAILER_NAME -> TRAILER_VALUE -> TRAILER_LF -> TRAILER_FIRST
 *                                                   \ CR -> LAST_LF -> end
 */
enum {
	SIZE_FIRST,
	SIZE,
	EXT_NAME_FIRST,
	EXT_NAME,
	EXT_VALUE_FIRST,
	EXT_VALUE,
	EXT_QUOTED,
	EXT_QUOTED_DONE,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_FIRST,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	END,
};

static enum guard_reason go(struct chunk_reader *r, uint8_t state)
{
	r->state = state;
	return GUARD_FINE;
}

static unsigned hex_value(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

static enum guard_reason on_size(struct chunk_reader *r, char c)
{
	if (http_char_is(c, CHAR_HEX)) {
		if (r->digits++ == 16)
			return GUARD_CHUNK_SIZE_ODD;
		r->left = r->left << 4 | hex_value(c);
		return go(r, SIZE);
	}
	if (r->state == SIZE_FIRST)
		return GUARD_CHUNK_SIZE_ODD;
	if (c == '\r')
		return go(r, SIZE_LF);
	if (c == ';')
		return go(r, EXT_NAME_FIRST);
	return c == '\n' ? GUARD_CHUNK_LINE_END_ODD : GUARD_CHUNK_SIZE_ODD;
}

/* chunk-ext = *( ";" token [ "=" ( token / quoted-string ) ] ), without white space and without backslashes. An unquoted value must be the last of
 * its line, because llhttp 8.1.0 refuses what follows one. */
static enum guard_reason on_extension(struct chunk_reader *r, char c)
{
	bool token = http_char_is(c, CHAR_TOKEN);
	if (r->extension_bytes++ ==
	    EXTENSION_BYTES_MAX) /* small chunks of long extensions: much to read, little to relay */
		return GUARD_CHUNK_EXTENSIONS_TOO_LONG;
	switch (r->state) {
	case EXT_NAME_FIRST:
	case EXT_NAME:
		if (token)
			return go(r, EXT_NAME);
		if (r->state == EXT_NAME && c == '=')
			return go(r, EXT_VALUE_FIRST);
		break;
	case EXT_VALUE_FIRST:
	case EXT_VALUE:
		if (token)
			return go(r, EXT_VALUE);
		if (r->state == EXT_VALUE_FIRST && c == '"')
			return go(r, EXT_QUOTED);
		break;
	case EXT_QUOTED:
		if (c == '"')
			return go(r, EXT_QUOTED_DONE);
		if (c > ' ' && c < 0x7f && c != '\\')
			return GUARD_FINE;
		break;
	}
	bool may_end = r->state == EXT_NAME || r->state == EXT_VALUE || r->state == EXT_QUOTED_DONE;
	if (may_end && c == ';' && r->state != EXT_VALUE)
		return go(r, EXT_NAME_FIRST);
	if (may_end && c == '\r')
		return go(r, SIZE_LF);
	return c == '\n' ? GUARD_CHUNK_LINE_END_ODD : GUARD_CHUNK_EXTENSION_ODD;
}

static enum guard_reason on_size_line(struct chunk_reader *r, char c)
{
	if (r->line_bytes++ == CHUNK_LINE_MAX)
		return GUARD_CHUNK_LINE_TOO_LONG;
	if (r->state <= SIZE)
		return on_size(r, c);
	if (r->state < SIZE_LF)
		return on_extension(r, c);
	if (c != '\n')
		return GUARD_CHUNK_LINE_END_ODD;
	r->line_bytes = r->digits = 0;
	return go(r, r->left ? DATA : TRAILER_FIRST);
}

static enum guard_reason on_trailer_name(struct chunk_reader *r, char c)
{
	if (c == ':') {
		/* No row of ours makes sense behind a body; some would change how it is read (RFC 9110 6.5.1). */
		if (r->name_len <= TRAILER_NAME_MAX && http_header_id(slice_of(r->name, r->name_len)) != HDR_OTHER)
			return GUARD_TRAILER_FORBIDDEN;
		return go(r, TRAILER_VALUE);
	}
	if (!http_char_is(c, CHAR_TOKEN))
		return c == '\n' ? GUARD_CHUNK_LINE_END_ODD : GUARD_TRAILER_ODD;
	if (r->name_len < TRAILER_NAME_MAX)
		r->name[r->name_len] = c;
	if (r->name_len <= TRAILER_NAME_MAX)
		r->name_len++;
	return go(r, TRAILER_NAME);
}

static enum guard_reason on_trailers(struct chunk_reader *r, char c)
{
	if (r->trailer_bytes++ == TRAILER_BYTES_MAX)
		return GUARD_TRAILERS_TOO_LARGE;
	switch (r->state) {
	case TRAILER_FIRST:
		if (c == '\r')
			return go(r, LAST_LF);
		if (c == ':')
			return GUARD_TRAILER_ODD;
		if (r->trailer_lines++ == TRAILER_LINES_MAX)
			return GUARD_TRAILERS_TOO_LARGE;
		r->name_len = 0;
		return on_trailer_name(r, c);
	case TRAILER_NAME:
		return on_trailer_name(r, c);
	case TRAILER_VALUE:
		if (c == '\r')
			return go(r, TRAILER_LF);
		if (http_char_is(c, CHAR_VALUE))
			return GUARD_FINE;
		return c == '\n' ? GUARD_CHUNK_LINE_END_ODD : GUARD_TRAILER_ODD;
	default: /* TRAILER_LF, LAST_LF */
		if (c != '\n')
			return GUARD_CHUNK_LINE_END_ODD;
		return go(r, r->state == LAST_LF ? END : TRAILER_FIRST);
	}
}

static enum guard_reason on_frame(struct chunk_reader *r, char c)
{
	if (r->state <= SIZE_LF)
		return on_size_line(r, c);
	if (r->state >= TRAILER_FIRST)
		return on_trailers(r, c);
	if (c != (r->state == DATA_CR ? '\r' : '\n'))
		return GUARD_CHUNK_LINE_END_ODD;
	return go(r, r->state == DATA_CR ? DATA_LF : SIZE_FIRST);
}

struct chunk_run chunk_reader_next(struct chunk_reader *r, const char *bytes, size_t n, enum guard_reason *why)
{
	if (r->state == DATA) {
		size_t len = r->left < n ? r->left : n;
		r->left -= len;
		if (r->left == 0)
			r->state = DATA_CR;
		return (struct chunk_run){CHUNK_DATA, len};
	}
	for (size_t i = 0; i < n; i++) {
		*why = on_frame(r, bytes[i]);
		if (*why)
			return (struct chunk_run){CHUNK_BROKEN, i};
		if (r->state == DATA)
			return (struct chunk_run){CHUNK_FRAME, i + 1};
		if (r->state == END)
			return (struct chunk_run){CHUNK_LAST, i + 1};
	}
	return (struct chunk_run){CHUNK_FRAME, n};
}
