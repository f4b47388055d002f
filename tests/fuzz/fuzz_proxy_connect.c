/* A web proxy's answer in two pieces means what it means in one; what is refused has words. */
#include "core/base/check.h"
#include "proto/proxy_connect.h"

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	static struct proxy_reader one, two;
	size_t split = n ? (unsigned char)bytes[n - 1] % n : 0;
	one.len = one.scanned = two.len = two.scanned = 0;
	one.words[0] = two.words[0] = 0;
	enum proxy_answer whole = proxy_reader_take(&one, bytes, n), parts = proxy_reader_take(&two, bytes, split);
	if (parts == PROXY_WAITS)
		parts = proxy_reader_take(&two, bytes + split, n - split);
	CHECK((whole == PROXY_REFUSED) == (one.words[0] != 0));
	CHECK(whole != PROXY_OPEN || parts == PROXY_OPEN);
	CHECK(whole != PROXY_WAITS || parts == PROXY_WAITS);
	return 0;
}
