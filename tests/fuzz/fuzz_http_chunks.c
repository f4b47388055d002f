/* F16: llhttp never refuses or misreads a chunked body that our own reader takes; pieces do not matter. The first byte is the piece's size. */
#include "core/base/check.h"
#include "proto/http_parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

static enum guard_reason take(const char *bytes, size_t n, size_t piece, uint64_t *seen, uint64_t *sum)
{
	struct http_head head = {.framing = BODY_CHUNKED};
	struct http_body body;
	enum guard_reason why = GUARD_FINE;
	http_body_start(&body, &head);
	for (size_t at = 0, len; at < n && !body.complete && !why; at += len) {
		len = n - at < piece ? n - at : piece;
		char *copy = malloc(len);
		memcpy(copy, bytes + at, len);
		struct http_taken taken = http_body_take(&body, copy, len, &why);
		for (size_t i = 0; i < taken.data_len; i++)
			*sum = *sum * 31 + (uint8_t)taken.data[i];
		free(copy);
	}
	*seen = body.seen;
	http_body_done(&body);
	return why;
}

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	uint64_t seen[2], sum[2] = {0};
	if (n == 0)
		return 0;
	enum guard_reason whole = take(bytes + 1, n - 1, n, &seen[0], &sum[0]);
	enum guard_reason pieces = take(bytes + 1, n - 1, 1 + ((uint8_t)bytes[0] & 15), &seen[1], &sum[1]);
	CHECK(whole == pieces && seen[0] == seen[1] && sum[0] == sum[1] && whole != GUARD_CHUNK_DISAGREE);
	return 0;
}
