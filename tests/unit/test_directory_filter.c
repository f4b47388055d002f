/* core/authd/directory_filter.c: what people type is never more than a value. */
#include "core/authd/directory_filter.h"

#include "core/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void values_are_escaped(void **state)
{
	static const struct {
		struct slice value;
		const char *text, *pattern;
	} cases[] = {
	        {SLICE("alice"), "alice", "alice"},
	        {SLICE("a)(objectClass=*"), "a\\29\\28objectClass=\\2a", "a\\29\\28objectClass=*"},
	        {SLICE("CORP\\x"), "CORP\\5cx", "CORP\\5cx"},
	        {SLICE("a\0b\n\x7f"), "a\\00b\\0a\\7f", "a\\00b\\0a\\7f"},
	        {SLICE("J\xc3\xbcrgen"), "J\xc3\xbcrgen", "J\xc3\xbcrgen"},
	        {SLICE("exch*"), "exch\\2a", "exch*"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct filter value = {0}, pattern = {0};
		filter_add(&value, "");
		filter_value(&value, cases[i].value);
		filter_pattern(&pattern, cases[i].value);
		assert_string_equal(filter_text(&value), cases[i].text);
		assert_string_equal(filter_text(&pattern), cases[i].pattern);
		filter_done(&value);
		filter_done(&pattern);
	}
}

static void sids_and_numbers_are_written(void **state)
{
	struct filter f = {0};
	struct sid s;
	assert_true(sid_parse(SLICE("S-1-5-32-544"), &s));
	filter_add(&f, "(objectSid=");
	filter_sid(&f, &s);
	filter_add(&f, ")(primaryGroupID=");
	filter_number(&f, 4294967295u);
	filter_add(&f, ")");
	assert_string_equal(filter_text(&f),
	                    "(objectSid=\\01\\02\\00\\00\\00\\00\\00\\05\\20\\00\\00\\00\\20\\02\\00\\00)("
	                    "primaryGroupID=4294967295)");
	filter_done(&f);
}

static void a_filter_that_grows_too_long_is_none(void **state)
{
	struct filter f = {0};
	for (int i = 0; i < DIRECTORY_FILTER_BYTES / 4; i++)
		filter_add(&f, "aaaaa");
	assert_null(filter_text(&f));
	filter_add(&f, "more");
	assert_null(filter_text(&f));
	filter_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(values_are_escaped),
	                                   cmocka_unit_test(sids_and_numbers_are_written),
	                                   cmocka_unit_test(a_filter_that_grows_too_long_is_none)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
