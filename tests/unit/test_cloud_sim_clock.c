#include "bench/cloud_sim_clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct loop loop;
static struct sim_clock sim_clock;
static struct sim_alarm alarms[5];
static char order[16];
static size_t rung;

static void ring(struct sim_alarm *a)
{
	assert_false(sim_alarm_is_set(a));
	order[rung++] = (char)('0' + (a - alarms));
}

static void ring_and_stop(struct sim_alarm *a)
{
	ring(a);
	sim_clock_close(&sim_clock);
	loop_stop(&loop);
}

static void ring_and_stop_another(struct sim_alarm *a)
{
	ring(a);
	sim_alarm_stop(&alarms[2]);
	sim_alarm_set(&alarms[0], &sim_clock, 0, ring);
}

static void alarms_ring_in_order_of_time_and_not_when_stopped(void **state)
{
	assert_int_equal(loop_init(&loop).code, ERR_NONE);
	assert_int_equal(sim_clock_open(&sim_clock, &loop).code, ERR_NONE);
	for (size_t i = 0; i < ARRAY_COUNT(alarms); i++)
		sim_alarm_init(&alarms[i]);
	msec_t begun = loop_now(&loop);
	sim_alarm_set(&alarms[4], &sim_clock, 60, ring_and_stop);
	sim_alarm_set(&alarms[2], &sim_clock, 20, ring);
	sim_alarm_set(&alarms[1], &sim_clock, 20, ring); /* as early as the other: in the order they were set */
	sim_alarm_set(&alarms[0], &sim_clock, 30, ring);
	sim_alarm_set(&alarms[3], &sim_clock, 5, ring_and_stop_another);
	sim_alarm_set(&alarms[0], &sim_clock, 40, ring); /* anew: the first setting is forgotten */
	loop_run(&loop);
	loop_done(&loop);
	order[rung] = '\0';
	assert_string_equal(order, "3014");
	assert_true(alarms[4].due >= begun + 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(alarms_ring_in_order_of_time_and_not_when_stopped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
