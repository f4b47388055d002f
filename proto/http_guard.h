/* Refuses every head that two readers could understand differently, before a parser sees it; strict llhttp behind it lets several of these through
 * (RFC 9112 2.2, 5.1, 6.1; RFC 9110 5.5). Also bounds a head while it is still arriving. Pure; works on bytes in place, copies nothing. */
#pragma once
#include "core/base/slice.h"

/* Rows in guard_reasons.def: GUARD(NAME, status, "words"); each reason is counted. */
enum guard_reason {
	GUARD_FINE,
#define GUARD(name, status, text) GUARD_##name,
#include "proto/guard_reasons.def"
#undef GUARD
	GUARD_COUNT
};
const char *guard_reason_name(enum guard_reason r); /* "bare_lf" */
const char *guard_reason_text(enum guard_reason r);
uint16_t guard_reason_status(enum guard_reason r); /* 400, 408, 413, 431 */

struct guard_limits {
	size_t head_bytes;  /* whole head */
	size_t plain_bytes; /* head without the values of Authorization */
};

/* Looks for the end of a head. *scanned: what earlier calls on the same bytes found out, packed; start with 0. So a head that comes byte by byte
 * is read once; a header is judged when its line ends, the bounds on the way.
 * Returns the head's length with its empty line, 0 when more is needed, -1 when refused (*why). Empty lines before a request line are refused
 * except one CRLF (RFC 9112 2.2), which the length then includes. */
long http_guard_request(const char *bytes, size_t n, size_t *scanned, const struct guard_limits *limits,
                        enum guard_reason *why);
long http_guard_answer(const char *bytes, size_t n, size_t *scanned, const struct guard_limits *limits,
                       enum guard_reason *why);
