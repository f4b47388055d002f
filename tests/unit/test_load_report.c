#include "bench/load_report.h"

#include "core/base/check.h"

#include <jansson.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct load_options options;
static struct load_stats one, two;
static struct load_results results;

static void fill(struct load_stats *s, enum rms_op_id op, unsigned good, usec_t us)
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < good; i++) {
		histogram_add(&s->rows[CALLER_EXCHANGE][op].latency, us);
		histogram_add(&s->nodes[0].latency, us);
		histogram_add(&s->total.latency, us);
	}
	s->status[200] = good;
	s->effects[EFFECT_OK] = good;
}

static int setup(void **state)
{
	memset(&options, 0, sizeof(options));
	options.target_count = 1;
	snprintf(options.targets[0].url, sizeof(options.targets[0].url), "http://127.0.0.1:8080");
	fill(&one, OP_ACQUIRE_LICENSE, 900, 2000);
	fill(&two, OP_CERTIFY, 90, 8000);
	two.total.errors = two.rows[CALLER_EXCHANGE][OP_CERTIFY].errors = two.nodes[0].errors = 10;
	two.status[429] = 6;
	two.errors[LOAD_ERROR_RESET] = 4;
	two.effects[EFFECT_DEFERRED] = 10;
	load_stats_reason(&two, SLICE("overload"));
	load_stats_reason(&one, SLICE("overload"));
	load_stats_reason(&one, SLICE("overload"));
	load_stats_reason(&one, SLICE("draining"));
	memset(&results, 0, sizeof(results));
	results.options = &options;
	results.seconds = 10;
	load_stats_merge(&results.stats, &one);
	load_stats_merge(&results.stats, &two);
	return 0;
}

static void workers_add_up(void **state)
{
	const struct load_stats *s = &results.stats;
	assert_int_equal(s->total.latency.count, 990);
	assert_int_equal(load_tally_requests(&s->total), 1000);
	assert_int_equal(s->status[200], 990);
	assert_int_equal(s->errors[LOAD_ERROR_RESET], 4);
	assert_string_equal(s->reasons[0].text, "overload");
	assert_int_equal(s->reasons[0].count, 3);
	assert_string_equal(s->reasons[1].text, "draining");
	assert_int_equal(s->reasons[1].count, 1);
}

static double figure(const char *rule)
{
	struct load_check c;
	char words[256];
	assert_true(load_check_parse(&c, rule, words, sizeof(words)));
	return load_results_figure(&results, &c);
}

static void rules_see_the_figures_they_name(void **state)
{
	results.stats.verified.wrong = 2;
	assert_true(figure("requests>0") == 1000);
	assert_true(figure("rate>0") == 99);
	assert_true(figure("errors>0") == 12); /* a wrong answer is an error too */
	assert_true(figure("Certify.errors>0") == 10);
	assert_true(figure("AcquireLicense.errors>0") == 0);
	assert_true(figure("status.429>0") == 6);
	assert_true(figure("status.4xx>0") == 6);
	assert_true(figure("status.2xx>0") == 990);
	assert_true(figure("deferred>0") == 10);
	assert_true(figure("wrong>0") == 2);
	assert_true(figure("p50<1s") > 1960 && figure("p50<1s") < 2040);
	assert_true(figure("Certify.p50<1s") > 7840 && figure("Certify.p50<1s") < 8160);
	assert_true(figure("max<1s") == 8000);
	assert_true(figure("AcquireLicense.max<1s") == 2000);
}

static void words_hold_what_matters(void **state)
{
	char words[256];
	options.check_count = 2;
	assert_true(load_check_parse(&options.checks[0], "p99<5ms", words, sizeof(words)));
	assert_true(load_check_parse(&options.checks[1], "errors<=1%", words, sizeof(words)));
	results.interrupted = true;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	load_report_print(out, &results);
	fclose(out);
	static const char *const wanted[] = {"exchange AcquireLicense",
	                                     "exchange Certify",
	                                     "429: 6",
	                                     "connection reset: 4",
	                                     "overload: 3",
	                                     "1,000",
	                                     "p99<5ms: FAILED (",
	                                     "errors<=1%: holds (1 %)",
	                                     "99.0 good answers/s",
	                                     "ended early"};
	for (size_t i = 0; i < ARRAY_COUNT(wanted); i++)
		if (!strstr(text, wanted[i]))
			fail_msg("no '%s' in:\n%s", wanted[i], text);
	free(text);
}

