#include "core/base/json_line.h"
#include "core/base/check.h"
#include "core/base/utf8.h"

/* Behind end there is always room for the tail: ,"cut":true}\n */
#define TAIL       ",\"cut\":true}\n"
#define CUT_MARKER "..."

/* What a byte needs: 0 itself, 1 a short escape, 2 \u00XX, 3 part of a longer UTF-8 sequence. */
static const uint8_t need[256] = {
        [0 ... 8] = 2,   ['\t'] = 1, ['\n'] = 1, [11 ... 12] = 2, ['\r'] = 1,
        [14 ... 31] = 2, ['"'] = 1,  ['\\'] = 1, [0x7f] = 2,      [0x80 ... 0xff] = 3,
};

void json_line_begin(struct json_line *j, char *buf, size_t cap)
{
	CHECK(cap >= JSON_LINE_MIN_BYTES);
	*j = (struct json_line){.start = buf, .at = buf, .end = buf + cap - (sizeof(TAIL) - 1)};
	*j->at++ = '{';
}

size_t json_line_end(struct json_line *j)
{
	struct slice tail = j->cut ? SLICE(TAIL) : SLICE("}\n");
	if (j->cut && j->at == j->start + 1)
		tail = slice_from(tail, 1);
	memcpy(j->at, tail.at, tail.len);
	j->at += tail.len;
	return (size_t)(j->at - j->start);
}

/* Writes ,"key": when that and room more bytes fit; else the member is left out. */
static bool key_fits(struct json_line *j, struct slice key, size_t room)
{
	if ((size_t)(j->end - j->at) < key.len + 4 + room) {
		j->cut = true;
		return false;
	}
	char *at = j->at;
	if (at != j->start + 1)
		*at++ = ',';
	*at++ = '"';
	memcpy(at, key.at, key.len);
	at += key.len;
	*at++ = '"';
	*at++ = ':';
	j->at = at;
	return true;
}

void json_line_put_raw(struct json_line *j, struct slice key, struct slice value)
{
	if (!key_fits(j, key, value.len))
		return;
	memcpy(j->at, value.at, value.len);
	j->at += value.len;
}

/* Digits of value, the last before end; returns the first. */
static char *digits(char *end, uint64_t value)
{
	static const char pairs[] =
	        "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
	        "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
	while (value >= 100) {
		end -= 2;
		memcpy(end, pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10) {
		end -= 2;
		memcpy(end, pairs + value * 2, 2);
	} else {
		*--end = (char)('0' + value);
	}
	return end;
}

void json_line_put_number(struct json_line *j, struct slice key, uint64_t value, bool negative)
{
	char text[24], *end = text + sizeof(text), *at = digits(end, value);
	if (negative)
		*--at = '-';
	json_line_put_raw(j, key, slice_of(at, (size_t)(end - at)));
}

void json_line_put_ms(struct json_line *j, struct slice key, usec_t value)
{
	char text[28], *end = text + sizeof(text);
	/* 1000 more, so that all three digits are there; its first digit gives its place to the point. */
	char *point = digits(end, value % 1000 + 1000);
	*point = '.';
	char *at = digits(point, value / 1000);
	json_line_put_raw(j, key, slice_of(at, (size_t)(end - at)));
}

static size_t put_hex(char *out, unsigned code)
{
	static const char hex[] = "0123456789abcdef";
	memcpy(out, "\\u00", 4);
	out[4] = hex[code >> 4 & 15];
	out[5] = hex[code & 15];
	return 6;
}

/* One byte that does not stand for itself, or one UTF-8 sequence: its written form in out, at most 6 bytes; *used is what it took of s. */
static size_t escape(const unsigned char *s, size_t n, char out[static 6], size_t *used)
{
	unsigned char c = *s;
	*used = 1;
	switch (need[c]) {
	case 1:
		out[0] = '\\';
		out[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : (char)c;
		return 2;
	case 2:
		return put_hex(out, c);
	default:
		break;
	}
	uint32_t code;
	size_t len = utf8_sequence(s, n, &code);
	if (len == 0) {
		memcpy(out, "\\ufffd", 6);
		return 6;
	}
	*used = len;
	/* U+0080 to U+009F are control characters for a terminal that shows the file. */
	if (code < 0xa0)
		return put_hex(out, code);
	memcpy(out, s, len);
	return len;
}

void json_line_put_text(struct json_line *j, struct slice key, struct slice value)
{
	/* Room for both quotes and the marker, whatever comes. */
	if (!key_fits(j, key, 2 + sizeof(CUT_MARKER) - 1))
		return;
	char *at = j->at, *end = j->end - 1 - (sizeof(CUT_MARKER) - 1);
	const unsigned char *s = (const unsigned char *)value.at, *s_end = s + value.len;
	*at++ = '"';
	while (s != s_end) {
		size_t room = (size_t)(end - at), left = (size_t)(s_end - s), run = 0;
		size_t most = left < room ? left : room;
		while (run < most && !need[s[run]])
			run++;
		memcpy(at, s, run);
		at += run;
		s += run;
		if (s == s_end)
			break;
		char written[6];
		size_t used = 1, n = need[*s] ? escape(s, (size_t)(s_end - s), written, &used) : 1;
		if (n > (size_t)(end - at)) {
			memcpy(at, CUT_MARKER, sizeof(CUT_MARKER) - 1);
			at += sizeof(CUT_MARKER) - 1;
			j->cut = true;
			break;
		}
		memcpy(at, written, n);
		at += n;
		s += used;
	}
	*at++ = '"';
	j->at = at;
}
