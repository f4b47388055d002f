#include "proto/http_guard.h"
#include "proto/http_chars.h"
#include "proto/http_msg.h"

#include <pthread.h>

/* One pass over the bytes that are new. Anything below 0x20 or equal to 0x7f stops it: a tab goes on, CR LF ends a line and has it judged,
 * all else is refused. What earlier calls found out is packed into *scanned, so that a head that comes byte by byte is still read once:
 *
 *   63            40 39       32 31                              0
 *   | Authorization | lines seen | bytes judged (whole lines and so far)  |
 */
struct progress {
	size_t at;                  /* everything before was looked at */
	size_t lines;               /* whole lines, the first line included */
	size_t authorization_bytes; /* in values of Authorization */
};

enum { SCAN_MAX = (1 << 24) - 1, AUTHORIZATION_LEN = sizeof("authorization") - 1 };
_Static_assert(sizeof(size_t) == 8, "progress is packed into 64 bits");

static const struct {
	const char *name, *text;
	uint16_t status;
} reasons[GUARD_COUNT] = {
        [GUARD_FINE] = {"FINE", "nothing is wrong", 200},
#define GUARD(name, status, text) [GUARD_##name] = {#name, text, status},
#include "proto/guard_reasons.def"
#undef GUARD
};

/* Names are counters' names, in lower case, which the preprocessor cannot make. */
static char lower_names[GUARD_COUNT][32];
static pthread_once_t names_once = PTHREAD_ONCE_INIT;

static void make_lower_names(void)
{
	for (size_t r = 0; r < GUARD_COUNT; r++)
		for (size_t i = 0; reasons[r].name[i] && i < sizeof(lower_names[r]) - 1; i++)
			lower_names[r][i] = (char)(reasons[r].name[i] == '_' ? '_' : reasons[r].name[i] | 0x20);
}

const char *guard_reason_name(enum guard_reason r)
{
	pthread_once(&names_once, make_lower_names);
	return lower_names[r];
}

const char *guard_reason_text(enum guard_reason r)
{
	return reasons[r].text;
}

uint16_t guard_reason_status(enum guard_reason r)
{
	return reasons[r].status;
}

static struct progress progress_unpack(size_t packed)
{
	return (struct progress){packed & 0xffffffff, packed >> 32 & 0xff, packed >> 40};
}

static size_t progress_pack(struct progress p)
{
	return p.at | p.lines << 32 | p.authorization_bytes << 40;
}

/* First byte below 0x20 or equal to 0x7f, or end. Eight bytes at a time: a borrow can only raise a false alarm above a true one, so the lowest
 * alarm is true. */
static const char *find_special(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
	while (end - p >= 8) {
		uint64_t x, del;
		memcpy(&x, p, 8);
		del = x ^ ones * 0x7f;
		uint64_t hit = (((x - ones * 0x20) & ~x) | ((del - ones) & ~del)) & tops;
		if (hit) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
			return p + (__builtin_ctzll(hit) >> 3);
#else
			break;
#endif
		}
		p += 8;
	}
	while (p < end && (uint8_t)*p >= 0x20 && *p != 0x7f)
		p++;
	return p;
}

static bool version_is_odd(struct slice v)
{
	return v.len != 8 || memcmp(v.at, "HTTP/1.", 7) != 0 || (v.at[7] != '0' && v.at[7] != '1');
}

static enum guard_reason judge_request_line(struct slice line)
{
	size_t i = 0, target;
	while (i < line.len && http_char_is(line.at[i], CHAR_TOKEN))
		i++;
	if (i == 0)
		return line.at[0] == ' ' || line.at[0] == '\t' ? GUARD_REQUEST_LINE_ODD : GUARD_METHOD_ODD;
	if (i == line.len || line.at[i] == '\t')
		return GUARD_REQUEST_LINE_ODD;
	if (line.at[i] != ' ')
		return GUARD_METHOD_ODD;
	target = ++i;
	while (i < line.len && http_char_is(line.at[i], CHAR_TARGET))
		i++;
	if (i - target > HTTP_TARGET_MAX)
		return GUARD_TARGET_TOO_LONG;
	if (i == target || i == line.len || line.at[i] == '\t')
		return i < line.len && line.at[i] != ' ' && line.at[i] != '\t' ? GUARD_TARGET_ODD
		                                                               : GUARD_REQUEST_LINE_ODD;
	if (line.at[i] != ' ')
		return GUARD_TARGET_ODD;
	struct slice version = slice_from(line, i + 1);
	if (slice_find(version, ' ') < version.len || slice_find(version, '\t') < version.len)
		return GUARD_REQUEST_LINE_ODD;
	return version_is_odd(version) ? GUARD_VERSION_ODD : GUARD_FINE;
}

