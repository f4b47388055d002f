/* A14: the computer account of this machine is told from one of the same name in another domain. */
#include "core/relay/this_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void the_name_decides_where_the_domain_is_not_known(void **state)
{
	assert_true(host_is_account("node1", "", "CORP\\NODE1$", "NODE1$@CORP.TEST"));
	assert_true(host_is_account("node1.corp.test", "", "NODE1$@CORP.TEST", "NODE1$@CORP.TEST"));
	assert_true(host_is_account("a-very-long-host-name", "", "CORP\\A-VERY-LONG-HOS$", ""));
	assert_false(host_is_account("node1", "", "CORP\\NODE1", "NODE1@CORP.TEST"));
	assert_false(host_is_account("node1", "", "CORP\\NODE11$", ""));
	assert_false(host_is_account("node1", "", "$", ""));
	assert_false(host_is_account("", "", "CORP\\$", ""));
}

static void the_same_name_in_another_domain_is_another_machine(void **state)
{
	assert_true(host_is_account("node1", "corp.test", "CORP\\NODE1$", "NODE1$@CORP.TEST"));
	assert_false(host_is_account("node1", "corp.test", "PARTNER\\NODE1$", "NODE1$@PARTNER.TEST"));
	assert_true(host_is_account("node1", "corp.test", "CORP\\NODE1$", "")); /* NTLM */
	assert_false(host_is_account("node1", "corp.test", "PARTNER\\NODE1$", ""));
	assert_true(host_is_account("node1", "corp.test", "NODE1$", ""));
}

static void the_domain_is_found_as_debian_writes_it(void **state)
{
	static const struct {
		const char *hosts, *domain;
	} cases[] = {
	        {"127.0.0.1 localhost\n127.0.1.1\tnode1.corp.test node1\n", "corp.test"},
	        {"10.0.0.1 NODE1.Corp.Test", "Corp.Test"},
	        {"127.0.1.1 node1 node1.corp.test\n", NULL},
	        {"# 127.0.1.1 node1.corp.test node1\n", NULL},
	        {"127.0.1.1 other.corp.test other # node1\n", NULL},
	        {"127.0.1.1 node1. node1\n", NULL},
	        {"127.0.1.1 node12.corp.test node12\n", NULL},
	        {"127.0.1.1 shared.corp.test node1\n10.1.1.1 node1.corp.test\r\n", "corp.test"},
	        {"", NULL},
	        {"\n\n   \n127.0.1.1", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[HOST_BYTES] = "";
		if (host_domain_in(slice_str(cases[i].hosts), "node1", out) != (cases[i].domain != NULL))
			fail_msg("case %zu", i);
		assert_string_equal(out, cases[i].domain ? cases[i].domain : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_name_decides_where_the_domain_is_not_known),
	        cmocka_unit_test(the_same_name_in_another_domain_is_another_machine),
	        cmocka_unit_test(the_domain_is_found_as_debian_writes_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
