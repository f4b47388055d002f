/* Commands that end on a later turn: in time, too late, when nobody hears them any more, and when the node stops. */
#include "core/ops/admin_calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct loop loop;
static struct admin_calls calls;
static struct settings *settings;
static struct admin_source source;
static struct admin_call *waiting;
static json_t *answered;
static unsigned stopped, idle, freed;
static struct admin_peer root = {.role = ADMIN_SECURITY};
/* What calls know of it is its address. */
static char place;
static struct admin_conn *const somebody = (struct admin_conn *)&place;

static void free_own(void *own)
{
	freed++;
}

static void stop(struct admin_call *c)
{
	stopped++;
	assert_ptr_equal(c, waiting);
	waiting = NULL;
}

static void run_later(struct admin_call *c)
{
	waiting = c;
	c->own = c;
	c->own_done = free_own;
	admin_wait(c, stop);
}

static void run_at_once(struct admin_call *c)
{
	admin_done(c, json_object());
}

static void (*const run[ADMIN_COMMAND_COUNT])(struct admin_call *) = {
        [ADMIN_COMMAND_status] = run_later, [ADMIN_COMMAND_audit_verify] = run_at_once};

static void on_answer(struct admin_conn *conn, json_t *answer)
{
	assert_ptr_equal(conn, somebody);
	assert_null(answered);
	answered = answer;
}

static void on_idle(struct admin_calls *all)
{
	idle++;
}

static int begin(void **state)
{
	settings = settings_new();
	source = (struct admin_source){.settings = settings};
	stopped = idle = freed = 0;
	if (loop_init(&loop).code)
		return -1;
	calls = (struct admin_calls){.loop = &loop,
	                             .source = &source,
	                             .audit_problem = "",
	                             .run = run,
	                             .answer = on_answer,
	                             .on_idle = on_idle};
	admin_calls_open(&calls);
	return 0;
}

static int end(void **state)
{
	json_decref(answered);
	answered = NULL;
	loop_stop(&loop);
	loop_run(&loop);
	loop_done(&loop);
	settings_free(settings);
	return 0;
}

static struct admin_call *ask(const char *command)
{
	char line[128];
	snprintf(line, sizeof(line), "{\"version\":1,\"command\":\"%s\",\"arguments\":{}}", command);
	return admin_calls_begin(&calls, somebody, &root, slice_str(line));
}

static int answered_exit(void)
{
	int code = json_is_true(json_object_get(answered, "ok"))
	                   ? 0
	                   : (int)json_integer_value(json_object_get(answered, "exit"));
	assert_non_null(answered);
	json_decref(answered);
	answered = NULL;
	return code;
}

static void ends_at_once_or_later(void **state)
{
	assert_null(ask("audit verify"));
	assert_int_equal(answered_exit(), 0);
	assert_int_equal(idle, 1);
	struct admin_call *c = ask("status");
	assert_non_null(c);
	assert_null(answered);
	admin_done(c, json_object());
	assert_int_equal(answered_exit(), 0);
	assert_int_equal(freed, 1);
	assert_int_equal(stopped, 0);
	admin_calls_close(&calls);
}

static void ends_by_itself_when_it_takes_too_long(void **state)
{
	calls.late.limit_ms = 1;
	assert_non_null(ask("status"));
	while (!answered)
		uv_run(&loop.uv, UV_RUN_ONCE);
	assert_int_equal(answered_exit(), EX_TEMPFAIL);
	assert_int_equal(stopped, 1);
	assert_int_equal(freed, 1);
	assert_int_equal(calls.count, 0);
	admin_calls_close(&calls);
}

static void nobody_is_answered_who_has_left(void **state)
{
	struct admin_call *c = ask("status");
	c->conn = NULL;
	admin_done(c, json_object());
	assert_null(answered);
	assert_int_equal(idle, 1);
	admin_calls_close(&calls);
}

static void those_whose_askers_have_left_are_bounded(void **state)
{
	for (unsigned i = 0; i < ADMIN_CALLS_MAX; i++)
		ask("status")->conn = NULL;
	assert_null(ask("status"));
	assert_int_equal(answered_exit(), EX_TEMPFAIL);
	admin_done(waiting, json_object());
	waiting = ask("status");
	assert_non_null(waiting);
	admin_done(waiting, json_object());
	assert_int_equal(answered_exit(), 0);
	while (list_first(&calls.running)) {
		waiting = container_of(list_first(&calls.running), struct admin_call, running);
		admin_done(waiting, NULL);
	}
	assert_int_equal(freed, ADMIN_CALLS_MAX + 1);
	admin_calls_close(&calls);
}

static void all_end_when_the_node_stops(void **state)
{
	assert_non_null(ask("status"));
	admin_calls_close(&calls);
	assert_null(answered);
	assert_int_equal(stopped, 1);
	assert_int_equal(freed, 1);
	assert_int_equal(idle, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(ends_at_once_or_later, begin, end),
	        cmocka_unit_test_setup_teardown(ends_by_itself_when_it_takes_too_long, begin, end),
	        cmocka_unit_test_setup_teardown(nobody_is_answered_who_has_left, begin, end),
	        cmocka_unit_test_setup_teardown(those_whose_askers_have_left_are_bounded, begin, end),
	        cmocka_unit_test_setup_teardown(all_end_when_the_node_stops, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
