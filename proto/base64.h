/* Base64 (RFC 4648 4), strict: padded, no white space, no stray bits behind the end. Pure. */
#pragma once
#include "core/base/slice.h"

static inline size_t base64_len(size_t n)
{
	return (n + 2) / 3 * 4;
}
/* out: base64_len(n), no NUL. Returns the characters written. */
size_t base64_encode(struct slice bytes, char *out);
/* out: text.len / 4 * 3 bytes; may be text.at itself. false: not base64 (out may be written to). */
bool base64_decode(struct slice text, char *out, size_t *out_len);