static void json_holds_everything(void **state)
{
	struct load_second seconds[] = {{100, 1, 2000, 3000, 4000}, {101, 0, 2000, 3000, 4000}};
	results.series = seconds;
	results.series_count = 2;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	assert_true(load_report_write_json(out, &results));
	fclose(out);
	json_error_t problem;
	json_t *j = json_loads(text, 0, &problem);
	assert_non_null(j);
	assert_int_equal(json_integer_value(json_object_get(j, "completed")), 990);
	assert_int_equal(json_integer_value(json_object_get(j, "errors")), 10);
	json_int_t requests, reset, certify;
	assert_int_equal(json_unpack(j, "{s:{s:I},s:{s:I},s:{s:{s:{s:I}}}}", "total", "requests", &requests,
	                             "errors_by_kind", "reset", &reset, "callers", "exchange", "Certify", "errors",
	                             &certify),
	                 0);
	assert_int_equal(requests, 1000);
	assert_int_equal(reset, 4);
	assert_int_equal(certify, 10);
	assert_int_equal(json_array_size(json_object_get(j, "by_second")), 2);
	uint64_t sum = 0;
	size_t i;
	json_t *bucket;
	json_array_foreach(json_object_get(j, "histogram_us"), i, bucket) sum +=
	        (uint64_t)json_integer_value(json_array_get(bucket, 2));
	assert_int_equal(sum, 990);
	json_decref(j);
	free(text);
}

static void effects_are_those_that_exchange_has(void **state)
{
	static const struct {
		unsigned status;
		bool soap;
		enum err_effect effect;
	} cases[] = {
	        {200, true, EFFECT_OK},        {302, false, EFFECT_FINAL},    {400, false, EFFECT_DEFERRED},
	        {401, false, EFFECT_FINAL},    {403, true, EFFECT_FINAL},     {404, false, EFFECT_FINAL},
	        {408, false, EFFECT_DEFERRED}, {413, false, EFFECT_DEFERRED}, {429, false, EFFECT_DEFERRED},
	        {500, false, EFFECT_DEFERRED}, {500, true, EFFECT_FINAL},     {502, false, EFFECT_FINAL},
	        {503, false, EFFECT_FINAL},    {504, false, EFFECT_FINAL},    {501, false, EFFECT_DEFERRED},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(load_status_effect(cases[i].status, cases[i].soap), cases[i].effect);
}

static void times_and_counts_are_short(void **state)
{
	char time[16], count[32];
	assert_string_equal(load_time_text(0, time), "0 us");
	assert_string_equal(load_time_text(999, time), "999 us");
	assert_string_equal(load_time_text(1234, time), "1.23 ms");
	assert_string_equal(load_time_text(12345, time), "12.3 ms");
	assert_string_equal(load_time_text(123456, time), "123 ms");
	assert_string_equal(load_time_text(1234567, time), "1.23 s");
	assert_string_equal(load_count_text(0, count), "0");
	assert_string_equal(load_count_text(999, count), "999");
	assert_string_equal(load_count_text(1000, count), "1,000");
	assert_string_equal(load_count_text(12345678, count), "12,345,678");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(workers_add_up, setup),
	        cmocka_unit_test_setup(rules_see_the_figures_they_name, setup),
	        cmocka_unit_test_setup(words_hold_what_matters, setup),
	        cmocka_unit_test_setup(json_holds_everything, setup),
	        cmocka_unit_test(effects_are_those_that_exchange_has),
	        cmocka_unit_test(times_and_counts_are_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
