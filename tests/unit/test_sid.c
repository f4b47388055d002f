/* SIDs as text and as bytes, and sorted sets of them. */
#include "core/base/check.h"
#include "core/base/sid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct {
	const char *text;
	struct slice bytes;
} good[] = {
        {"S-1-0-0", {"\1\1\0\0\0\0\0\0\0\0\0\0", 12}},
        {"S-1-5-18", {"\1\1\0\0\0\0\0\5\22\0\0\0", 12}},
        {"S-1-5-32-544", {"\1\2\0\0\0\0\0\5\40\0\0\0\40\2\0\0", 16}},
        {"S-1-5-21-1-2-4294967295", {"\1\4\0\0\0\0\0\5\25\0\0\0\1\0\0\0\2\0\0\0\377\377\377\377", 24}},
        {"S-1-4294967295-7", {"\1\1\0\0\377\377\377\377\7\0\0\0", 12}},
        {"S-1-0x0100000000FF-7", {"\1\1\1\0\0\0\0\377\7\0\0\0", 12}},
};

static void text_and_bytes_are_the_same_sid(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		struct sid parsed, read;
		char text[SID_TEXT_BYTES];
		assert_true(sid_parse(slice_str(good[i].text), &parsed));
		assert_int_equal(sid_read(good[i].bytes, &read), good[i].bytes.len);
		assert_int_equal(sid_bytes(&read), good[i].bytes.len);
		assert_int_equal(sid_compare(&parsed, &read), 0);
		assert_int_equal(sid_print(&read, text), strlen(good[i].text));
		assert_string_equal(text, good[i].text);
	}
}

static void what_is_no_sid_is_refused(void **state)
{
	static const char *const bad[] = {
	        "",
	        "S",
	        "S-1",
	        "S-1-",
	        "S-1-5",
	        "S-1-5-",
	        "S-2-5-1",
	        "S-1-5-21-",
	        "S-1-5--1",
	        "S-1-5-4294967296",
	        "S-1-5-01",
	        "S-1-5-1 ",
	        " S-1-5-1",
	        "S-1-5-+1",
	        "S-1-5-1-x",
	        "X-1-5-1",
	        "S-1-0x5-1",
	        "S-1-0x000000000005-1",
	        "S-1-4294967296-1",
	        "S-1-0x10000000000-1",
	        "S-1-0x1000000000000-1",
	        "S-1-5-99999999999",
	        "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16",
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct sid s;
		if (sid_parse(slice_str(bad[i]), &s))
			fail_msg("%s was accepted", bad[i]);
	}
	struct sid s;
	assert_false(sid_parse(SLICE("S-1-5-1\0"), &s));
}

static void the_longest_sid_fits_its_text(void **state)
{
	char bytes[SID_BYTES_MAX] = {1, SID_SUBS_MAX}, text[SID_TEXT_BYTES];
	struct sid s, again;
	memset(bytes + 2, 0xff, sizeof(bytes) - 2);
	assert_int_equal(sid_read(slice_of(bytes, sizeof(bytes)), &s), sizeof(bytes));
	assert_true(sid_print(&s, text) < SID_TEXT_BYTES);
	assert_true(sid_parse(slice_str(text), &again));
	assert_int_equal(sid_compare(&s, &again), 0);
}

static void cut_or_strange_bytes_are_no_sid(void **state)
{
	struct sid s;
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		for (size_t n = 0; n < good[i].bytes.len; n++)
			assert_int_equal(sid_read(slice_until(good[i].bytes, n), &s), 0);
	assert_int_equal(sid_read(SLICE("\2\1\0\0\0\0\0\5\22\0\0\0"), &s), 0); /* another revision */
	assert_int_equal(sid_read(SLICE("\1\0\0\0\0\0\0\5\22\0\0\0"), &s), 0); /* no sub-authority */
	char long_one[8 + 16 * 4] = {1, 16};
	assert_int_equal(sid_read(slice_of(long_one, sizeof(long_one)), &s), 0);
}

static struct sid sid_of(const char *text)
{
	struct sid s;
	assert_true(sid_parse(slice_str(text), &s));
	return s;
}

