/* B05: what an answer says about a try: how it ended, in texts that hold neither token nor licence. */
#include "core/cloud/prove_answer.h"
#include "proto/http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FAULT_11(text)                                                                                 \
	"<s:Envelope "                                                                                 \
	"xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Server</" \
	"faultcode><faultstring>" text "</faultstring><detail/></s:Fault></s:Body></s:Envelope>"
#define ANSWER(op, inside)                                                               \
	"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><" op \
	"Response xmlns=\"u\">" inside "</" op "Response></s:Body></s:Envelope>"
#define XML "Content-Type: text/xml; charset=utf-8\r\n"

static struct prove_answer reads(enum rms_op_id op, unsigned status, const char *lines, const char *body,
                                 const char *secret)
{
	static char text[4096];
	struct http_head head;
	struct prove_answer a;
	enum guard_reason why;
	int n = snprintf(text, sizeof(text), "HTTP/1.1 %u Said\r\n%sContent-Length: %zu\r\n\r\n", status, lines,
	                 strlen(body));
	assert_true(http_parse_answer(text, (size_t)n, HTTP_POST, &head, &why));
	prove_answer_read(&a, op, &head, slice_str(body), slice_str(secret));
	return a;
}

static void only_the_operations_own_answer_is_good(void **state)
{
	const char *good = ANSWER("GetServerInfo", "x");
	assert_int_equal(reads(OP_GET_SERVER_INFO, 200, XML, good, "").outcome, PROVE_GOOD);
	assert_int_equal(reads(OP_CERTIFY, 200, XML, good, "").outcome, PROVE_OTHER);
	assert_int_equal(reads(OP_GET_SERVER_INFO, 200, "Content-Type: text/html\r\n", good, "").outcome, PROVE_OTHER);
	assert_int_equal(reads(OP_GET_SERVER_INFO, 202, XML, good, "").outcome, PROVE_OTHER);
	assert_int_equal(reads(OP_GET_SERVER_INFO, 200, XML, "<html/>", "").outcome, PROVE_OTHER);
	assert_int_equal(reads(OP_GET_SERVER_INFO, 200, XML, "", "").outcome, PROVE_OTHER);
	struct prove_answer a = reads(OP_GET_SERVER_INFO, 200, XML, good, "");
	assert_int_equal(a.bytes, strlen(good));
	assert_int_equal(strlen(a.sha256), 64);
}

static void refusals_have_kinds(void **state)
{
	struct prove_answer a = reads(OP_CERTIFY, 401, "WWW-Authenticate: Bearer realm=\"x\"\r\nServer: s\r\n", "", "");
	assert_int_equal(a.outcome, PROVE_REFUSED);
	assert_string_equal(a.challenge, "Bearer realm=\"x\"");
	assert_string_equal(a.server, "s");
	assert_int_equal(reads(OP_CERTIFY, 403, "", "", "").outcome, PROVE_REFUSED);
	assert_int_equal(reads(OP_CERTIFY, 404, "", "", "").outcome, PROVE_OTHER);
	a = reads(OP_CERTIFY, 302, "Location: https://a.example/b?code=secret\r\n", "", "");
	assert_int_equal(a.outcome, PROVE_REDIRECTED);
	assert_string_equal(a.location, "https://a.example/b");
}

static void faults_are_told_in_their_words(void **state)
{
	struct prove_answer a = reads(OP_CERTIFY, 500, XML, FAULT_11("\n a.B: x ---&gt; c &amp; d\x01\xc3\xa9 "), "");
	assert_int_equal(a.outcome, PROVE_FAULT);
	assert_string_equal(a.fault, "a.B: x ---> c & d???");
	a = reads(OP_CERTIFY, 500, "Content-Type: application/soap+xml\r\n",
	          "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><s:Fault><s:Reason><s:Text "
	          "xml:lang=\"en\">why"
	          "</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>",
	          "");
	assert_string_equal(a.fault, "why");
	assert_string_equal(reads(OP_CERTIFY, 500, XML, FAULT_11(""), "").fault, "");
}

static void a_text_with_the_token_is_left_out(void **state)
{
	struct prove_answer a = reads(OP_CERTIFY, 500, XML "WWW-Authenticate: Bearer told=T0KEN\r\n",
	                              FAULT_11("no T0KEN here"), "T0KEN");
	assert_null(strstr(a.fault, "T0KEN"));
	assert_null(strstr(a.challenge, "T0KEN"));
	assert_string_equal(a.fault, "(left out: it holds the token)");
}

static void the_life_of_an_account_is_that_of_the_first_certificate(void **state)
{
	struct prove_answer a =
	        reads(OP_CERTIFY, 200, XML,
	              ANSWER("Certify", "<VALIDITYTIME><FROM>2026-01-01T00:00</FROM><UNTIL>2027-01-01T00:00</UNTIL></"
	                                "VALIDITYTIME><UNTIL>9</UNTIL>"),
	              "");
	assert_int_equal(a.outcome, PROVE_GOOD);
	assert_string_equal(a.until, "2027-01-01T00:00");
	assert_string_equal(reads(OP_CERTIFY, 200, XML, ANSWER("Certify", "<UNTIL/>"), "").until, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(only_the_operations_own_answer_is_good),
	        cmocka_unit_test(refusals_have_kinds),
	        cmocka_unit_test(faults_are_told_in_their_words),
	        cmocka_unit_test(a_text_with_the_token_is_left_out),
	        cmocka_unit_test(the_life_of_an_account_is_that_of_the_first_certificate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
