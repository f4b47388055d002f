#include "bench/load_plan.h"

#include "core/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { DRAWS = 200000 };

static void exchange_calls_come_in_their_proportions(void **state)
{
	static const struct load_options o;
	struct load_profile p = load_profile_of(CALLER_EXCHANGE, &o);
	struct load_rng rng = load_rng_seed(7);
	unsigned seen[OP_COUNT] = {0};
	for (uint32_t i = 0; i < DRAWS; i++)
		seen[load_profile_next(&p, i, &rng)]++;
	unsigned others = DRAWS - seen[OP_ACQUIRE_LICENSE] - seen[OP_ACQUIRE_PRELICENSE];
	assert_in_range(seen[OP_ACQUIRE_LICENSE], DRAWS / 1000 * 845, DRAWS / 1000 * 855);
	assert_in_range(seen[OP_ACQUIRE_PRELICENSE], DRAWS / 1000 * 95, DRAWS / 1000 * 105);
	assert_in_range(others, DRAWS / 1000 * 45, DRAWS / 1000 * 55);
	assert_int_equal(seen[OP_NONE], 0);
	assert_int_equal(seen[OP_ACQUIRE_ISSUANCE_LICENSE], 0);
	assert_true(p.new_connections);
}

static void shares_of_each_mix_are_a_whole(void **state)
{
	static const struct load_options o;
	unsigned weights = 0;
	for (int c = CALLER_EXCHANGE; c < CALLER_COUNT; c++) {
		struct load_profile p = load_profile_of((enum load_caller)c, &o);
		unsigned sum = 0;
		for (size_t i = 0; i < LOAD_MIX_MAX; i++)
			sum += p.mix[i].share;
		assert_int_equal(sum, p.ends ? 0 : 1000);
		weights += p.weight;
	}
	assert_int_equal(weights, 100);
}

static void the_same_seed_draws_the_same_mix(void **state)
{
	static const struct load_options o;
	struct load_profile p = load_profile_of(CALLER_EXCHANGE, &o);
	struct load_rng a = load_rng_seed(5), b = load_rng_seed(5), c = load_rng_seed(6);
	unsigned differ = 0;
	for (uint32_t i = 0; i < 1000; i++) {
		enum rms_op_id op = load_profile_next(&p, i, &a);
		assert_int_equal(op, load_profile_next(&p, i, &b));
		differ += op != load_profile_next(&p, i, &c);
	}
	assert_true(differ > 100);
}

static void a_crawl_opens_and_then_acquires_licences(void **state)
{
	static const struct load_options o;
	struct load_profile p = load_profile_of(CALLER_SHAREPOINT, &o);
	static const enum rms_op_id opening[] = {OP_FIND_SERVICE_LOCATIONS_FOR_USER, OP_CERTIFY,
	                                         OP_GET_CLIENT_LICENSOR_CERT, OP_ACQUIRE_TEMPLATE_INFORMATION,
	                                         OP_ACQUIRE_TEMPLATES};
	struct load_rng rng = load_rng_seed(1);
	unsigned licences = 0;
	for (uint32_t i = 0; i < 1005; i++) {
		enum rms_op_id op = load_profile_next(&p, i, &rng);
		if (i < ARRAY_COUNT(opening))
			assert_int_equal(op, opening[i]);
		else
			licences += op == OP_ACQUIRE_LICENSE;
	}
	assert_true(licences > 950);
	assert_false(p.new_connections);
}

static void a_job_ends_after_its_opening(void **state)
{
	static const struct load_options o;
	struct load_profile p = load_profile_of(CALLER_FCI, &o);
	struct load_rng rng = load_rng_seed(1);
	for (uint32_t i = 0; i < p.opening_count; i++)
		assert_int_not_equal(load_profile_next(&p, i, &rng), OP_NONE);
	assert_int_equal(load_profile_next(&p, p.opening_count, &rng), OP_NONE);
	assert_true(p.ends);
	assert_true(load_profile_uses(&p, OP_CERTIFY));
	assert_false(load_profile_uses(&p, OP_ACQUIRE_LICENSE));
}

static void fixed_load_is_one_operation_of_one_size(void **state)
{
	struct load_options o = {.op = &rms_ops[OP_ACQUIRE_LICENSE], .sized = true, .request_bytes = 4096};
	struct load_profile p = load_profile_of(CALLER_FIXED, &o);
	struct load_rng rng = load_rng_seed(1);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(load_profile_next(&p, i, &rng), OP_ACQUIRE_LICENSE);
	struct load_size sizes[LOAD_SIZES_MAX];
	assert_int_equal(load_sizes_of(CALLER_FIXED, OP_ACQUIRE_LICENSE, &o, sizes), 1);
	assert_int_equal(sizes[0].request_bytes, 4096);
}

