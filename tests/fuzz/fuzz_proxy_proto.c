/* A PROXY header: what it says of a beginning it says of the whole, whatever follows; and it never waits for more than its bound. */
#include "core/base/check.h"
#include "core/net/proxy_proto.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	struct proxy_caller caller, again;
	enum proxy_reason why = PROXY_REASON_COUNT, why_again = PROXY_REASON_COUNT;
	long len = proxy_proto_read(bytes, n, &caller, &why);
	CHECK(len >= -1 && len <= PROXY_BYTES && len <= (long)n);
	CHECK(len != 0 || n < PROXY_BYTES);
	CHECK(len != -1 || why < PROXY_SLOW);
	for (size_t part = 0; part < n && part < PROXY_BYTES; part++) {
		long early = proxy_proto_read(bytes, part, &again, &why_again);
		if (early == 0)
			continue;
		CHECK(early == len && (len < 0 || again.known == caller.known));
		CHECK(len < 0 || !caller.known || memcmp(again.address, caller.address, sizeof(again.address)) == 0);
		break;
	}
	return 0;
}
