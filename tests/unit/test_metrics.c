/* K04: every series exists from the start. */
#include "core/base/metrics.h"
#include "core/base/err.h"

#include <ctype.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const ops[] = {"certify", "acquire_license", "none"};

static int set_up(void **state)
{
	metric_labels(METRIC_LABEL_OP, ops, 3);
	return 0;
}

static void every_series_is_zero_at_start(void **state) /* K04 */
{
	struct metric_block *b = metric_block_new();
	unsigned series = 0;
	for (unsigned id = 0; id < METRIC_COUNT; id++) {
		const struct metric_row *row = metric_row(id);
		for (unsigned x = 0; x < metric_label_count(row->a); x++)
			for (unsigned y = 0; y < metric_label_count(row->b); y++, series++) {
				struct histogram *h = calloc(1, sizeof(*h));
				if (row->kind == METRIC_TIMER)
					metric_sum_timer(&b, 1, id, x, y, h);
				else
					assert_int_equal(metric_sum(&b, 1, id, x, y), 0);
				assert_int_equal(h->count, 0);
				free(h);
			}
	}
	assert_true(series > METRIC_COUNT);
	metric_block_free(b);
	metric_block_free(NULL);
}

/* Calls fn for every series of counters and gauges, with a number of its own. */
static void each_cell(struct metric_block *b,
                      void (*fn)(struct metric_block *b, unsigned id, unsigned x, unsigned y, int64_t n))
{
	int64_t n = 0;
	for (unsigned id = 0; id < METRIC_COUNT; id++) {
		const struct metric_row *row = metric_row(id);
		for (unsigned x = 0; row->kind != METRIC_TIMER && x < metric_label_count(row->a); x++)
			for (unsigned y = 0; y < metric_label_count(row->b); y++)
				fn(b, id, x, y, ++n);
	}
}

static void put_number(struct metric_block *b, unsigned id, unsigned x, unsigned y, int64_t n)
{
	metric_set(b, id, x, y, n);
}

static void look_for_number(struct metric_block *b, unsigned id, unsigned x, unsigned y, int64_t n)
{
	assert_int_equal(metric_sum(&b, 1, id, x, y), n);
}

static void cells_do_not_overlap(void **state)
{
	struct metric_block *b = metric_block_new();
	each_cell(b, put_number);
	each_cell(b, look_for_number);
	metric_block_free(b);
}

static void blocks_are_summed(void **state)
{
	struct metric_block *b[3] = {metric_block_new(), metric_block_new(), metric_block_new()};
	metric_add(b[0], METRIC_requests, 1, EFFECT_OK, 5);
	metric_add(b[1], METRIC_requests, 1, EFFECT_OK, 7);
	metric_add(b[2], METRIC_requests, 2, EFFECT_FINAL, 1);
	assert_int_equal(metric_sum(b, 3, METRIC_requests, 1, EFFECT_OK), 12);
	assert_int_equal(metric_sum(b, 3, METRIC_requests, 2, EFFECT_FINAL), 1);
	assert_int_equal(metric_sum(b, 3, METRIC_requests, 0, EFFECT_OK), 0);
	metric_add(b[0], METRIC_client_connections_open, 0, 0, 3);
	metric_add(b[1], METRIC_client_connections_open, 0, 0, -1); /* a gauge may sink below zero in one block */
	assert_int_equal(metric_sum(b, 3, METRIC_client_connections_open, 0, 0), 2);
	metric_time(b[0], METRIC_service_time, 1, EFFECT_OK, 1000);
	metric_time(b[2], METRIC_service_time, 1, EFFECT_OK, 3000);
	struct histogram *h = calloc(1, sizeof(*h));
	metric_sum_timer(b, 3, METRIC_service_time, 1, EFFECT_OK, h);
	assert_int_equal(h->count, 2);
	assert_int_equal(h->sum, 4000);
	free(h);
	for (int i = 0; i < 3; i++)
		metric_block_free(b[i]);
}

