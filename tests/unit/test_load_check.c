#include "bench/load_check.h"

#include "core/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void rules_are_read(void **state)
{
	static const struct {
		const char *text;
		enum load_figure figure;
		double argument, limit;
		enum load_compare compare;
		enum rms_op_id op;
		bool is_percent;
	} cases[] = {
	        {"p99<50ms", FIGURE_PERCENTILE, 99, 50000, COMPARE_LESS, OP_NONE, false},
	        {"p99.9 <= 1.5s", FIGURE_PERCENTILE, 99.9, 1500000, COMPARE_AT_MOST, OP_NONE, false},
	        {"p50<800us", FIGURE_PERCENTILE, 50, 800, COMPARE_LESS, OP_NONE, false},
	        {"max<2s", FIGURE_MAX, 0, 2000000, COMPARE_LESS, OP_NONE, false},
	        {"errors<0.1%", FIGURE_ERRORS, 0, 0.1, COMPARE_LESS, OP_NONE, true},
	        {"errors=0", FIGURE_ERRORS, 0, 0, COMPARE_EQUAL, OP_NONE, false},
	        {"rate>1000", FIGURE_RATE, 0, 1000, COMPARE_MORE, OP_NONE, false},
	        {"rate>=1000/s", FIGURE_RATE, 0, 1000, COMPARE_AT_LEAST, OP_NONE, false},
	        {"AcquireLicense.p50<5ms", FIGURE_PERCENTILE, 50, 5000, COMPARE_LESS, OP_ACQUIRE_LICENSE, false},
	        {"GetServerInfo.errors==0", FIGURE_ERRORS, 0, 0, COMPARE_EQUAL, OP_GET_SERVER_INFO, false},
	        {"status.429<5%", FIGURE_STATUS, 429, 5, COMPARE_LESS, OP_NONE, true},
	        {"status.5xx==0", FIGURE_STATUS, 5, 0, COMPARE_EQUAL, OP_NONE, false},
	        {"final==0", FIGURE_FINAL, 0, 0, COMPARE_EQUAL, OP_NONE, false},
	        {"verified>=10", FIGURE_VERIFIED, 0, 10, COMPARE_AT_LEAST, OP_NONE, false},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct load_check c;
		char words[256] = "";
		if (!load_check_parse(&c, cases[i].text, words, sizeof(words)))
			fail_msg("%s: %s", cases[i].text, words);
		assert_int_equal(c.figure, cases[i].figure);
		assert_true(c.argument == cases[i].argument);
		assert_true(c.limit > cases[i].limit - 1e-6 && c.limit < cases[i].limit + 1e-6);
		assert_int_equal(c.compare, cases[i].compare);
		assert_int_equal(c.op, cases[i].op);
		assert_int_equal(c.is_percent, cases[i].is_percent);
	}
}

static void rules_that_mean_nothing_are_refused_with_words(void **state)
{
	static const struct {
		const char *text, *word;
	} cases[] = {
	        {"", "comparison"},
	        {"p99", "comparison"},
	        {"p99<", "number"},
	        {"p99<50", "unit"},
	        {"p99<50%", "unit"},
	        {"p99<50 parsecs", "unit"},
	        {"p101<5ms", "no figure"},
	        {"p0<5ms", "no figure"},
	        {"speed>5", "no figure"},
	        {"errors<5ms", "count"},
	        {"errors<-1", "number"},
	        {"rate>5%", "rate"},
	        {"status.42<1", "no figure"},
	        {"status.999<1", "no figure"},
	        {"Nothing.p99<5ms", "no figure"},
	        {"AcquireLicense.late<5", "whole run"},
	        {"errors<1e3", "count"},
	        {"errors<1.2.3", "number"},
	        {"p99<nan", "number"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct load_check c;
		char words[512] = "";
		if (load_check_parse(&c, cases[i].text, words, sizeof(words)))
			fail_msg("'%s' was taken", cases[i].text);
		if (!strstr(words, cases[i].word))
			fail_msg("'%s': no '%s' in: %s", cases[i].text, cases[i].word, words);
	}
}

static bool holds(const char *rule, double value, double requests)
{
	struct load_check c;
	char words[256];
	assert_true(load_check_parse(&c, rule, words, sizeof(words)));
	return load_check_holds(&c, value, requests);
}

static void rules_compare_as_they_say(void **state)
{
	assert_true(holds("p99<50ms", 49999, 10));
	assert_false(holds("p99<50ms", 50000, 10));
	assert_true(holds("p99<=50ms", 50000, 10));
	assert_true(holds("errors<0.1%", 0, 1000));
	assert_true(holds("errors<=0.1%", 1, 1000));
	assert_false(holds("errors<0.1%", 1, 1000));
	assert_true(holds("rate>1000", 1000.5, 1));
	assert_false(holds("rate>1000", 1000, 1));
	assert_true(holds("errors=0", 0, 1));
	assert_false(holds("errors=0", 1, 1));
}

static void nothing_measured_is_neither_fast_nor_free_of_errors(void **state)
{
	assert_false(holds("p99<50ms", 0, 0));
	assert_false(holds("errors<1%", 0, 0));
	assert_true(holds("errors==0", 0, 0));
	assert_false(holds("requests>0", 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(rules_are_read),
	        cmocka_unit_test(rules_that_mean_nothing_are_refused_with_words),
	        cmocka_unit_test(rules_compare_as_they_say),
	        cmocka_unit_test(nothing_measured_is_neither_fast_nor_free_of_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
