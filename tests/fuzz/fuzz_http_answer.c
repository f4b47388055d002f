/* The cloud's heads, read with the same care; the first byte says which method asked. */
#include "core/base/check.h"
#include "proto/http_parse.h"
#include "proto/http_write.h"

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	static const struct guard_limits limits = {96 * 1024, 16 * 1024};
	static char out[128 * 1024];
	struct http_head head, again;
	enum guard_reason why = GUARD_FINE, why_slow = GUARD_FINE;
	size_t scanned = 0, slow = 0;
	if (n-- == 0)
		return 0;
	enum http_method to = *bytes++ & 1 ? HTTP_HEAD : HTTP_POST;
	long length = http_guard_answer(bytes, n, &scanned, &limits, &why), in_bytes = 0;
	for (size_t i = 1; i <= n && in_bytes == 0; i++)
		in_bytes = http_guard_answer(bytes, i, &slow, &limits, &why_slow);
	CHECK(length == in_bytes && why == why_slow);
	if (length <= 0 || !http_parse_answer(bytes, (size_t)length, to, &head, &why)) {
		CHECK(why != GUARD_HEAD_DISAGREE);
		return 0;
	}
	size_t written =
	        http_write_answer(out, sizeof(out), &head, head.framing, head.content_length, SLICE(""), false);
	scanned = 0;
	CHECK(http_guard_answer(out, written, &scanned, &limits, &why) == (long)written);
	CHECK(http_parse_answer(out, written, to, &again, &why) && again.framing == head.framing);
	return 0;
}
