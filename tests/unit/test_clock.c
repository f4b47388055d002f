#include "core/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void times_are_utc_with_milliseconds(void **state)
{
	static const struct {
		usec_t wall;
		const char *text;
	} rows[] = {
	        {0, "1970-01-01T00:00:00.000Z"},
	        {999999, "1970-01-01T00:00:00.999Z"},
	        {1000000, "1970-01-01T00:00:01.000Z"},
	        {951782399999000, "2000-02-28T23:59:59.999Z"},
	        {951782400000000, "2000-02-29T00:00:00.000Z"},
	        {1763800000123456, "2025-11-22T08:26:40.123Z"},
	        {1763800000987654, "2025-11-22T08:26:40.987Z"}, /* the same second once more */
	        {1763799999000000, "2025-11-22T08:26:39.000Z"}, /* a clock set back */
	        {253402300799999999, "9999-12-31T23:59:59.999Z"},
	        {0, "1970-01-01T00:00:00.000Z"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[25];
		clock_format(rows[i].wall, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void any_number_gives_twenty_four_bytes(void **state)
{
	static const usec_t odd[] = {UINT64_MAX, UINT64_MAX / 2, 253402300800000000, 1};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		char text[26] = "#########################";
		clock_format(odd[i], text);
		assert_int_equal(strlen(text), 24);
		assert_int_equal(text[25], 0); /* nothing behind it was touched */
	}
}

static usec_t fixed(void)
{
	return 42;
}

static void the_monotonic_clock_can_be_replaced(void **state)
{
	usec_t before = clock_now();
	clock_replace(fixed);
	assert_int_equal(clock_now(), 42);
	clock_replace(NULL);
	assert_true(clock_now() >= before);
	assert_true(clock_wall() > 1700000000000000ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(times_are_utc_with_milliseconds),
	        cmocka_unit_test(any_number_gives_twenty_four_bytes),
	        cmocka_unit_test(the_monotonic_clock_can_be_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
