#include "core/base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void buckets_join_without_gaps(void **state)
{
	usec_t expected = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		usec_t low = histogram_bucket_low(i), width = histogram_bucket_width(i);
		assert_int_equal(low, expected);
		assert_int_equal(histogram_bucket_of(low), i);
		assert_int_equal(histogram_bucket_of(low + width - 1), i);
		/* the middle is within 1.6 % of every value of the bucket */
		if (low >= 64)
			assert_true((double)(width / 2) <= (double)low * 0.016);
		else
			assert_int_equal(width, 1);
		expected = low + width;
	}
	assert_int_equal(expected, (usec_t)1 << HISTOGRAM_TOP_BIT);
	assert_true(expected > 4ull * 3600 * 1000000);
	assert_int_equal(histogram_bucket_of(expected), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(histogram_bucket_of(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
	assert_true(sizeof(struct histogram) <= 8192);
}

static int by_value(const void *a, const void *b)
{
	usec_t x = *(const usec_t *)a, y = *(const usec_t *)b;
	return (x > y) - (x < y);
}

/* Against a sorted array: values over seven decades from a fixed generator. */
static void percentiles_are_those_of_the_sorted_values(void **state)
{
	enum { N = 20011 };
	static usec_t values[N];
	struct histogram *h = calloc(1, sizeof(*h));
	uint64_t seed = 12345, sum = 0;
	for (size_t i = 0; i < N; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		values[i] = (seed >> 33) >> (seed >> 20) % 24;
		sum += values[i];
		histogram_add(h, values[i]);
	}
	qsort(values, N, sizeof(values[0]), by_value);
	static const double percents[] = {0.1, 1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99};
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		double exact = percents[i] / 100 * N;
		size_t rank = (size_t)exact + ((double)(size_t)exact < exact);
		double want = (double)values[rank - 1], got = (double)histogram_percentile(h, percents[i]);
		assert_true(got >= want * 0.984 - 1 && got <= want * 1.016 + 1);
	}
	assert_int_equal(histogram_percentile(h, 0), values[0]);
	assert_int_equal(histogram_percentile(h, 100), values[N - 1]);
	assert_int_equal(h->count, N);
	assert_int_equal(h->sum, sum);
	assert_int_equal(h->min, values[0]);
	assert_int_equal(h->max, values[N - 1]);
	assert_true(histogram_mean(h) > (double)sum / N - 0.01 && histogram_mean(h) < (double)sum / N + 0.01);
	free(h);
}

static void one_value_is_told_exactly(void **state)
{
	struct histogram *h = calloc(1, sizeof(*h));
	assert_int_equal(histogram_percentile(h, 50), 0);
	histogram_add(h, 123457);
	for (double p = 0; p <= 100; p += 12.5)
		assert_int_equal(histogram_percentile(h, p), 123457);
	histogram_add(h, 200 * 3600ull * 1000000); /* beyond the buckets */
	assert_int_equal(histogram_percentile(h, 99), 200 * 3600ull * 1000000);
	free(h);
}

static void merging_equals_adding_to_one(void **state)
{
	struct histogram *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b)), *both = calloc(1, sizeof(*both));
	for (usec_t v = 1; v < 3000000; v = v * 5 / 4 + 1) {
		histogram_add(v % 2 ? a : b, v);
		histogram_add(both, v);
	}
	struct histogram *sum = calloc(1, sizeof(*sum));
	histogram_merge(sum, a);
	histogram_merge(sum, b);
	assert_memory_equal(sum, both, sizeof(*sum));
	histogram_clear(a);
	histogram_merge(sum, a); /* an empty one has no minimum to give */
	assert_memory_equal(sum, both, sizeof(*sum));
	free(a);
	free(b);
	free(both);
	free(sum);
}

static void iterating_sees_every_value_once_in_order(void **state)
{
	struct histogram *h = calloc(1, sizeof(*h));
	static const usec_t values[] = {0, 5, 5, 64, 65, 1000, 1000000};
	for (size_t i = 0; i < 7; i++)
		histogram_add(h, values[i]);
	size_t seen = 0;
	for (struct histogram_bucket b = {0}; histogram_next(h, &b);) {
		for (uint64_t k = 0; k < b.count; k++, seen++)
			assert_true(values[seen] >= b.low && values[seen] < b.low + b.width);
		assert_int_equal(b.so_far, seen);
	}
	assert_int_equal(seen, 7);
	assert_int_equal(histogram_count_to(h, 63), 3);
	assert_int_equal(histogram_count_to(h, 1016), 6);
	assert_int_equal(histogram_count_to(h, 3600ull * 1000000), 7);
	free(h);
}

/* A closed loop that sends each 1 ms meets one stall of 100 ms: 99 requests were never sent, and would have waited 99, 98, ... ms. */
static void a_stall_counts_for_the_requests_it_hid(void **state)
{
	struct histogram *h = calloc(1, sizeof(*h)), *later = calloc(1, sizeof(*later)),
	                 *plain = calloc(1, sizeof(*plain));
	for (int i = 0; i < 900; i++)
		histogram_add_corrected(h, 200, 1000);
	histogram_add_corrected(h, 100000, 1000);
	assert_int_equal(h->count, 1000);
	assert_in_range(histogram_percentile(h, 90), 200, 205);
	assert_in_range(histogram_percentile(h, 95), 49000, 51000);
	assert_in_range(histogram_percentile(h, 99), 88500, 91500);
	histogram_add_many(plain, 200, 900);
	histogram_add(plain, 100000);
	assert_in_range(histogram_percentile(plain, 99), 200, 205); /* uncorrected, the stall does not show */
	histogram_merge_corrected(later, plain, 1000);
	assert_in_range(later->count, 999, 1001);
	assert_in_range(histogram_percentile(later, 95), 49000, 51000);
	histogram_clear(h);
	histogram_add_corrected(h, 100000, 0); /* no interval, no correction */
	assert_int_equal(h->count, 1);
	free(h);
	free(later);
	free(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(buckets_join_without_gaps),
	        cmocka_unit_test(percentiles_are_those_of_the_sorted_values),
	        cmocka_unit_test(one_value_is_told_exactly),
	        cmocka_unit_test(merging_equals_adding_to_one),
	        cmocka_unit_test(iterating_sees_every_value_once_in_order),
	        cmocka_unit_test(a_stall_counts_for_the_requests_it_hid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