static void names_are_prometheus_names(void **state)
{
	assert_string_equal(metric_row(METRIC_requests)->name, "rms_connector_requests_total");
	assert_string_equal(metric_row(METRIC_service_time)->name, "rms_connector_service_time_seconds");
	assert_string_equal(metric_row(METRIC_held)->name, "rms_connector_held_bytes");
	assert_string_equal(metric_row(METRIC_client_connections_open)->name, "rms_connector_client_connections_open");
	for (unsigned id = 0; id < METRIC_COUNT; id++) {
		const struct metric_row *row = metric_row(id);
		for (const char *c = row->name; *c; c++)
			assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
		for (unsigned other = 0; other < id; other++)
			assert_string_not_equal(row->name, metric_row(other)->name);
		assert_true((row->kind == METRIC_TIMER) == (strcmp(row->unit, "seconds") == 0));
		assert_true(row->a != METRIC_LABEL_NONE || row->b == METRIC_LABEL_NONE);
		assert_false(row->a == row->b && row->a != METRIC_LABEL_NONE);
	}
}

static void labels_have_names_and_values(void **state)
{
	assert_string_equal(metric_label_name(METRIC_LABEL_OP), "operation");
	assert_string_equal(metric_label_value(METRIC_LABEL_OP, 1), "acquire_license");
	assert_int_equal(metric_label_count(METRIC_LABEL_ERROR), ERR_COUNT);
	assert_string_equal(metric_label_value(METRIC_LABEL_ERROR, ERR_HEAD_MALFORMED), "head_malformed");
	assert_int_equal(metric_label_count(METRIC_LABEL_EFFECT), EFFECT_COUNT);
	assert_string_equal(metric_label_value(METRIC_LABEL_EFFECT, EFFECT_DEFERRED), "deferred");
	assert_int_equal(metric_label_count(METRIC_LABEL_STATE), METRIC_STATE_COUNT);
	assert_string_equal(metric_label_value(METRIC_LABEL_STATE, METRIC_STATE_LEASED), "leased");
	assert_int_equal(metric_label_count(METRIC_LABEL_NONE), 1);
	assert_int_equal(metric_label_count(METRIC_LABEL_LISTENER), 1); /* nobody gave values */
}

enum { TIMES = 200000 };

static void *write_much(void *arg)
{
	struct metric_block *b = arg;
	for (int i = 0; i < TIMES; i++) {
		metric_add(b, METRIC_requests, 0, EFFECT_OK, 1);
		metric_time(b, METRIC_connector_time, 0, EFFECT_OK, (usec_t)i);
	}
	return NULL;
}

/* For the thread sanitizer; and a reader never sees a histogram that contradicts itself. */
static void reading_while_others_write_is_harmless(void **state)
{
	struct metric_block *b[2] = {metric_block_new(), metric_block_new()};
	pthread_t threads[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, write_much, b[i]);
	struct histogram *h = calloc(1, sizeof(*h));
	int64_t last = 0;
	while (last < 2 * TIMES) {
		int64_t now = metric_sum(b, 2, METRIC_requests, 0, EFFECT_OK);
		assert_true(now >= last);
		last = now;
		histogram_clear(h);
		metric_sum_timer(b, 2, METRIC_connector_time, 0, EFFECT_OK, h);
		uint64_t in_buckets = 0;
		for (struct histogram_bucket bucket = {0}; histogram_next(h, &bucket);)
			in_buckets = bucket.so_far;
		assert_int_equal(h->count, in_buckets);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	histogram_clear(h);
	metric_sum_timer(b, 2, METRIC_connector_time, 0, EFFECT_OK, h);
	assert_int_equal(h->count, 2 * TIMES);
	free(h);
	metric_block_free(b[0]);
	metric_block_free(b[1]);
}

static void an_idle_block_is_small(void **state)
{
	const struct metric_place *last = &metric_places[METRIC_COUNT - 1];
	assert_true((last->base + last->a_count * last->b_count) * sizeof(union metric_cell) < 16 * 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_series_is_zero_at_start),
	        cmocka_unit_test(cells_do_not_overlap),
	        cmocka_unit_test(blocks_are_summed),
	        cmocka_unit_test(names_are_prometheus_names),
	        cmocka_unit_test(labels_have_names_and_values),
	        cmocka_unit_test(reading_while_others_write_is_harmless),
	        cmocka_unit_test(an_idle_block_is_small),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
