#include "bench/cloud_sim_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sim_script script;

static int start(void **state)
{
	sim_script_init(&script);
	return 0;
}

static int end(void **state)
{
	sim_script_done(&script);
	return 0;
}

static void load(const char *json)
{
	char why[256] = "";
	if (!sim_script_load(&script, slice_str(json), why))
		fail_msg("%s: %s", json, why);
}

/* The number of the rule that matches; -1: none. */
static int match_at(enum rms_op_id op, const char *path, const char *agent, uint64_t connection, usec_t now)
{
	struct sim_asked asked = {
	        .op = op, .path = slice_str(path), .user_agent = slice_str(agent), .connection = connection};
	struct sim_rule *rule = sim_script_match(&script, &asked, now);
	int number = rule ? (int)rule->number : -1;
	sim_rule_unref(&script, rule);
	return number;
}

static int match(enum rms_op_id op)
{
	return match_at(op, "/p", "agent", 1, 0);
}

static void the_first_rule_that_matches_wins(void **state)
{
	load("{\"rules\":[{\"match\":{\"op\":\"Certify\"}},{\"match\":{\"path\":\"/P\"}},{}]}");
	assert_int_equal(match(OP_CERTIFY), 0);
	assert_int_equal(match(OP_ACQUIRE_LICENSE), 1);
	assert_int_equal(match_at(OP_ACQUIRE_LICENSE, "/other", "", 1, 0), 2);
	load("{}");
	assert_int_equal(match(OP_CERTIFY), -1);
}

static void all_that_a_match_names_must_fit(void **state)
{
	load("{\"rules\":[{\"match\":{\"op\":\"none\",\"connection\":7,\"user_agent\":\"MSIPC\"}}]}");
	assert_int_equal(match_at(OP_NONE, "/", "MSIPC;version=1", 7, 0), 0);
	assert_int_equal(match_at(OP_NONE, "/", "MSIPC;version=1", 8, 0), -1);
	assert_int_equal(match_at(OP_NONE, "/", "MSIP", 7, 0), -1);
	assert_int_equal(match_at(OP_NONE, "/", "", 7, 0), -1);
	assert_int_equal(match_at(OP_CERTIFY, "/", "MSIPC", 7, 0), -1);
}

static void times_nth_and_every_count_what_matched(void **state)
{
	load("{\"rules\":[{\"match\":{\"op\":\"Certify\",\"nth\":2}},{\"match\":{\"op\":\"Certify\"},\"times\":2},"
	     "{\"match\":{\"every\":3}}]}");
	assert_int_equal(match(OP_CERTIFY), 1);
	assert_int_equal(match(OP_CERTIFY), 0);
	assert_int_equal(match(OP_CERTIFY), 1);
	assert_int_equal(match(OP_CERTIFY), -1); /* the third rule's first */
	assert_int_equal(match(OP_ACQUIRE_LICENSE), -1);
	assert_int_equal(match(OP_ACQUIRE_LICENSE), 2);
	struct text report = {0};
	sim_script_report(&script, &report);
	assert_true(
	        slice_equal(text_slice(&report),
	                    slice_str("[{\"rule\":0,\"matched\":4,\"used\":1},{\"rule\":1,\"matched\":3,\"used\":2},"
	                              "{\"rule\":2,\"matched\":3,\"used\":1}]")));
	text_free(&report);
}

static void a_throttle_applies_above_its_limit_in_each_second(void **state)
{
	load("{\"rules\":[{\"throttle\":{\"per_second\":2}}]}");
	for (usec_t second = 5; second < 8; second++) {
		int over = 0;
		for (int i = 0; i < 5; i++)
			over += match_at(OP_CERTIFY, "/", "", 1, second * 1000000 + (usec_t)i) == 0;
		assert_int_equal(over, 3);
	}
	struct sim_asked asked = {.op = OP_CERTIFY, .path = SLICE("/"), .user_agent = SLICE(""), .connection = 1};
	struct sim_rule *rule = sim_script_match(&script, &asked, 7 * 1000000 + 9);
	assert_int_equal(rule->status, 429);
	sim_rule_unref(&script, rule);
}

