/* A CHALLENGE of NTLM: what is read lies inside it, and can be answered. */
#include "bench/ntlm.h"
#include "core/base/check.h"

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	static const struct ntlm_account account = {.domain = "D", .user = "U", .workstation = "W"};
	struct ntlm_challenge c;
	struct slice message = slice_of(bytes, n);
	if (ntlm_challenge_read(message, &c))
		return 0;
	CHECK(c.target_info.at >= bytes && c.target_info.at + c.target_info.len <= bytes + n);
	struct ntlm_answer how = {.challenge = message, .spn = "HTTP/a"};
	struct text out = {0};
	(void)ntlm_authenticate(&account, &c, &how, &out);
	text_free(&out);
	return 0;
}
