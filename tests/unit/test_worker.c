/* A worker by itself: a new list reaches its relay, whatever happens on the way. */
#include "core/worker.h"

#include "core/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct worker w;
static struct settings *settings;
static uint32_t node_clients;

static void on_ended(struct worker *ended)
{
}

static struct rate_limit node_rate;

static int make_worker(void **state)
{
	static struct upstream_endpoint endpoint = {.host = "127.0.0.1", .port = 9, .host_line = "127.0.0.1:9"};
	const char *where;
	settings = settings_new();
	struct worker_options o = {.settings = settings,
	                           .endpoint = &endpoint,
	                           .node_clients = &node_clients,
	                           .node_rate = &node_rate,
	                           .clients_max = 10};
	if (worker_init(&w, &o, &where).code)
		return -1;
	w.on_ended = on_ended;
	return 0;
}

static int end_worker(void **state)
{
	if (w.started) {
		loop_post(&w.loop, worker_stop_at_once, &w);
		worker_join(&w);
	}
	worker_done(&w);
	settings_free(settings);
	return 0;
}

static struct authlist *make_list(uint64_t generation)
{
	struct authlist_rows rows = {0};
	struct authlist *l;
	static const uint8_t hash[AUTHLIST_HASH_BYTES];
	assert_int_equal(authlist_new(&rows, hash, generation, 0, 1, &l).code, ERR_NONE);
	return l;
}

static void offer(uint64_t generation)
{
	struct authlist *l = make_list(generation);
	worker_offer_list(&w, l);
	authlist_unref(l);
}

/* ---- what the relay has, asked in its own thread ---- */

static uint64_t seen; /* atomic */

static void look(void *none)
{
	__atomic_store_n(&seen, w.relay.list ? authlist_generation(w.relay.list) : 0, __ATOMIC_RELEASE);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static bool relay_has(uint64_t generation, int within_ms)
{
	for (int waited = 0; waited <= within_ms; waited += 10) {
		loop_post(&w.loop, look, NULL);
		if (__atomic_load_n(&seen, __ATOMIC_ACQUIRE) == generation)
			return true;
		pause_ms(10);
	}
	return false;
}

static void test_offered_before_the_thread_runs(void **state)
{
	offer(1);
	assert_int_equal(worker_start(&w).code, ERR_NONE);
	assert_true(relay_has(1, 3000));
}

static void test_the_newest_of_many_arrives(void **state)
{
	assert_int_equal(worker_start(&w).code, ERR_NONE);
	for (uint64_t generation = 1; generation <= 2000; generation++)
		offer(generation);
	assert_true(relay_has(2000, 3000));
}

static void lose_wake_ups(void *none)
{
	w.loop.on_woken = NULL;
	look(none);
}

static void test_without_a_wake_up_the_next_second_takes_it(void **state)
{
	assert_int_equal(worker_start(&w).code, ERR_NONE);
	offer(1);
	assert_true(relay_has(1, 3000));
	loop_post(&w.loop, lose_wake_ups, NULL);
	pause_ms(50);
	offer(2);
	assert_true(relay_has(2, 5000));
}

static void test_offered_after_the_end_leaks_nothing(void **state)
{
	assert_int_equal(worker_start(&w).code, ERR_NONE);
	loop_post(&w.loop, worker_stop_at_once, &w);
	worker_join(&w);
	offer(1);
	offer(2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_offered_before_the_thread_runs, make_worker, end_worker),
	        cmocka_unit_test_setup_teardown(test_the_newest_of_many_arrives, make_worker, end_worker),
	        cmocka_unit_test_setup_teardown(test_without_a_wake_up_the_next_second_takes_it, make_worker,
	                                        end_worker),
	        cmocka_unit_test_setup_teardown(test_offered_after_the_end_leaks_nothing, make_worker, end_worker),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