static void a_rule_in_use_outlives_its_script(void **state)
{
	load("{\"rules\":[{\"fault\":\"ClusterDecommissionedException\",\"headers\":[\"A: b\"]}]}");
	struct sim_asked asked = {.op = OP_CERTIFY, .path = SLICE("/"), .user_agent = SLICE(""), .connection = 1};
	struct sim_rule *rule = sim_script_match(&script, &asked, 0);
	load("{}");
	assert_string_equal(rule->fault, "Microsoft.RightsManagementServices.ClusterDecommissionedException");
	assert_true(slice_equal(text_slice(&rule->headers), SLICE("A: b\r\n")));
	sim_rule_unref(&script, rule);
}

static void every_key_of_a_rule_is_read(void **state)
{
	load("{\"rules\":[{\"delay_ms\":5,\"bytes_per_second\":200,\"status\":503,\"retry_after\":9,\"location\":\"l\","
	     "\"item_error\":{\"items\":[0,4],\"exception\":\"X.Y\"},\"chunked\":[1,2],\"gzip\":true,"
	     "\"interim\":{\"status\":102,\"count\":2,\"length\":0},\"early_answer\":{\"after\":3,\"then\":\"stop\"},"
	     "\"content_type\":\"t\",\"body\":\"aGk=\",\"at\":10,\"do\":\"half_close\",\"do_after_ms\":6,\"garbage\":"
	     "\"Zw==\","
	     "\"close_after_answer\":7,\"connection_close\":true}]}");
	const struct sim_rule *r = script.rules[0];
	assert_int_equal(r->delay_ms, 5);
	assert_int_equal(r->piece_bytes, 10);
	assert_int_equal(r->pause_ms, 50);
	assert_int_equal(r->status, 503);
	assert_int_equal(r->retry_after, 9);
	assert_string_equal(r->location, "l");
	assert_int_equal(r->failing_count, 2);
	assert_int_equal(r->failing[1], 4);
	assert_string_equal(r->item_exception, "X.Y");
	assert_int_equal(r->chunk_count, 2);
	assert_int_equal(r->chunks[1], 2);
	assert_true(r->gzip && r->close_header && r->early && r->has_body && r->has_at && !r->has_at_request);
	assert_int_equal(r->interim_status, 102);
	assert_int_equal(r->interim_count, 2);
	assert_int_equal(r->interim_length, 0);
	assert_int_equal(r->early_after, 3);
	assert_int_equal(r->early_then, SIM_THEN_STOP);
	assert_true(slice_equal(text_slice(&r->body), SLICE("hi")));
	assert_int_equal(r->at, 10);
	assert_int_equal(r->action, SIM_HALF_CLOSE);
	assert_int_equal(r->action_delay_ms, 6);
	assert_true(slice_equal(text_slice(&r->garbage), SLICE("g")));
	assert_true(r->has_close_after);
	assert_int_equal(r->close_after_ms, 7);
	load("{\"connections\":{\"accept_then_close\":1,\"accept_then_reset\":2,\"stall_handshake\":3,\"limit\":4,"
	     "\"idle_ms\":5,"
	     "\"refuse\":true}}");
	assert_int_equal(script.connections.accept_then_close, 1);
	assert_int_equal(script.connections.accept_then_reset, 2);
	assert_int_equal(script.connections.stall_handshake, 3);
	assert_int_equal(script.connections.limit, 4);
	assert_int_equal(script.connections.idle_ms, 5);
	assert_true(script.connections.refuse);
	assert_int_equal(script.count, 0);
}

