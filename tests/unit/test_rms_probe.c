/* What a service is tried with is what the stand-in and a careful reader take for the operation. */
#include "bench/rms_message.h"
#include "bench/rms_request.h"
#include "proto/rms_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void each_is_a_whole_request_of_its_operation(void **state)
{
	for (size_t i = 0; i < RMS_PROBES; i++) {
		char body[RMS_PROBE_BYTES];
		size_t n = rms_probe_body(rms_probes[i], body);
		struct rms_request r;
		assert_true(n > 0 && n < RMS_PROBE_BYTES && strlen(body) == n);
		assert_true(rms_request_read(&r, slice_of(body, n)));
		assert_string_equal(r.name, rms_ops[rms_probes[i]].name.at);
		assert_true(rms_ops[rms_probes[i]].retry_safe);
		assert_int_equal(r.has_version, rms_probes[i] != OP_GET_SERVER_INFO);
		char action[256];
		snprintf(action, sizeof(action), "%s/%s", r.namespace, r.name);
		assert_string_equal(action, rms_ops[rms_probes[i]].action.at);
		rms_request_done(&r);
	}
}

static void other_operations_have_none(void **state)
{
	char body[RMS_PROBE_BYTES];
	assert_int_equal(rms_probe_body(OP_CERTIFY, body), 0);
	assert_string_equal(body, "");
}

static void header_lines_are_those_of_the_load_tool(void **state)
{
	for (enum rms_op_id op = 0; op < OP_NONE; op++)
		for (int version = SOAP_11; version <= SOAP_12; version++) {
			struct text theirs = {0};
			char ours[400];
			rms_request_headers(&theirs, op, (enum soap_version)version);
			size_t n = rms_probe_lines(op, (enum soap_version)version, ours, sizeof(ours));
			assert_int_equal(n, theirs.len);
			assert_memory_equal(ours, theirs.at, n);
			assert_int_equal(rms_probe_lines(op, (enum soap_version)version, ours, n), 0);
			text_free(&theirs);
		}
}

static void every_operation_has_a_usual_place(void **state)
{
	for (enum rms_op_id op = 0; op < OP_NONE; op++)
		assert_string_equal(rms_service_of(op)->path.at, rms_request_path(op, 0));
	assert_null(rms_service_of(OP_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_is_a_whole_request_of_its_operation),
	        cmocka_unit_test(other_operations_have_none),
	        cmocka_unit_test(header_lines_are_those_of_the_load_tool),
	        cmocka_unit_test(every_operation_has_a_usual_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