static void licence_requests_have_the_sizes_of_crypto_mode_2(void **state)
{
	static const struct load_options o;
	struct load_size sizes[LOAD_SIZES_MAX];
	size_t n = load_sizes_of(CALLER_EXCHANGE, OP_ACQUIRE_LICENSE, &o, sizes);
	assert_true(n > 1);
	for (size_t i = 0; i < n; i++)
		assert_in_range(sizes[i].request_bytes, 40 * 1024, 64 * 1024);
	n = load_sizes_of(CALLER_EXCHANGE, OP_ACQUIRE_PRELICENSE, &o, sizes);
	for (size_t i = 0; i < n; i++)
		assert_in_range(sizes[i].recipients, 1, 100);
}

static void an_even_schedule_has_no_drift(void **state)
{
	struct load_schedule s;
	load_schedule_start(&s, 1000000, 3000, 0, 1, false, 1);
	for (unsigned i = 0; i < 3000 * 60; i++) {
		usec_t ideal = 1000000 + (usec_t)i * 1000000 / 3000;
		usec_t due = load_schedule_due(&s);
		assert_true(due <= ideal + 1 && due + 1 >= ideal);
		load_schedule_advance(&s);
	}
}

static void threads_take_turns(void **state)
{
	struct load_schedule s[3];
	for (unsigned t = 0; t < 3; t++)
		load_schedule_start(&s[t], 500, 1000, t, 3, false, 1);
	for (unsigned i = 0; i < 300; i++) {
		usec_t due = load_schedule_due(&s[i % 3]);
		assert_in_range(due, 500 + i * 1000 - 1, 500 + i * 1000 + 1);
		load_schedule_advance(&s[i % 3]);
	}
}

static void random_gaps_have_the_rate_and_are_not_even(void **state)
{
	struct load_schedule s;
	load_schedule_start(&s, 0, 1000, 0, 1, true, 42);
	usec_t last = 0;
	unsigned shorter = 0;
	for (unsigned i = 0; i < 100000; i++) {
		usec_t due = load_schedule_due(&s);
		assert_true(due >= last);
		shorter += due - last < 500;
		last = due;
		load_schedule_advance(&s);
	}
	/* 100,000 gaps of a mean of 1 ms; 1 - e^-0.5 of them are shorter than half of it */
	assert_in_range(last, 98500000, 101500000);
	assert_in_range(shorter, 38300, 40400);
}

static void what_is_left_is_what_was_due_and_not_taken(void **state)
{
	struct load_schedule s;
	load_schedule_start(&s, 0, 100, 0, 1, false, 1);
	assert_int_equal(load_schedule_left(&s, 1000000), 100);
	for (int i = 0; i < 40; i++)
		load_schedule_advance(&s);
	assert_int_equal(load_schedule_left(&s, 1000000), 60);
	assert_int_equal(load_schedule_left(&s, 400000), 0);
	assert_int_equal(load_schedule_left(&s, 0), 0);
}

static void shares_add_up_and_nobody_gets_nothing(void **state)
{
	static const struct {
		unsigned total, weights[3], out[3];
	} cases[] = {
	        {100, {70, 20, 10}, {70, 20, 10}}, {16, {70, 20, 10}, {12, 3, 1}}, {3, {70, 20, 10}, {1, 1, 1}},
	        {4, {70, 20, 10}, {2, 1, 1}},      {10, {1, 1, 1}, {4, 3, 3}},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		unsigned out[3];
		load_share_out(cases[i].total, cases[i].weights, 3, out);
		for (int k = 0; k < 3; k++)
			assert_int_equal(out[k], cases[i].out[k]);
	}
	for (unsigned total = 3; total < 200; total++) {
		unsigned out[3], weights[] = {70, 20, 10};
		load_share_out(total, weights, 3, out);
		assert_int_equal(out[0] + out[1] + out[2], total);
		assert_true(out[0] && out[1] && out[2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(exchange_calls_come_in_their_proportions),
	        cmocka_unit_test(shares_of_each_mix_are_a_whole),
	        cmocka_unit_test(the_same_seed_draws_the_same_mix),
	        cmocka_unit_test(a_crawl_opens_and_then_acquires_licences),
	        cmocka_unit_test(a_job_ends_after_its_opening),
	        cmocka_unit_test(fixed_load_is_one_operation_of_one_size),
	        cmocka_unit_test(licence_requests_have_the_sizes_of_crypto_mode_2),
	        cmocka_unit_test(an_even_schedule_has_no_drift),
	        cmocka_unit_test(threads_take_turns),
	        cmocka_unit_test(random_gaps_have_the_rate_and_are_not_even),
	        cmocka_unit_test(what_is_left_is_what_was_due_and_not_taken),
	        cmocka_unit_test(shares_add_up_and_nobody_gets_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
