#include "proto/http_parse.h"
#include "core/base/check.h"
#include "proto/http_chunks.h"
#include "proto/http_rules.h"

/* llhttp has enumerators of the same names. */
#define HTTP_GET     LLHTTP_METHOD_GET
#define HTTP_HEAD    LLHTTP_METHOD_HEAD
#define HTTP_POST    LLHTTP_METHOD_POST
#define HTTP_OPTIONS LLHTTP_METHOD_OPTIONS
#include <llhttp.h>
#undef HTTP_GET
#undef HTTP_HEAD
#undef HTTP_POST
#undef HTTP_OPTIONS
#include <stdlib.h>

#if LLHTTP_VERSION_MAJOR < 9 && !LLHTTP_STRICT_MODE /* from 9 on there is one machine, and it is strict */
#error "llhttp must be built with LLHTTP_STRICT_MODE=1: the other machine in the same file lets smuggling shapes through"
#endif

/* The guard found the lines. llhttp now names their parts, and each part must begin exactly where the line before it ended: so both saw the same
 * lines. Only when llhttp refuses is the head split by hand, to find the reason's name. */
struct reading {
	struct http_head *head;
	const char *next_line; /* where the next header must begin */
	bool disagree;
};

static const char *after_line(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p[0] == '\r' && p[1] == '\n' ? p + 2 : NULL;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
	struct reading *r = parser->data;
	struct http_head *h = r->head;
	if (at != r->next_line || at[len] != ':' || h->header_count == HTTP_HEADERS_MAX) {
		r->disagree = true;
		return HPE_USER;
	}
	struct http_header *header = &h->headers[h->header_count++];
	header->name = slice_of(at, len);
	header->value = slice_of(at + len + 1, 0);
	r->next_line = NULL;
	return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
	struct reading *r = parser->data;
	struct http_header *header = &r->head->headers[r->head->header_count - 1];
	const char *start = header->name.at + header->name.len + 1;
	if (len == 0) /* said to be anywhere, even behind the line */
		at = start;
	while (start < at && (*start == ' ' || *start == '\t'))
		start++;
	bool second = r->next_line != NULL;
	r->next_line = after_line(at + len);
	if (second || start != at || !r->next_line) {
		r->disagree = true;
		return HPE_USER;
	}
	header->value = slice_trim(slice_of(at, len));
	return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
	return HPE_PAUSED;
}

static const llhttp_settings_t head_settings = {
        .on_header_field = on_header_field,
        .on_header_value = on_header_value,
        .on_headers_complete = on_headers_complete,
};

static void note_header(struct http_head *h, size_t i)
{
	struct http_header *header = &h->headers[i];
	header->id = http_header_id(header->name);
	if (header->id && !h->first[header->id])
		h->first[header->id] = (uint8_t)(i + 1);
}

/* line_end: behind the first line's CR LF. */
static void split_by_hand(const char *line, const char *end, struct http_head *h)
{
	h->header_count = 0;
	while (line < end - 2 && h->header_count < HTTP_HEADERS_MAX) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		const char *colon = next ? memchr(line, ':', (size_t)(next - line)) : NULL;
		if (!colon)
			return;
		struct http_header *header = &h->headers[h->header_count++];
		header->name = slice_of(line, (size_t)(colon - line));
		header->value = slice_trim(slice_of(colon + 1, (size_t)(next - 1 - (colon + 1))));
		line = next + 1;
	}
}

/* Runs llhttp over the head. first: its first line; fed: from where llhttp gets the head's own bytes. False: it did not agree to all of it. */
static bool read_head(llhttp_t *parser, const char *fed, const char *headers, const char *end, struct http_head *out)
{
	struct reading r = {.head = out, .next_line = headers};
	out->header_count = 0;
	parser->data = &r;
	llhttp_errno_t e = llhttp_execute(parser, fed, (size_t)(end - fed));
	bool agreed = e == HPE_PAUSED && llhttp_get_error_pos(parser) == end && !r.disagree && r.next_line == end - 2;
	if (!agreed)
		split_by_hand(headers, end, out);
	for (size_t i = 0; i < out->header_count; i++)
		note_header(out, i);
	return agreed;
}

