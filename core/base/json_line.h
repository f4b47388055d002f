/* One flat JSON object on one line, written into a caller's buffer. Never fails half-way: what does not fit is cut with "..." or left out, and the line
 * then says "cut":true. Control bytes are escaped, each byte that is not UTF-8 becomes \ufffd, so a line is valid whatever it was given. Pure. */
#pragma once
#include "core/base/clock.h"
#include "core/base/slice.h"

enum { JSON_LINE_MIN_BYTES = 64 }; /* smallest useful buffer */

struct json_line {
	char *start, *at;
	char *end; /* the tail's room is behind it */
	bool cut;
};

/* cap: at least JSON_LINE_MIN_BYTES. */
void json_line_begin(struct json_line *j, char *buf, size_t cap);
/* Length with the newline; no NUL. */
size_t json_line_end(struct json_line *j);

/* key: plain ASCII without quotes, ours. */
void json_line_put_text(struct json_line *j, struct slice key, struct slice value);
void json_line_put_number(struct json_line *j, struct slice key, uint64_t value, bool negative);
void json_line_put_ms(struct json_line *j, struct slice key, usec_t value);
/* The value's bytes as they are: valid JSON of our own making. */
void json_line_put_raw(struct json_line *j, struct slice key, struct slice value);

/* Inline, so that the length of a literal key is known when compiled. */
static inline void json_line_text(struct json_line *j, const char *key, struct slice value)
{
	json_line_put_text(j, slice_str(key), value);
}

static inline void json_line_u64(struct json_line *j, const char *key, uint64_t value)
{
	json_line_put_number(j, slice_str(key), value, false);
}

static inline void json_line_i64(struct json_line *j, const char *key, int64_t value)
{
	json_line_put_number(j, slice_str(key), value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

/* Milliseconds with three digits behind the point: 12.345 */
static inline void json_line_ms(struct json_line *j, const char *key, usec_t value)
{
	json_line_put_ms(j, slice_str(key), value);
}

static inline void json_line_bool(struct json_line *j, const char *key, bool value)
{
	json_line_put_raw(j, slice_str(key), value ? SLICE("true") : SLICE("false"));
}

/* "2026-11-22T10:51:40.123Z" */
static inline void json_line_time(struct json_line *j, const char *key, usec_t wall)
{
	char text[25];
	clock_format(wall, text);
	json_line_put_text(j, slice_str(key), slice_of(text, 24));
}