static void a_wrong_script_changes_nothing_and_says_where(void **state)
{
	static const struct {
		const char *json, *where;
	} cases[] = {
	        {"", "line 1"},
	        {"[]", "must be an object"},
	        {"{\"rules\":{}}", "\"rules\""},
	        {"{\"rules\":[1]}", "rule 0"},
	        {"{\"rules\":[{},{\"x\":1}]}", "rule 1: \"x\""},
	        {"{\"rules\":[{\"match\":{\"ops\":1}}]}", "\"ops\""},
	        {"{\"rules\":[{\"match\":{\"op\":\"certify\"}}]}", "\"op\""},
	        {"{\"rules\":[{\"match\":7}]}", "\"match\""},
	        {"{\"rules\":[{\"delay_ms\":1.5}]}", "\"delay_ms\""},
	        {"{\"rules\":[{\"delay_ms\":99999999}]}", "\"delay_ms\""},
	        {"{\"rules\":[{\"location\":\"a\\nb\"}]}", "control characters"},
	        {"{\"rules\":[{\"headers\":\"a\"}]}", "\"headers\""},
	        {"{\"rules\":[{\"headers\":[1]}]}", "\"headers\""},
	        {"{\"rules\":[{\"chunked\":\"yes\"}]}", "\"chunked\""},
	        {"{\"rules\":[{\"chunked\":[1,\"2\"]}]}", "\"chunked\""},
	        {"{\"rules\":[{\"item_error\":{}}]}", "\"item_error\""},
	        {"{\"rules\":[{\"item_error\":{\"items\":[0],\"exception\":\"a<b.c\"}}]}", "\"exception\""},
	        {"{\"rules\":[{\"interim\":{\"status\":99}}]}", "\"status\""},
	        {"{\"rules\":[{\"interim\":{\"status\":200}}]}", "\"status\""},
	        {"{\"rules\":[{\"body\":\"a\"}]}", "\"body\""},
	        {"{\"rules\":[{\"raw\":\"aGk=\",\"status\":200}]}", "\"raw\""},
	        {"{\"rules\":[{\"at\":1,\"at_request_byte\":1,\"do\":\"rst\"}]}", "\"at_request_byte\""},
	        {"{\"rules\":[{\"bytes_per_second\":1,\"pause_ms\":1}]}", "\"bytes_per_second\""},
	        {"{\"rules\":[{\"until_close\":true,\"chunked\":true}]}", "\"until_close\""},
	        {"{\"rules\":[{\"throttle\":{}}]}", "\"per_second\""},
	        {"{\"connections\":[]}", "\"connections\""},
	        {"{\"connections\":{\"limits\":1}}", "\"limits\""},
	};
	load("{\"rules\":[{\"status\":404}]}");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char why[256] = "";
		assert_false(sim_script_load(&script, slice_str(cases[i].json), why));
		if (!strstr(why, cases[i].where))
			fail_msg("%s: %s", cases[i].json, why);
		assert_int_equal(script.count, 1);
	}
}

static void slow_rates_are_whole_bytes_with_long_pauses(void **state)
{
	load("{\"rules\":[{\"bytes_per_second\":4}]}");
	assert_int_equal(script.rules[0]->piece_bytes, 1);
	assert_int_equal(script.rules[0]->pause_ms, 250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(the_first_rule_that_matches_wins, start, end),
	        cmocka_unit_test_setup_teardown(all_that_a_match_names_must_fit, start, end),
	        cmocka_unit_test_setup_teardown(times_nth_and_every_count_what_matched, start, end),
	        cmocka_unit_test_setup_teardown(a_throttle_applies_above_its_limit_in_each_second, start, end),
	        cmocka_unit_test_setup_teardown(a_rule_in_use_outlives_its_script, start, end),
	        cmocka_unit_test_setup_teardown(every_key_of_a_rule_is_read, start, end),
	        cmocka_unit_test_setup_teardown(a_wrong_script_changes_nothing_and_says_where, start, end),
	        cmocka_unit_test_setup_teardown(slow_rates_are_whole_bytes_with_long_pauses, start, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
