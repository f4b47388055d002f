#include "bench/cloud_sim_seen.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>

static struct sim_seen seen;

static int start(void **state)
{
	sim_seen_init(&seen, 3);
	return 0;
}

static int end(void **state)
{
	sim_seen_done(&seen);
	return 0;
}

static struct sim_record *request(const char *body, bool whole)
{
	static struct http_head head = {.method_name = {"POST", 4}, .target = {"/p", 2}, .header_count = 1};
	head.headers[0] = (struct http_header){SLICE("A\"b"), SLICE("\xe9\t\x01"), HDR_OTHER};
	uint8_t digest[CRYPTO_SHA256_BYTES];
	struct sim_record *r = sim_seen_head(&seen, &head, OP_CERTIFY, 5, true);
	crypto_sha256(slice_str(body), digest);
	if (whole)
		sim_seen_whole(&seen, r, strlen(body), digest);
	return r;
}

static json_t *report(size_t last)
{
	struct text out = {0};
	json_error_t problem;
	sim_seen_report(&seen, last, SLICE("[]"), &out);
	json_t *root = json_loadb(out.at, out.len, JSON_REJECT_DUPLICATES, &problem);
	if (!root)
		fail_msg("%s in %.*s", problem.text, (int)out.len, out.at);
	text_free(&out);
	return root;
}

static long long number(json_t *root, const char *key)
{
	assert_true(json_is_integer(json_object_get(root, key)));
	return json_integer_value(json_object_get(root, key));
}

static void requests_are_counted_by_how_they_ended(void **state)
{
	struct sim_record *r = request("one", true);
	sim_seen_answer(&seen, r, 200);
	sim_seen_end(&seen, r, 3, 100, true, true); /* the caller closed after it had all: not cut */
	r = request("two", true);
	sim_seen_end(&seen, r, 3, 10, false, true);
	r = request("three", false);
	sim_seen_end(&seen, r, 2, 0, false, true);
	r = request("one", true);
	sim_seen_answer(&seen, r, 500);
	sim_seen_end(&seen, r, 3, 50, true, false);
	json_t *root = report(10);
	assert_int_equal(number(root, "requests"), 4);
	assert_int_equal(number(root, "whole"), 3);
	assert_int_equal(number(root, "cut"), 1);
	assert_int_equal(number(root, "answers_cut"), 1);
	assert_int_equal(number(root, "duplicates"), 1);
	json_t *op = json_object_get(json_object_get(root, "ops"), "Certify");
	assert_int_equal(number(op, "ok"), 1);
	assert_int_equal(number(op, "faults"), 1);
	assert_int_equal(number(op, "answer_bytes"), 160);
	json_t *last = json_object_get(root, "last");
	assert_int_equal(json_array_size(last), 3); /* the ring holds three */
	assert_int_equal(number(json_array_get(last, 0), "number"), 2);
	assert_int_equal(number(json_array_get(last, 1), "bytes"), 2);
	assert_true(json_is_true(json_object_get(json_array_get(last, 2), "duplicate")));
	json_t *header = json_array_get(json_object_get(json_array_get(last, 0), "headers"), 0);
	assert_string_equal(json_string_value(json_array_get(header, 0)), "A\"b");
	assert_string_equal(json_string_value(json_array_get(header, 1)), "\xc3\xa9\t\x01");
	json_decref(root);
}

static void a_record_in_use_outlives_the_ring_and_a_reset(void **state)
{
	struct sim_record *open = request("open", true);
	for (int i = 0; i < 5; i++)
		sim_seen_end(&seen, request("x", true), 1, 1, true, false);
	sim_seen_count(&seen, &seen.connections.open, 2);
	sim_seen_refused(&seen, GUARD_BARE_LF);
	sim_seen_reset(&seen);
	sim_seen_end(&seen, open, 4, 4, true, false);
	json_t *root = report(10);
	assert_int_equal(number(root, "requests"), 0);
	assert_int_equal(number(root, "malformed"), 0);
	assert_int_equal(number(json_object_get(root, "connections"), "open"), 2);
	assert_int_equal(json_array_size(json_object_get(root, "last")), 0);
	json_decref(root);
}

static void refusals_are_named(void **state)
{
	sim_seen_refused(&seen, GUARD_BARE_LF);
	sim_seen_refused(&seen, GUARD_BARE_LF);
	json_t *root = report(0);
	assert_int_equal(number(root, "malformed"), 2);
	assert_int_equal(number(json_object_get(root, "refused"), guard_reason_name(GUARD_BARE_LF)), 2);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(requests_are_counted_by_how_they_ended, start, end),
	        cmocka_unit_test_setup_teardown(a_record_in_use_outlives_the_ring_and_a_reset, start, end),
	        cmocka_unit_test_setup_teardown(refusals_are_named, start, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