/* The space before an empty reason is missing in the wild; no reader can take it for something else. */
static enum guard_reason judge_status_line(struct slice line)
{
	if (!slice_starts_with(line, SLICE("HTTP/")))
		return GUARD_STATUS_LINE_ODD;
	size_t space = slice_find(line, ' ');
	if (version_is_odd(slice_until(line, space)))
		return GUARD_VERSION_ODD;
	struct slice status = slice_from(line, space + 1);
	if (status.len < 3 || status.at[0] < '1' || status.at[0] > '5' || !http_char_is(status.at[1], CHAR_DIGIT) ||
	    !http_char_is(status.at[2], CHAR_DIGIT) || (status.len > 3 && status.at[3] != ' '))
		return GUARD_STATUS_LINE_ODD;
	return GUARD_FINE;
}

static enum guard_reason judge_header_line(struct slice line, struct progress *p)
{
	if (line.at[0] == ' ' || line.at[0] == '\t')
		return GUARD_FOLDED_LINE;
	if (p->lines > HTTP_HEADERS_MAX)
		return GUARD_TOO_MANY_HEADERS;
	size_t i = 0;
	while (i < line.len && http_char_is(line.at[i], CHAR_TOKEN))
		i++;
	if (i == line.len)
		return GUARD_NO_COLON;
	if (line.at[i] != ':') {
		size_t colon = slice_find(line, ':');
		if (colon == line.len)
			return GUARD_NO_COLON;
		while (i < colon && (line.at[i] == ' ' || line.at[i] == '\t'))
			i++;
		return i == colon ? GUARD_SPACE_BEFORE_COLON : GUARD_NAME_ODD;
	}
	if (i == 0)
		return GUARD_NAME_EMPTY;
	if (i == AUTHORIZATION_LEN && strncasecmp(line.at, "authorization", AUTHORIZATION_LEN) == 0)
		p->authorization_bytes += line.len - i - 1;
	return GUARD_FINE;
}

/* line: without its CR LF. *ended: it was the empty line after the headers. */
static inline enum guard_reason judge_line(struct slice line, bool is_request, bool at_start, struct progress *p,
                                           bool *ended)
{
	enum guard_reason why;
	if (p->lines == 0) {
		if (line.len == 0)
			return is_request && at_start ? GUARD_FINE : GUARD_EMPTY_LINE;
		why = is_request ? judge_request_line(line) : judge_status_line(line);
	} else if (line.len == 0) {
		*ended = true;
		return GUARD_FINE;
	} else {
		why = judge_header_line(line, p);
	}
	p->lines++;
	return why;
}

static long guard(const char *bytes, size_t n, size_t *scanned, const struct guard_limits *limits, bool is_request,
                  enum guard_reason *why)
{
	size_t most = limits->head_bytes < SCAN_MAX ? limits->head_bytes : SCAN_MAX;
	const char *end = bytes + (n < most ? n : most);
	struct progress seen = progress_unpack(*scanned);
	const char *p = bytes + seen.at, *line = NULL;
	if (seen.at == 0)
		line = bytes;
	while ((p = find_special(p, end)) < end) {
		if (*p == '\t') {
			p++;
			continue;
		}
		if (*p != '\r') {
			*why = *p == '\n' ? GUARD_BARE_LF : *p == 0 ? GUARD_NUL_BYTE : GUARD_CONTROL_BYTE;
			return -1;
		}
		if (p + 1 == end)
			break;
		if (p[1] != '\n') {
			*why = GUARD_BARE_CR;
			return -1;
		}
		if (!line) {
			const char *before = memrchr(bytes, '\n', (size_t)(p - bytes));
			line = before ? before + 1 : bytes;
		}
		bool ended = false;
		*why = judge_line(slice_of(line, (size_t)(p - line)), is_request, line == bytes, &seen, &ended);
		if (*why)
			return -1;
		line = p += 2;
		if ((size_t)(p - bytes) - seen.authorization_bytes > limits->plain_bytes) {
			*why = GUARD_PLAIN_TOO_LARGE;
			return -1;
		}
		if (ended)
			return p - bytes;
	}
	if (n >= most) {
		*why = GUARD_HEAD_TOO_LARGE;
		return -1;
	}
	seen.at = (size_t)(p - bytes);
	*scanned = progress_pack(seen);
	return 0;
}

long http_guard_request(const char *bytes, size_t n, size_t *scanned, const struct guard_limits *limits,
                        enum guard_reason *why)
{
	return guard(bytes, n, scanned, limits, true, why);
}

long http_guard_answer(const char *bytes, size_t n, size_t *scanned, const struct guard_limits *limits,
                       enum guard_reason *why)
{
	return guard(bytes, n, scanned, limits, false, why);
}
