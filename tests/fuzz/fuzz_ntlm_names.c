/* What an NTLM message says of its sender: always short, ended, printable. */
#include "core/base/check.h"
#include "proto/ntlm_names.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	char *copy = malloc(n + !n);
	struct ntlm_names names;
	memcpy(copy, bytes, n);
	ntlm_names_read(slice_of(copy, n), &names);
	const char *all[] = {names.domain, names.account, names.workstation};
	for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
		CHECK(strnlen(all[i], NTLM_NAME_BYTES) < NTLM_NAME_BYTES);
		for (const char *c = all[i]; *c; c++)
			CHECK(*c >= 0x20 && *c < 0x7f);
	}
	free(copy);
	return 0;
}
