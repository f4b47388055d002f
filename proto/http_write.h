/* Heads to bytes. Every function writes at most cap bytes and returns the length, or 0 when they do not fit. Values come from a parsed head or from
 * settings checked at load: no CR, LF or NUL can be in them. */
#pragma once
#include "proto/http_msg.h"

/* A request head in two parts, because words may be newer than the rest when it has waited.
 * POST <begin><path> HTTP/1.1, then `words` (Host, Authorization: whole lines). */
size_t http_write_request_line(char *out, size_t cap, struct slice begin, struct slice path, struct slice words);
/* The caller's headers that may travel, framing, and the empty line. */
size_t http_write_request_rest(char *out, size_t cap, const struct http_head *caller, enum http_framing framing,
                               uint64_t content_length);
/* HTTP/1.1 status reason, the upstream's headers that may travel, framing, `extra` (whole lines, may be empty), `Connection: close` if close. */
size_t http_write_answer(char *out, size_t cap, const struct http_head *upstream, enum http_framing framing,
                         uint64_t content_length, struct slice extra, bool close);
/* "1a2b\r\n"; at most 18 bytes. */
size_t http_write_chunk_start(char out[static 18], uint64_t n);
const char *http_status_reason(unsigned status);
