/* H02, M03: from what core/net/ tells to what an administrator should do. */
#include "core/base/check.h"
#include "core/cloud/reach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <cmocka.h>

static void each_cause_is_told_apart(void **state)
{
	enum { NO_ISSUER = 20, NAME_WRONG = 62, EXPIRED = 10 }; /* X509_V_ERR_... */
	static const struct {
		struct err why;
		bool proxied;
		enum reach_cause want;
	} cases[] = {
	        {{ERR_NAME, UV_EAI_NONAME, NULL}, false, REACH_NAME_UNKNOWN},
	        {{ERR_NAME, UV_EAI_NODATA, NULL}, false, REACH_NAME_UNKNOWN},
	        {{ERR_NAME, UV_EAI_AGAIN, NULL}, false, REACH_NAME_SERVERS},
	        {{ERR_NAME, UV_EAI_NONAME, NULL}, true, REACH_PROXY_NAME},
	        {{ERR_NETWORK, UV_ECONNREFUSED, NULL}, false, REACH_REFUSED},
	        {{ERR_NETWORK, UV_ECONNREFUSED, NULL}, true, REACH_PROXY_AWAY},
	        {{ERR_NETWORK, UV_ETIMEDOUT, NULL}, false, REACH_TIMEOUT},
	        {{ERR_NETWORK, UV_ENETUNREACH, NULL}, false, REACH_NO_ROUTE},
	        {{ERR_NETWORK, UV_EHOSTUNREACH, NULL}, false, REACH_NO_ROUTE},
	        {{ERR_NETWORK, UV_ECONNRESET, NULL}, false, REACH_RESET},
	        {{ERR_NETWORK, UV_EMFILE, NULL}, false, REACH_OTHER},
	        {{ERR_TLS, UV_ECONNRESET, NULL}, true, REACH_TLS_CUT},
	        {{ERR_TLS, UV_EOF, NULL}, false, REACH_TLS_CUT},
	        {{ERR_TLS, UV_ETIMEDOUT, NULL}, false, REACH_TLS_TIMEOUT},
	        {{ERR_TLS, 0, NULL}, false, REACH_TLS_OTHER},
	        {{ERR_TLS, NAME_WRONG, NULL}, true, REACH_TLS_NAME},
	        {{ERR_TLS, EXPIRED, NULL}, false, REACH_TLS_TIME},
	        {{ERR_TLS, NO_ISSUER, NULL}, false, REACH_TLS_CHAIN},
	        {{ERR_UPSTREAM_PROXY, 0, NULL}, true, REACH_PROXY},
	        {{ERR_CLOSED, 0, NULL}, false, REACH_RESET},
	        {{ERR_NO_MEMORY, 0, NULL}, false, REACH_OTHER},
	};
	struct tls_issuer corp = {.organization = "Corp IT", .name = "Inspection"};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(reach_cause_of(cases[i].why, "rms.corp.test", cases[i].proxied, &corp), cases[i].want);
	struct err refused = ERR_OF(TLS, .sys = NO_ISSUER);
	assert_int_equal(reach_cause_of(refused, "a.rms.na.aadrm.com", false, &corp), REACH_INSPECTED);
	strcpy(corp.organization, "DigiCert Inc");
	assert_int_equal(reach_cause_of(refused, "a.rms.na.aadrm.com", false, &corp), REACH_TLS_CHAIN);
	assert_int_equal(reach_cause_of(refused, "a.rms.na.aadrm.com", false, NULL), REACH_TLS_CHAIN);
}

static void each_cause_says_what_to_do(void **state)
{
	for (unsigned i = 0; i < REACH_COUNT; i++)
		assert_int_equal(*reach_advice(i) == 0, i == REACH_PROXY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_cause_is_told_apart),
	        cmocka_unit_test(each_cause_says_what_to_do),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