static enum http_method method_of(struct slice name)
{
	return slice_equal(name, SLICE("POST"))      ? HTTP_POST
	       : slice_equal(name, SLICE("GET"))     ? HTTP_GET
	       : slice_equal(name, SLICE("HEAD"))    ? HTTP_HEAD
	       : slice_equal(name, SLICE("OPTIONS")) ? HTTP_OPTIONS
	                                             : HTTP_OTHER_METHOD;
}

/* All but the headers, which stay as they were: a head is 4 KiB, and only header_count of them count. */
static void head_reset(struct http_head *h, bool is_request)
{
	memset(h, 0, offsetof(struct http_head, headers));
	memset(h->first, 0, sizeof(h->first));
	h->is_request = is_request;
}

/* A method that llhttp has never heard of is still a method, to be answered 405; and CONNECT must not switch llhttp to a tunnel. */
static const char *feed_method(llhttp_t *parser, const struct http_head *h, const char *line)
{
	if (h->method != HTTP_OTHER_METHOD)
		return line;
	(void)llhttp_execute(parser, "POST", 4);
	return line + h->method_name.len;
}

static enum guard_reason agree(bool read_by_both, const struct http_head *h, const llhttp_t *parser)
{
	if (!read_by_both || parser->http_minor != !h->http10)
		return GUARD_HEAD_DISAGREE;
	if (!!(parser->flags & F_CHUNKED) != http_head_has(h, HDR_TRANSFER_ENCODING) ||
	    parser->content_length != h->content_length)
		return GUARD_HEAD_DISAGREE;
	return GUARD_FINE;
}

bool http_parse_request(const char *bytes, size_t n, struct http_head *out, enum guard_reason *why)
{
	const char *end = bytes + n, *line = bytes[0] == '\r' ? bytes + 2 : bytes;
	const char *line_end = memchr(line, '\r', (size_t)(end - line));
	struct slice rest = slice_of(line, (size_t)(line_end - line));
	llhttp_t parser;

	head_reset(out, true);
	out->method_name = slice_until(rest, slice_find(rest, ' '));
	out->method = method_of(out->method_name);
	rest = slice_from(rest, out->method_name.len + 1);
	out->target = slice_until(rest, slice_find(rest, ' '));
	out->http10 = line_end[-1] == '0';
	llhttp_init(&parser, HTTP_REQUEST, &head_settings);
	bool read_by_both = read_head(&parser, feed_method(&parser, out, line), line_end + 2, end, out);
	*why = http_rules_request(out);
	if (*why == GUARD_FINE)
		*why = agree(read_by_both, out, &parser);
	return *why == GUARD_FINE;
}

bool http_parse_answer(const char *bytes, size_t n, enum http_method to, struct http_head *out, enum guard_reason *why)
{
	const char *end = bytes + n, *line_end = memchr(bytes, '\r', n);
	llhttp_t parser;

	head_reset(out, false);
	out->method = to;
	out->http10 = bytes[7] == '0';
	out->status = (uint16_t)((bytes[9] - '0') * 100 + (bytes[10] - '0') * 10 + (bytes[11] - '0'));
	out->reason = slice_from(slice_of(bytes, (size_t)(line_end - bytes)), 13);
	llhttp_init(&parser, HTTP_RESPONSE, &head_settings);
	bool read_by_both = read_head(&parser, bytes, line_end + 2, end, out);
	*why = http_rules_answer(out);
	if (*why == GUARD_FINE)
		*why = agree(read_by_both, out, &parser);
	return *why == GUARD_FINE;
}

/* Bodies. Our reader splits the bytes into runs of frame and of data; llhttp is given run after run and must say the same about each. It starts
 * behind a head of our own, so that nothing of the parser that read the real head needs to be kept. */
