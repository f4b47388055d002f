/* What is read can be written, and is the same bytes then. */
#include "core/base/check.h"
#include "proto/authd_msg.h"

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	static char again[AUTHD_MSG_BYTES];
	struct authd_msg m;
	size_t used;
	while (!authd_msg_read(slice_of(bytes, n), &m, &used) && used) {
		CHECK(used <= n && authd_msg_bytes(&m) == used);
		authd_msg_write(&m, again);
		CHECK(memcmp(again, bytes, used) == 0);
		bytes += used;
		n -= used;
	}
	CHECK(used == 0);
	return 0;
}
