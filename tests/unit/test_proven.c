/* The mark of a proof: what was written is read for the same host, and nothing else counts as one. */
#include "core/ops/proven.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HOST_URL "https://a.rms.eu.aadrm.com"

static char place[64];
static const struct proven mark = {.at = "2026-11-25T10:11:12.000Z",
                                   .host = "a.rms.eu.aadrm.com:443",
                                   .base = "/_wmcs",
                                   .scheme = "Bearer",
                                   .operations = "GetServerInfo"};

static void put_file(const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/" PROVEN_FILE, place);
	FILE *f = fopen(path, "we");
	fputs(text, f);
	fclose(f);
}

static void it_is_read_for_its_host(void **state)
{
	struct proven p;
	char said[400];
	assert_false(proven_read(place, HOST_URL, &p));
	assert_int_equal(proven_write(place, &mark).code, 0);
	assert_true(proven_read(place, HOST_URL, &p));
	assert_memory_equal(&p, &mark, sizeof(p));
	assert_true(proven_sentence(place, HOST_URL, said, sizeof(said)));
	assert_string_equal(said, "proven on 2026-11-25 against a.rms.eu.aadrm.com:443 by GetServerInfo; certificates "
	                          "and licences were not "
	                          "asked for");
	assert_false(proven_read(place, "https://b.rms.eu.aadrm.com", &p));
	assert_false(proven_read(place, HOST_URL ":444", &p));
	assert_false(proven_read("", HOST_URL, &p));
	assert_false(proven_sentence(place, "https://b.rms.eu.aadrm.com", said, sizeof(said)));
	assert_non_null(strstr(said, "not proven against a tenant"));
}

static void another_takes_its_place(void **state)
{
	struct proven p, second = mark;
	second.licences = true;
	assert_int_equal(proven_write(place, &second).code, 0);
	assert_true(proven_read(place, HOST_URL, &p) && p.licences);
}

static void what_is_no_mark_proves_nothing(void **state)
{
	static const char *const texts[] = {
	        "",
	        "[]",
	        "{}",
	        "{\"version\":1}",
	        "{\"version\":1,\"at\":5,\"host\":\"a.rms.eu.aadrm.com:443\"}",
	        "{\"version\":2,\"at\":\"2026-11-25T10:11:12.000Z\",\"host\":\"a.rms.eu.aadrm.com:443\"}",
	        "{\"version\":1,\"at\":\"yesterday\",\"host\":\"a.rms.eu.aadrm.com:443\"}"};
	struct proven p;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put_file(texts[i]);
		assert_false(proven_read(place, HOST_URL, &p));
	}
}

static void a_place_that_is_not_there_is_told(void **state)
{
	struct err e = proven_write("/no/such/place", &mark);
	assert_int_equal(e.code, ERR_FILE);
	assert_non_null(strstr(e.what, "/no/such/place"));
}

static int make_place(void **state)
{
	snprintf(place, sizeof(place), "/tmp/rms-proven-XXXXXX");
	return mkdtemp(place) ? 0 : -1;
}

static int remove_place(void **state)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/" PROVEN_FILE, place);
	unlink(path);
	return rmdir(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(it_is_read_for_its_host),
	        cmocka_unit_test(another_takes_its_place),
	        cmocka_unit_test(what_is_no_mark_proves_nothing),
	        cmocka_unit_test(a_place_that_is_not_there_is_told),
	};
	return cmocka_run_group_tests(tests, make_place, remove_place);
}