static void a_domain_knows_its_own_accounts_only(void **state)
{
	struct sid domain = sid_of("S-1-5-21-1-2-3"), user = sid_of("S-1-5-21-1-2-3-500"), made;
	assert_true(sid_with_rid(&domain, 500, &made));
	assert_int_equal(sid_compare(&made, &user), 0);
	assert_true(sid_is_of_domain(&user, &domain));
	static const char *const strangers[] = {"S-1-5-21-1-2-4-500", "S-1-5-21-1-2-3", "S-1-5-21-1-2-3-500-1",
	                                        "S-1-6-21-1-2-3-500", "S-1-5-32-544"};
	for (size_t i = 0; i < ARRAY_COUNT(strangers); i++) {
		struct sid other = sid_of(strangers[i]);
		assert_false(sid_is_of_domain(&other, &domain));
	}
	static const char *const no_domains[] = {"S-1-5-21-1-2", "S-1-5-32", "S-1-6-21-1-2-3", "S-1-5-277-1-2-3",
	                                         "S-1-5-22-1-2-3"};
	assert_true(sid_is_domain(&domain) && !sid_is_domain_object(&domain));
	assert_true(sid_is_domain_object(&user) && !sid_is_domain(&user));
	for (size_t i = 0; i < ARRAY_COUNT(no_domains); i++) {
		struct sid other = sid_of(no_domains[i]);
		assert_false(sid_is_domain(&other));
		assert_true(sid_with_rid(&other, 500, &other));
		assert_false(sid_is_domain_object(&other));
	}
	struct sid none = {0}, full = sid_of("S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15");
	assert_false(sid_is_domain(&none) || sid_is_domain_object(&none));
	assert_false(sid_with_rid(&none, 1, &made));
	assert_false(sid_with_rid(&full, 1, &made));
	assert_false(sid_is_of_domain(&none, &domain));
	assert_false(sid_is_of_domain(&user, &none));
}

static void a_sealed_set_is_sorted_and_survives_the_wire(void **state)
{
	struct sid_set set = {0}, again = {0};
	struct sid domain = sid_of("S-1-5-21-1-2-3");
	for (uint32_t i = 0; i < 1000; i++) {
		struct sid s;
		assert_true(sid_with_rid(&domain, i * 7919 % 500, &s)); /* each of 500 twice, in no order */
		assert_true(sid_set_add(&set, &s));
	}
	sid_set_seal(&set);
	assert_int_equal(set.count, 500);
	size_t n = sid_set_bytes(&set);
	char *wire = malloc(n);
	sid_set_write(&set, wire);
	assert_true(sid_set_is_valid(slice_of(wire, n), set.count));
	assert_true(sid_set_read(slice_of(wire, n), set.count, &again));
	assert_int_equal(again.count, 500);
	struct sid in, out;
	sid_with_rid(&domain, 499, &in);
	sid_with_rid(&domain, 500, &out);
	assert_true(sid_set_has(&again, &in));
	assert_false(sid_set_has(&again, &out));
	assert_false(sid_set_is_valid(slice_of(wire, n), 499));
	assert_false(sid_set_is_valid(slice_of(wire, n), 501));
	assert_false(sid_set_read(slice_of(wire, n - 1), 500, &again));
	assert_int_equal(again.count, 0);
	memmove(wire, wire + 28, 28); /* the first one is now the second again */
	assert_false(sid_set_is_valid(slice_of(wire, n), 500));
	free(wire);
	sid_set_done(&set);
	sid_set_done(&again);
}

/* The shorter one is first, whatever stands behind: it has fewer sub-authorities. */
static void members_of_different_length_have_an_order(void **state)
{
	struct sid some[] = {sid_of("S-1-5-11"), sid_of("S-1-5-32-544"), sid_of("S-1-5-21-1-2-3-500")};
	char wire[3 * SID_BYTES_MAX];
	for (size_t a = 0; a < ARRAY_COUNT(some); a++)
		for (size_t b = 0; b < ARRAY_COUNT(some); b++) {
			size_t n = sid_bytes(&some[a]);
			memcpy(wire, some[a].bytes, n);
			memcpy(wire + n, some[b].bytes, sid_bytes(&some[b]));
			struct slice both = slice_of(wire, n + sid_bytes(&some[b]));
			struct sid_set set = {0};
			assert_int_equal(sid_set_is_valid(both, 2), a < b);
			assert_int_equal(sid_set_read(both, 2, &set), a < b);
			assert_int_equal(set.count, a < b ? 2 : 0);
			assert_true(a >= b || (sid_compare(&set.at[0], &some[a]) == 0 && sid_set_has(&set, &some[b])));
			sid_set_done(&set);
		}
}

static void a_set_has_a_bound(void **state)
{
	struct sid_set set = {0};
	struct sid domain = sid_of("S-1-5-21-1-2-3"), s, none = {0};
	assert_false(sid_set_has(&set, &domain));
	assert_false(sid_set_add(&set, &none));
	for (uint32_t i = 0; i < SID_SET_MAX; i++) {
		sid_with_rid(&domain, i, &s);
		assert_true(sid_set_add(&set, &s));
	}
	assert_false(sid_set_add(&set, &domain));
	sid_set_done(&set);
	assert_false(sid_set_is_valid(SLICE(""), SID_SET_MAX + 1));
	assert_true(sid_set_is_valid(SLICE(""), 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(text_and_bytes_are_the_same_sid),
	        cmocka_unit_test(what_is_no_sid_is_refused),
	        cmocka_unit_test(the_longest_sid_fits_its_text),
	        cmocka_unit_test(cut_or_strange_bytes_are_no_sid),
	        cmocka_unit_test(a_domain_knows_its_own_accounts_only),
	        cmocka_unit_test(a_sealed_set_is_sorted_and_survives_the_wire),
	        cmocka_unit_test(members_of_different_length_have_an_order),
	        cmocka_unit_test(a_set_has_a_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
