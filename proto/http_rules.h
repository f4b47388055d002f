/* What a whole head must satisfy beyond its lines: Host, framing, target form, single headers (RFC 9110 7, RFC 9112 3, 6, 9). Used by http_parse.c
 * once the headers are known; fills in what follows from them. Pure. */
#pragma once
#include "proto/http_guard.h"
#include "proto/http_msg.h"

/* Wants method, target, version and headers; sets path, query, framing, content_length, keep_alive, expect_*. */
enum guard_reason http_rules_request(struct http_head *h);
/* Wants status, version, headers and method: the request's. Sets framing, content_length, keep_alive. */
enum guard_reason http_rules_answer(struct http_head *h);