struct http_chunks {
	struct chunk_reader own;
	llhttp_t peer;
	size_t peer_data_bytes; /* of the run in hand */
	bool peer_complete;
};

static int on_chunk_body(llhttp_t *parser, const char *at, size_t len)
{
	struct http_chunks *c = parser->data;
	c->peer_data_bytes += len;
	return 0;
}

static int on_chunks_complete(llhttp_t *parser)
{
	struct http_chunks *c = parser->data;
	c->peer_complete = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t chunk_settings = {
        .on_body = on_chunk_body,
        .on_message_complete = on_chunks_complete,
};

static struct http_chunks *chunks_new(void)
{
	static const char head[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
	struct http_chunks *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	llhttp_init(&c->peer, HTTP_REQUEST, &chunk_settings);
	c->peer.data = c;
	CHECK(llhttp_execute(&c->peer, head, sizeof(head) - 1) == HPE_OK);
	return c;
}

static bool peer_agrees(struct http_chunks *c, const char *bytes, struct chunk_run run)
{
	c->peer_data_bytes = 0;
	llhttp_errno_t e = llhttp_execute(&c->peer, bytes, run.len);
	if (run.part == CHUNK_LAST)
		return e == HPE_PAUSED && c->peer_complete && c->peer_data_bytes == 0 &&
		       llhttp_get_error_pos(&c->peer) == bytes + run.len;
	return e == HPE_OK && !c->peer_complete && c->peer_data_bytes == (run.part == CHUNK_DATA ? run.len : 0);
}

static struct http_taken take_chunks(struct http_body *b, char *bytes, size_t n, enum guard_reason *why)
{
	struct http_taken taken = {.data = bytes, .ok = true};
	while (taken.used < n && !b->complete) {
		char *at = bytes + taken.used;
		struct chunk_run run = chunk_reader_next(&b->chunks->own, at, n - taken.used, why);
		if (run.part != CHUNK_BROKEN && !peer_agrees(b->chunks, at, run)) {
			*why = GUARD_CHUNK_DISAGREE;
			run.part = CHUNK_BROKEN;
		}
		if (run.part == CHUNK_BROKEN) {
			taken.ok = false;
			break;
		}
		if (run.part == CHUNK_DATA) {
			if (taken.data_len == 0)
				taken.data = at;
			else
				memmove(taken.data + taken.data_len, at, run.len);
			taken.data_len += run.len;
		}
		taken.used += run.len;
		b->complete = run.part == CHUNK_LAST;
	}
	b->seen += taken.data_len;
	return taken;
}

void http_body_start(struct http_body *b, const struct http_head *head)
{
	*b = (struct http_body){.framing = head->framing};
	if (b->framing == BODY_LENGTH)
		b->left = head->content_length;
	b->complete = b->framing == BODY_NONE || (b->framing == BODY_LENGTH && b->left == 0);
}

void http_body_done(struct http_body *b)
{
	free(b->chunks);
	b->chunks = NULL;
}

struct http_taken http_body_take(struct http_body *b, char *bytes, size_t n, enum guard_reason *why)
{
	struct http_taken taken = {.data = bytes, .ok = true};
	if (b->complete || n == 0)
		return taken;
	if (b->framing == BODY_CHUNKED) {
		if (!b->chunks && !(b->chunks = chunks_new())) {
			*why = GUARD_CHUNK_NO_MEMORY;
			taken.ok = false;
			return taken;
		}
		return take_chunks(b, bytes, n, why);
	}
	taken.used = taken.data_len = b->framing == BODY_LENGTH && b->left < n ? b->left : n;
	b->seen += taken.used;
	if (b->framing == BODY_LENGTH)
		b->complete = (b->left -= taken.used) == 0;
	return taken;
}

bool http_body_end(struct http_body *b)
{
	if (b->framing == BODY_UNTIL_CLOSE)
		b->complete = true;
	return b->complete;
}
