#include "core/base/json_line.h"
#include "core/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static char buffer[4096];

/* The object with one text member, in a buffer of cap bytes. */
static const char *line_of(struct slice value, size_t cap)
{
	static char line[sizeof(buffer) + 1];
	struct json_line j;
	memset(buffer, '#', sizeof(buffer));
	json_line_begin(&j, buffer, cap);
	json_line_text(&j, "k", value);
	size_t n = json_line_end(&j);
	assert_true(n <= cap);
	for (size_t i = cap; i < sizeof(buffer); i++)
		assert_int_equal(buffer[i], '#');
	memcpy(line, buffer, n);
	line[n] = 0;
	return line;
}

static const struct {
	struct slice value;
	const char *json;
} texts[] = {
        {SLICE(""), "\"\""},
        {SLICE("plain"), "\"plain\""},
        {SLICE("CORP\\exch$"), "\"CORP\\\\exch$\""},
        {SLICE("say \"x\""), "\"say \\\"x\\\"\""},
        {SLICE("a\nb\rc\td"), "\"a\\nb\\rc\\td\""},
        {SLICE("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\\u007f\""},
        {SLICE("\x1b[31mred"), "\"\\u001b[31mred\""},
        {SLICE("M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80"), "\"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {SLICE("\xc2\x85\xc2\x9f\xc2\xa0"), "\"\\u0085\\u009f\xc2\xa0\""},
        /* not UTF-8: lone continuation, overlong, surrogate, beyond U+10FFFF, cut short */
        {SLICE("\x80"), "\"\\ufffd\""},
        {SLICE("\xc0\xaf"), "\"\\ufffd\\ufffd\""},
        {SLICE("\xe0\x80\xaf"), "\"\\ufffd\\ufffd\\ufffd\""},
        {SLICE("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\""},
        {SLICE("\xf4\x90\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
        {SLICE("\xff\xfe"), "\"\\ufffd\\ufffd\""},
        {SLICE("\xe2\x82"), "\"\\ufffd\\ufffd\""},
        {SLICE("\xe2\x82z"), "\"\\ufffd\\ufffdz\""},
};

static void texts_are_escaped(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		char want[128];
		snprintf(want, sizeof(want), "{\"k\":%s}\n", texts[i].json);
		assert_string_equal(line_of(texts[i].value, sizeof(buffer)), want);
	}
}

static void members_are_written_in_order(void **state)
{
	struct json_line j;
	json_line_begin(&j, buffer, sizeof(buffer));
	json_line_u64(&j, "a", 0);
	json_line_u64(&j, "b", UINT64_MAX);
	json_line_i64(&j, "c", INT64_MIN);
	json_line_i64(&j, "d", -1);
	json_line_ms(&j, "e", 0);
	json_line_ms(&j, "f", 7);
	json_line_ms(&j, "g", 12345678);
	json_line_bool(&j, "h", true);
	json_line_time(&j, "i", 1763800000123456ull);
	size_t n = json_line_end(&j);
	buffer[n] = 0;
	assert_string_equal(buffer,
	                    "{\"a\":0,\"b\":18446744073709551615,\"c\":-9223372036854775808,\"d\":-1,\"e\":0.000,"
	                    "\"f\":0.007,\"g\":12345.678,\"h\":true,\"i\":\"2025-11-22T08:26:40.123Z\"}\n");
}

static void numbers_of_every_length_are_right(void **state)
{
	for (uint64_t v = 1, i = 0; i < 20; i++, v = v * 10 + i % 10) {
		char want[64];
		struct json_line j;
		json_line_begin(&j, buffer, sizeof(buffer));
		json_line_u64(&j, "n", v);
		buffer[json_line_end(&j)] = 0;
		snprintf(want, sizeof(want), "{\"n\":%llu}\n", (unsigned long long)v);
		assert_string_equal(buffer, want);
	}
}

static void an_empty_object_is_an_object(void **state)
{
	struct json_line j;
	json_line_begin(&j, buffer, JSON_LINE_MIN_BYTES);
	assert_int_equal(json_line_end(&j), 3);
	assert_memory_equal(buffer, "{}\n", 3);
}

static void a_value_too_long_is_cut_and_says_so(void **state)
{
	assert_string_equal(
	        line_of(SLICE("0123456789012345678901234567890123456789012345678901234567890123456789"), 64),
	        "{\"k\":\"01234567890123456789012345678901234567890...\",\"cut\":true}\n");
}

/* Whatever is cut, and wherever: the line is one JSON object that ends with a newline, within its bounds. */
static void every_cut_leaves_valid_json(void **state)
{
	static const char nasty[] = "a\"b\\c\n\x01\xe2\x82\xac\xf0\x9f\x98\x80\xff\xc3";
	for (size_t cap = JSON_LINE_MIN_BYTES; cap < 200; cap++)
		for (size_t skip = 0; skip < 8; skip++) {
			struct json_line j;
			memset(buffer, '#', sizeof(buffer));
			json_line_begin(&j, buffer, cap);
			for (int i = 0; i < 12; i++) {
				char key[16];
				snprintf(key, sizeof(key), "key%d", i);
				json_line_text(&j, key, slice_of(nasty + skip, sizeof(nasty) - 1 - skip));
				json_line_u64(&j, "number", 1234567890);
			}
			size_t n = json_line_end(&j);
			assert_true(n <= cap);
			assert_int_equal(buffer[n - 1], '\n');
			assert_int_equal(buffer[cap], '#');
			json_error_t why;
			json_t *parsed = json_loadb(buffer, n, 0, &why);
			assert_non_null(parsed);
			assert_true(json_is_object(parsed));
			assert_true(json_is_true(json_object_get(parsed, "cut")));
			json_decref(parsed);
		}
}

static void what_does_not_fit_is_left_out_whole(void **state)
{
	struct json_line j;
	json_line_begin(&j, buffer, 64);
	json_line_text(&j, "a_key_that_is_far_too_long_for_such_a_small_buffer_to_hold", SLICE("x"));
	json_line_u64(&j, "b", 5);
	size_t n = json_line_end(&j);
	assert_true(slice_equal(slice_of(buffer, n), SLICE("{\"b\":5,\"cut\":true}\n")));
	json_line_begin(&j, buffer, 64);
	json_line_text(&j, "a_key_that_is_far_too_long_for_such_a_small_buffer_to_hold", SLICE("x"));
	n = json_line_end(&j);
	assert_true(slice_equal(slice_of(buffer, n), SLICE("{\"cut\":true}\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(texts_are_escaped),
	        cmocka_unit_test(members_are_written_in_order),
	        cmocka_unit_test(numbers_of_every_length_are_right),
	        cmocka_unit_test(an_empty_object_is_an_object),
	        cmocka_unit_test(a_value_too_long_is_cut_and_says_so),
	        cmocka_unit_test(every_cut_leaves_valid_json),
	        cmocka_unit_test(what_does_not_fit_is_left_out_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
