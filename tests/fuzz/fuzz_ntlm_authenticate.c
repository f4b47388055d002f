/* NTLM's third message: nothing outside of it is read, and what it is bound to stands in it. */
#include "core/base/check.h"
#include "proto/ntlm_authenticate.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	struct ntlm_authenticate got;
	const char *wrong = ntlm_authenticate_read(slice_of(bytes, n), &got);
	if (!wrong && got.bound)
		CHECK(memmem(bytes, n, got.binding, sizeof(got.binding)) != NULL);
	return 0;
}
