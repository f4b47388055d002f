/* What is accepted as a URL has a host, a port and a path inside the text. */
#include "core/base/check.h"
#include "proto/uri.h"

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	struct uri u;
	const char *wrong = uri_parse(slice_of(bytes, n), &u);
	if (wrong)
		return 0;
	CHECK(u.port && strlen(u.host) && strlen(u.host) < 254 && !strpbrk(u.host, "/@?# \r\n"));
	CHECK(u.path.len == 0 || (u.path.at[0] == '/' && u.path.at + u.path.len == bytes + n));
	return 0;
}
