/* The sender's own names in an NTLM message, for the log; and who is told of, once. */
#include "proto/ntlm_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* [MS-NLMP] 2.2.1.1: flags with domain and workstation supplied; EXCH01 at 40, CORP behind it. */
#define FIRST "NTLMSSP\0\1\0\0\0\x07\x32\x08\xa0\4\0\4\0\x2e\0\0\0\6\0\6\0\x28\0\0\0\0\0\0\0\0\0\0\0EXCH01CORP"
/* 2.2.1.3: nothing, nothing, CORP, srv1$, SRV1, nothing; Unicode. */
#define THIRD                                                                                                         \
	"NTLMSSP\0\3\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\x40\0\0\0\x08\0\x08\0\x40\0\0\0\x0a\0\x0a\0\x48\0\0\0\x08\0\x08" \
	"\0\x52\0\0\0"                                                                                                \
	"\0\0\0\0\x5a\0\0\0\1\0\0\0C\0O\0R\0P\0s\0r\0v\0"                                                             \
	"1\0$\0S\0R\0V\0"                                                                                             \
	"1\0"

static void the_first_message_names_computer_and_domain(void **state)
{
	struct ntlm_names n;
	ntlm_names_read(SLICE(FIRST), &n);
	assert_string_equal(n.domain, "CORP");
	assert_string_equal(n.workstation, "EXCH01");
	assert_string_equal(n.account, "");
	char bytes[sizeof(FIRST) - 1] = FIRST;
	bytes[13] = 2; /* the flags say that they are not there */
	ntlm_names_read(slice_of(bytes, sizeof(bytes)), &n);
	assert_string_equal(n.domain, "");
	assert_string_equal(n.workstation, "");
}

static void the_third_message_names_the_account(void **state)
{
	struct ntlm_names n;
	ntlm_names_read(SLICE(THIRD), &n);
	assert_string_equal(n.domain, "CORP");
	assert_string_equal(n.account, "srv1$");
	assert_string_equal(n.workstation, "SRV1");
	char bytes[sizeof(THIRD) - 1] = THIRD;
	bytes[64] = '\n';
	bytes[66] = '\0', bytes[67] = 4; /* U+0400 */
	ntlm_names_read(slice_of(bytes, sizeof(bytes)), &n);
	assert_string_equal(n.domain, "\?\?RP");
}

static void what_lies_outside_says_nothing(void **state)
{
	struct ntlm_names n;
	for (size_t cut = 0; cut < sizeof(FIRST) - 1; cut++) {
		ntlm_names_read(slice_of(FIRST, cut), &n);
		assert_string_equal(n.domain, "");
	}
	for (size_t cut = 0; cut < sizeof(THIRD) - 1; cut++) {
		ntlm_names_read(slice_of(THIRD, cut), &n);
		assert_string_equal(n.workstation, "");
	}
	ntlm_names_read(SLICE("not of NTLM at all, but long enough to hold one"), &n);
	assert_string_equal(n.account, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_first_message_names_computer_and_domain),
	        cmocka_unit_test(the_third_message_names_the_account),
	        cmocka_unit_test(what_lies_outside_says_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
