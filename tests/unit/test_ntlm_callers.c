/* Who still uses NTLM is told once a day; who is refused because it is off is told once, with the line that helps. */
#include "core/relay/ntlm_callers.h"

#include "core/base/clock.h"
#include "core/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64], text[16 * 1024];
static usec_t now = 1000000;

static usec_t fake_now(void)
{
	return now;
}

static int begin(void **state)
{
	snprintf(path, sizeof(path), "/tmp/test_ntlm_callers_XXXXXX");
	close(mkstemp(path));
	clock_replace(fake_now);
	assert_int_equal(log_open("n", path).code, ERR_NONE);
	return 0;
}

static int end(void **state)
{
	log_close();
	ntlm_callers_forget();
	clock_replace(NULL);
	unlink(path);
	return 0;
}

/* What was written until now. */
static const char *said(void)
{
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	return text;
}

static size_t lines(void)
{
	size_t count = 0;
	for (const char *c = said(); *c; c++)
		count += *c == '\n';
	return count;
}

static void those_who_use_it_are_named_once_a_day(void **state)
{
	ntlm_callers_tick(false);
	for (int i = 0; i < 3; i++) {
		ntlm_callers_used("CORP\\alice");
		ntlm_callers_used("CORP\\srv1$");
		now += 3600 * 1000000ull;
		ntlm_callers_tick(false);
	}
	assert_int_equal(lines(), 0);
	now += 22 * 3600 * 1000000ull;
	ntlm_callers_tick(false);
	ntlm_callers_tick(false);
	assert_int_equal(lines(), 1);
	assert_non_null(strstr(said(), "2 accounts: CORP\\\\alice, CORP\\\\srv1$. With a Kerberos ticket"));
	now += 25 * 3600 * 1000000ull; /* a day without any */
	ntlm_callers_tick(true);
	assert_int_equal(lines(), 1);
	char name[32];
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "CORP\\user%u", i);
		ntlm_callers_used(name);
	}
	ntlm_callers_tick(true);
	assert_int_equal(lines(), 2);
	assert_non_null(strstr(said(), "4095 accounts: CORP\\\\user0, "));
	assert_non_null(strstr(said(), ", and others."));
}

static void those_who_are_refused_are_told_once_with_their_cure(void **state)
{
	struct ntlm_names none = {.domain = ""}, exch = {.domain = "CORP", .workstation = "EXCH01"},
	                  alice = {.domain = "CORP", .account = "alice"};
	for (int i = 0; i < 3; i++) {
		ntlm_callers_refused("10.0.0.1", &exch, SLICE("rms.corp.test:443"));
		ntlm_callers_refused("10.0.0.2", &none, SLICE("10.0.0.9"));
		ntlm_callers_refused("10.0.0.2", &alice, SLICE("[::1]:8080"));
		ntlm_callers_refused("10.0.0.2", &alice, SLICE("a\" b"));
	}
	assert_int_equal(lines(), 3);
	assert_non_null(strstr(said(), "10.0.0.1, computer EXCH01, domain CORP: "));
	assert_non_null(strstr(said(), "setspn -S HTTP/rms.corp.test <connector account>"));
	assert_non_null(strstr(said(), "10.0.0.2: it got no"));
	assert_non_null(strstr(said(), "10.0.0.2, account CORP\\\\alice: "));
	assert_non_null(strstr(said(), "HTTP/<name in the callers' URL> "));
	for (unsigned i = 0; i < 1000; i++) { /* somebody who makes names up */
		snprintf(exch.workstation, sizeof(exch.workstation), "W%u", i);
		ntlm_callers_refused("10.0.0.3", &exch, SLICE("rms.corp.test"));
	}
	assert_true(lines() <= 10);
	now += 120 * 1000000ull;
	ntlm_callers_refused("10.0.0.4", &none, SLICE("rms.corp.test"));
	assert_non_null(strstr(said(), "10.0.0.4: ")); /* and was not lost among them */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(those_who_use_it_are_named_once_a_day, begin, end),
	        cmocka_unit_test_setup_teardown(those_who_are_refused_are_told_once_with_their_cure, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
