#include "bench/cloud_sim_reply.h"

#include "bench/rms_message.h"
#include "proto/http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct rms_tenant *tenant;
static struct rms_answers answers;
static struct sim_script script;

static int start(void **state)
{
	struct rms_tenant_options t = {.url = RMS_TENANT_URL, .templates = 1};
	if (rms_tenant_new(&t, &tenant).code)
		return -1;
	rms_answers_init(&answers, tenant);
	sim_script_init(&script);
	return 0;
}

static int end(void **state)
{
	sim_script_done(&script);
	rms_answers_done(&answers);
	rms_tenant_free(tenant);
	return 0;
}

static struct sim_question question_of(const char *head_text)
{
	struct sim_question q;
	struct http_head head;
	enum guard_reason why;
	assert_true(http_parse_request(head_text, strlen(head_text), &head, &why));
	sim_question_read(&q, &head, NULL, NULL);
	return q;
}

static const char licensor_body[] =
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><GetLicensorCertificate "
        "xmlns=\"http://microsoft.com/DRM/ServerService\"/></s:Body></s:Envelope>";

static struct sim_question licensor(void)
{
	return question_of("POST /_wmcs/licensing/server.asmx HTTP/1.1\r\nHost: a\r\nContent-Type: "
	                   "text/xml\r\nContent-Length: 0\r\n"
	                   "SOAPAction: \"http://microsoft.com/DRM/ServerService/GetLicensorCertificate\"\r\n\r\n");
}

static struct sim_rule *rule(const char *json)
{
	char why[256];
	if (!sim_script_load(&script, slice_str(json), why))
		fail_msg("%s", why);
	return script.rules[0];
}

/* The answer as a strict reader takes it: status, and the body without frames. */
static unsigned read_back(struct text *wire, struct text *body)
{
	struct guard_limits limits = {65536, 65536};
	enum guard_reason why = GUARD_FINE;
	struct http_head head;
	struct http_body reading;
	size_t scanned = 0;
	long n = http_guard_answer(wire->at, wire->len, &scanned, &limits, &why);
	assert_true(n > 0);
	assert_true(http_parse_answer(wire->at, (size_t)n, HTTP_POST, &head, &why));
	http_body_start(&reading, &head);
	struct http_taken got = {.ok = true};
	for (size_t at = (size_t)n; at < wire->len && !reading.complete; at += got.used) {
		got = http_body_take(&reading, wire->at + at, wire->len - at, &why);
		assert_true(got.ok && got.used > 0);
		text_add(body, slice_of(got.data, got.data_len));
	}
	assert_true(reading.complete || head.framing == BODY_UNTIL_CLOSE);
	http_body_done(&reading);
	return head.status;
}

static void questions_are_read_from_heads(void **state)
{
	struct sim_question q = licensor();
	assert_int_equal(q.op, OP_GET_LICENSOR_CERTIFICATE);
	assert_true(q.has_action && q.is_xml && q.keep_alive);
	assert_string_equal(q.identity, "");
	q = question_of("POST /_WMCS/licensing/License.asmx HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
	                "x\r\nContent-Length: 0\r\n"
	                "Content-Type: application/soap+xml; "
	                "action=\"http://microsoft.com/DRM/LicensingService/AcquireLicense\"; a=b\r\n"
	                "Connection: close\r\n\r\n");
	assert_int_equal(q.op, OP_ACQUIRE_LICENSE);
	assert_int_equal(q.soap, SOAP_12);
	assert_false(q.keep_alive);
	assert_memory_equal(q.identity, "account-", 8);
	q = question_of("GET /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_null(q.service);
	assert_int_equal(q.op, OP_NONE);
}

static void every_frame_holds_the_same_body(void **state)
{
	static const char *const rules[] = {
	        "{\"rules\":[{\"chunked\":true}]}",
	        "{\"rules\":[{\"chunked\":[1,2,3]}]}",
	        "{\"rules\":[{\"chunked\":100000}]}",
	        "{\"rules\":[{\"until_close\":true}]}",
	        "{\"rules\":[{\"headers\":[\"X: y\"],\"connection_close\":true}]}",
	};
	struct sim_question q = licensor();
	struct sim_reply plain = {0}, framed = {0};
	struct text expected = {0};
	sim_reply_make(&plain, &answers, &q, NULL, SLICE(licensor_body));
	assert_int_equal(read_back(&plain.wire, &expected), 200);
	assert_true(expected.len > 9000);
	for (size_t i = 0; i < ARRAY_COUNT(rules); i++) {
		struct text body = {0};
		sim_reply_make(&framed, &answers, &q, rule(rules[i]), SLICE(licensor_body));
		assert_int_equal(read_back(&framed.wire, &body), 200);
		assert_true(slice_equal(text_slice(&body), text_slice(&expected)));
		assert_int_equal(framed.closes, i >= 3);
		text_free(&body);
	}
	text_free(&plain.wire);
	text_free(&framed.wire);
	text_free(&expected);
}

static void statuses_without_a_body_have_none(void **state)
{
	struct sim_question q = licensor();
	struct sim_reply reply = {0};
	sim_reply_make(&reply, &answers, &q, rule("{\"rules\":[{\"status\":204}]}"), SLICE(licensor_body));
	assert_memory_equal(reply.wire.at + reply.wire.len - 4, "\r\n\r\n", 4);
	assert_null(memmem(reply.wire.at, reply.wire.len, "Content-Length", 14));
	text_free(&reply.wire);
}

static void a_raw_answer_is_nothing_but_its_bytes(void **state)
{
	struct sim_question q = licensor();
	struct sim_reply reply = {0};
	sim_reply_make(&reply, &answers, &q, rule("{\"rules\":[{\"raw\":\"AAEC\"}]}"), SLICE(licensor_body));
	assert_int_equal(reply.wire.len, 3);
	assert_memory_equal(reply.wire.at, "\0\1\2", 3);
	sim_reply_make(&reply, &answers, &q, rule("{\"rules\":[{\"raw\":\"\"}]}"), SLICE(licensor_body));
	assert_int_equal(reply.wire.len, 0);
	text_free(&reply.wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(questions_are_read_from_heads),
	        cmocka_unit_test(every_frame_holds_the_same_body),
	        cmocka_unit_test(statuses_without_a_body_have_none),
	        cmocka_unit_test(a_raw_answer_is_nothing_but_its_bytes),
	};
	return cmocka_run_group_tests(tests, start, end);
}
