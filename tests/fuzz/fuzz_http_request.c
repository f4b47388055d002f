/* F16: guard and llhttp agree on every head that passes, in one piece or byte by byte; and what we would send on passes as well. */
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
	long length = http_guard_request(bytes, n, &scanned, &limits, &why), in_bytes = 0;
	for (size_t i = 1; i <= n && in_bytes == 0; i++)
		in_bytes = http_guard_request(bytes, i, &slow, &limits, &why_slow);
	CHECK(length == in_bytes && why == why_slow);
	if (length <= 0)
		return 0;
	bool ok = http_parse_request(bytes, (size_t)length, &head, &why);
	CHECK(ok == (why == GUARD_FINE) && why != GUARD_HEAD_DISAGREE);
	if (!ok)
		return 0;
	size_t line = http_write_request_line(out, sizeof(out), SLICE(""), SLICE("/"), SLICE("Host: a\r\n"));
	size_t written = line + http_write_request_rest(out + line, sizeof(out) - line, &head, head.framing,
	                                                head.content_length);
	scanned = 0;
	CHECK(http_guard_request(out, written, &scanned, &limits, &why) == (long)written);
	CHECK(http_parse_request(out, written, &again, &why) && again.content_length == head.content_length);
	return 0;
}
