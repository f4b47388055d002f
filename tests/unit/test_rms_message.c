/* Requests of callers and answers of the stand-in, together: shapes, sizes, and that answers are made from what was asked. */
#include "bench/rms_message.h"

#include "bench/rms_answer.h"
#include "bench/rms_fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct rms_tenant *tenant;
static struct rms_answers answers;
static struct rms_caller *caller;

static int start(void **state)
{
	struct rms_tenant_options t = {.url = RMS_TENANT_URL, .templates = 25};
	struct rms_caller_options c = {.account = "exchange01@contoso.example"};
	if (rms_tenant_new(&t, &tenant).code || rms_caller_new(&c, &caller).code)
		return -1;
	rms_answers_init(&answers, tenant);
	return 0;
}

static int end(void **state)
{
	rms_answers_done(&answers);
	rms_tenant_free(tenant);
	rms_caller_free(caller);
	return 0;
}

/* What the stand-in answers to these bytes. */
static unsigned ask(struct slice body, enum rms_op_id op, const struct rms_answer_options *o, struct text *out)
{
	struct rms_request r;
	assert_true(rms_request_read(&r, body));
	unsigned status = rms_answer_make(&answers, op, &r, o, out);
	rms_request_done(&r);
	return status;
}

static void sizes_are_those_of_crypto_mode_2(void **state)
{
	/* Kilobytes that the capacity guide and the certificate sizes give, requests and answers. */
	static const struct {
		enum rms_op_id op;
		unsigned items;
		double request_min, request_max, answer_min, answer_max;
	} rows[] = {
	        {OP_CERTIFY, 0, 10, 14, 14, 20},
	        {OP_GET_CLIENT_LICENSOR_CERT, 0, 16, 19, 14, 20},
	        {OP_GET_LICENSOR_CERTIFICATE, 0, 0.4, 0.6, 9, 14},
	        {OP_GET_SERVER_INFO, 0, 0.4, 0.7, 0.7, 15},
	        {OP_FIND_SERVICE_LOCATIONS, 0, 0.6, 1.2, 0.8, 2},
	        {OP_FIND_SERVICE_LOCATIONS_FOR_USER, 0, 0.6, 1.2, 0.8, 2},
	        {OP_ACQUIRE_TEMPLATE_INFORMATION, 0, 0.4, 0.6, 1, 20},
	        {OP_ACQUIRE_TEMPLATES, 25, 1.4, 2.2, 100, 150},
	        {OP_ACQUIRE_LICENSE, 1, 40, 64, 14, 20},
	        {OP_ACQUIRE_PRELICENSE, 100, 15, 30, 400, 600},
	        {OP_ACQUIRE_ISSUANCE_LICENSE, 0, 8, 20, 20, 30},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct rms_request_options o = {.items = rows[i].items};
		struct rms_answer_options none = {0};
		struct text request = {0}, answer = {0};
		rms_request_make(&request, caller, rows[i].op, &o);
		assert_int_equal(ask(text_slice(&request), rows[i].op, &none, &answer), 200);
		if (request.len < rows[i].request_min * 1000 || request.len > rows[i].request_max * 1024 ||
		    answer.len < rows[i].answer_min * 1000 || answer.len > rows[i].answer_max * 1024)
			fail_msg("%s: %zu bytes asked, %zu answered", rms_request_path(rows[i].op, 0), request.len,
			         answer.len);
		text_free(&request);
		text_free(&answer);
	}
}

static void every_answer_is_sound_and_its_signatures_verify(void **state)
{
	for (int soap = SOAP_11; soap <= SOAP_12; soap++) {
		for (enum rms_op_id op = 0; op < OP_NONE; op++) {
			struct rms_request_options o = {.soap = (enum soap_version)soap, .serial = 7};
			struct rms_answer_options none = {0};
			struct text request = {0}, answer = {0};
			struct rms_check check;
			rms_request_make(&request, caller, op, &o);
			assert_int_equal(ask(text_slice(&request), op, &none, &answer), 200);
			if (!rms_answer_check(op, text_slice(&answer), 0, tenant->slc, true, &check))
				fail_msg("operation %d: %s", op, check.why);
			assert_true(check.items > 0);
			assert_int_equal(check.failed_items, 0);
			assert_int_equal(check.wrong, 0);
			bool has_version = memmem(answer.at, answer.len, "<VersionData", 12) != NULL;
			assert_int_equal(has_version, op != OP_GET_SERVER_INFO);
			bool is_12 = memmem(answer.at, answer.len, "2003/05/soap-envelope", 21) != NULL;
			assert_int_equal(is_12, soap == SOAP_12);
			text_free(&request);
			text_free(&answer);
		}
	}
}

static void a_batch_keeps_count_and_order_and_fails_where_told(void **state)
{
	static const uint32_t failing[] = {1, 3};
	struct rms_answer_options o = {.errors = {.items = failing, .count = 2}};
	struct text request = {0}, answer = {0};
	struct rms_check check;
	rms_request_make(&request, caller, OP_ACQUIRE_LICENSE, &(struct rms_request_options){.items = 5});
	assert_int_equal(ask(text_slice(&request), OP_ACQUIRE_LICENSE, &o, &answer), 200);
	assert_true(rms_answer_check(OP_ACQUIRE_LICENSE, text_slice(&answer), 5, tenant->slc, true, &check));
	assert_int_equal(check.failed_items, 2);
	assert_non_null(memmem(answer.at, answer.len, "<batchindex>3</batchindex>", 26));
	assert_non_null(memmem(answer.at, answer.len, "Licensing.NoRightsForRequestedPrincipalException", 48));
	assert_false(rms_answer_check(OP_ACQUIRE_LICENSE, text_slice(&answer), 4, tenant->slc, false, &check));

	text_clear(&request);
	text_clear(&answer);
	o.errors.exception = "Microsoft.Example.Exception";
	rms_request_make(&request, caller, OP_ACQUIRE_PRELICENSE, &(struct rms_request_options){.items = 7});
	assert_int_equal(ask(text_slice(&request), OP_ACQUIRE_PRELICENSE, &o, &answer), 200);
	assert_true(rms_answer_check(OP_ACQUIRE_PRELICENSE, text_slice(&answer), 7, tenant->slc, true, &check));
	assert_int_equal(check.failed_items, 2);
	const char *second = memmem(answer.at, answer.len, "number002", 9);
	const char *failed = memmem(answer.at, answer.len, "<batchindex>1</batchindex>", 26);
	assert_non_null(second);
	assert_non_null(failed);
	assert_true(failed < second);
	text_free(&request);
	text_free(&answer);
}

static void the_whole_bootstrap_of_a_server_works(void **state)
{
	static const enum rms_op_id steps[] = {OP_GET_LICENSOR_CERTIFICATE, OP_CERTIFY, OP_GET_CLIENT_LICENSOR_CERT,
	                                       OP_ACQUIRE_TEMPLATE_INFORMATION};
	struct rms_caller_options c = {.account = "sharepoint@contoso.example"};
	struct rms_caller *fresh;
	struct text request = {0}, answer = {0};
	assert_int_equal(rms_caller_new(&c, &fresh).code, ERR_NONE);
	assert_null(rms_caller_slc(fresh));
	for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
		text_clear(&request);
		text_clear(&answer);
		rms_request_make(&request, fresh, steps[i], &(struct rms_request_options){0});
		assert_int_equal(ask(text_slice(&request), steps[i], &(struct rms_answer_options){0}, &answer), 200);
		assert_true(rms_caller_learn(fresh, steps[i], text_slice(&answer)));
	}
	assert_non_null(rms_caller_slc(fresh));
	/* Now a licence: every signature in the request leads to the tenant, the licence to the account that was certified. */
	size_t count, wrong;
	text_clear(&request);
	text_clear(&answer);
	rms_request_make(&request, fresh, OP_ACQUIRE_LICENSE, &(struct rms_request_options){.serial = 3});
	assert_true(xrml_verify_all(text_slice(&request), rms_caller_slc(fresh), &count, &wrong));
	assert_int_equal(count, 11);
	assert_int_equal(ask(text_slice(&request), OP_ACQUIRE_LICENSE, &(struct rms_answer_options){0}, &answer), 200);
	struct xrml ul;
	size_t at = 0;
	assert_true(xrml_next(text_slice(&answer), &at, &ul));
	assert_true(slice_equal(ul.subject_name, SLICE("connector-exchange@contoso.example")));
	assert_false(rms_caller_learn(fresh, OP_ACQUIRE_LICENSE, text_slice(&answer)));
	assert_false(rms_caller_learn(fresh, OP_CERTIFY, text_slice(&answer)));
	rms_caller_free(fresh);
	text_free(&request);
	text_free(&answer);
}

static void answers_follow_the_bytes_that_came(void **state)
{
	struct text request = {0}, first = {0}, second = {0};
	rms_request_make(&request, caller, OP_ACQUIRE_LICENSE, &(struct rms_request_options){0});
	assert_int_equal(ask(text_slice(&request), OP_ACQUIRE_LICENSE, &(struct rms_answer_options){0}, &first), 200);
	char *data = memmem(request.at, request.len, "Encrypted-Rights-Data\">", 23);
	data[100] = data[100] == 'A' ? 'B' : 'A';
	assert_int_equal(ask(text_slice(&request), OP_ACQUIRE_LICENSE, &(struct rms_answer_options){0}, &second), 200);
	assert_int_equal(first.len, second.len);
	assert_memory_not_equal(first.at, second.at, first.len);
	text_free(&request);
	text_free(&first);
	text_free(&second);
}

static void a_licence_asked_for_twice_is_signed_once(void **state)
{
	struct text request = {0}, first = {0}, second = {0};
	rms_request_make(&request, caller, OP_ACQUIRE_PRELICENSE,
	                 &(struct rms_request_options){.items = 10, .serial = 5});
	assert_int_equal(ask(text_slice(&request), OP_ACQUIRE_PRELICENSE, &(struct rms_answer_options){0}, &first),
	                 200);
	uint64_t signed_before = answers.leaves.signed_count;
	assert_int_equal(ask(text_slice(&request), OP_ACQUIRE_PRELICENSE, &(struct rms_answer_options){0}, &second),
	                 200);
	/* One in a hundred tenants' keys puts two of the ten in one place, which they then take from each other. */
	assert_in_range(answers.leaves.signed_count, signed_before, signed_before + 2);
	assert_true(slice_equal(text_slice(&first), text_slice(&second)));
	text_free(&request);
	text_free(&first);
	text_free(&second);
}

static void only_the_templates_asked_for_come_and_unknown_ones_are_empty(void **state)
{
	struct text answer = {0}, request = {0};
	struct rms_check check;
	text_format(&request,
	            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><AcquireTemplates "
	            "xmlns=\"http://microsoft.com/DRM/TemplateDistributionService\"><guids><string>%s</string><string>"
	            "{00000000-0000-4000-8000-000000000000}</string><string><![CDATA[%s]]></string></guids>"
	            "</AcquireTemplates></s:Body></s:Envelope>",
	            tenant->templates[3].guid, tenant->templates[1].guid);
	assert_int_equal(ask(text_slice(&request), OP_ACQUIRE_TEMPLATES, &(struct rms_answer_options){0}, &answer),
	                 200);
	assert_true(rms_answer_check(OP_ACQUIRE_TEMPLATES, text_slice(&answer), 3, tenant->slc, true, &check));
	assert_int_equal(check.failed_items, 1);
	assert_int_equal(check.signatures, 2);
	const char *first = memmem(answer.at, answer.len, tenant->templates[3].hash, strlen(tenant->templates[3].hash));
	const char *last = memmem(answer.at, answer.len, tenant->templates[1].hash, strlen(tenant->templates[1].hash));
	assert_true(first && last && first < last);
	text_free(&request);
	text_free(&answer);
}

static void the_locator_answers_in_the_namespace_of_the_request(void **state)
{
	static const char *const spaces[] = {"ServerService", "ServiceLocatorService"};
	for (size_t i = 0; i < 2; i++) {
		struct text request = {0}, answer = {0};
		char expected[128];
		text_format(
		        &request,
		        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>"
		        "<FindServiceLocationsForUser xmlns=\"http://microsoft.com/DRM/%s\"><ServiceNames>"
		        "<ServiceLocationRequest><Type>AdminV2Service</Type></ServiceLocationRequest>"
		        "<ServiceLocationRequest><Type>LicensingService</Type></ServiceLocationRequest></ServiceNames>"
		        "</FindServiceLocationsForUser></s:Body></s:Envelope>",
		        spaces[i]);
		assert_int_equal(ask(text_slice(&request), OP_FIND_SERVICE_LOCATIONS_FOR_USER,
		                     &(struct rms_answer_options){0}, &answer),
		                 200);
		snprintf(expected, sizeof expected,
		         "<FindServiceLocationsForUserResponse xmlns=\"http://microsoft.com/DRM/%s\">", spaces[i]);
		assert_non_null(memmem(answer.at, answer.len, expected, strlen(expected)));
		/* What this cloud does not have keeps its place, with an empty address. */
		static const char unknown[] = "<URL></URL><Type>AdminV2Service</Type>";
		assert_non_null(memmem(answer.at, answer.len, unknown, strlen(unknown)));
		assert_non_null(memmem(answer.at, answer.len, RMS_TENANT_URL "/_wmcs/licensing</URL>",
		                       strlen(RMS_TENANT_URL "/_wmcs/licensing</URL>")));
		text_free(&request);
		text_free(&answer);
	}
}

static void server_info_opens_the_gate_of_exchange(void **state)
{
	static const char *const wanted[] = {"Name=\"ServerCertificationSharedIdentity\" Value=\"true\"",
	                                     "Name=\"MultiForestAcquirePreLicense\" Value=\"true\"",
	                                     "Name=\"CryptoMode\" Value=\"2\"", "<VersionInfo Version=\"6.1.0.0\"/>"};
	struct text request = {0}, answer = {0};
	rms_request_make(&request, caller, OP_GET_SERVER_INFO, &(struct rms_request_options){0});
	assert_int_equal(ask(text_slice(&request), OP_GET_SERVER_INFO, &(struct rms_answer_options){0}, &answer), 200);
	for (size_t i = 0; i < ARRAY_COUNT(wanted); i++)
		assert_non_null(memmem(answer.at, answer.len, wanted[i], strlen(wanted[i])));
	text_free(&request);
	text_free(&answer);
}

#define LICENSING "xmlns=\"http://microsoft.com/DRM/LicensingService\""
#define VERSION(min, max)                                                                                   \
	"<s:Header><VersionData " LICENSING "><MinimumVersion>" min "</MinimumVersion><MaximumVersion>" max \
	"</MaximumVersion></VersionData></s:Header>"
#define ENVELOPE(header, body)                                                                    \
	"<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\">" header "<s:Body>" body \
	"</s:Body></s:Envelope>"

static void what_the_service_refuses_becomes_its_fault(void **state)
{
	static const struct {
		const char *body, *expected;
	} cases[] = {
	        {ENVELOPE("", "<AcquireLicense " LICENSING "/>"), "System.ArgumentNullException"},
	        {ENVELOPE(VERSION("1.1.0.0", "1.3.0.0"), "<AcquireLicense " LICENSING "/>"),
	         "Core.UnsupportedDataVersionException"},
	        {ENVELOPE(VERSION("1.1", "1.1"), "<AcquireLicense " LICENSING "/>"),
	         "Core.MalformedDataVersionException"},
	        {ENVELOPE(VERSION("1.1.0.0 ", "1.1.0.0"), "<AcquireLicense " LICENSING "/>"),
	         "Core.MalformedDataVersionException"},
	        {ENVELOPE("", "<AcquireLicense xmlns=\"http://elsewhere/\"/>"), "did not recognize"},
	        {ENVELOPE("", "<AcquireContentKey " LICENSING "/>"), "did not recognize"},
	        {ENVELOPE(VERSION("1.0.0.0", "1.0.0.0"),
	                  "<AcquireLicense " LICENSING "><RequestParams><AcquireLicenseParams/>"
	                  "<AcquireLicenseParams/></RequestParams></AcquireLicense>"),
	         "Core.UnsupportedDataVersionException"},
	        {ENVELOPE("",
	                  "<AcquireLicense " LICENSING
	                  "><RequestParams><AcquireLicenseParams><IssuanceLicense><Certificate>"
	                  "<XrML xmlns=\"\"/></Certificate></IssuanceLicense></AcquireLicenseParams></RequestParams>"
	                  "</AcquireLicense>"),
	         "System.ArgumentNullException"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct text answer = {0};
		assert_int_equal(
		        ask(slice_str(cases[i].body), OP_ACQUIRE_LICENSE, &(struct rms_answer_options){0}, &answer),
		        500);
		if (!memmem(answer.at, answer.len, cases[i].expected, strlen(cases[i].expected)))
			fail_msg("%zu: %.*s", i, (int)answer.len, answer.at);
		assert_null(memmem(answer.at, answer.len, "VersionData>", 12));
		assert_non_null(memmem(answer.at, answer.len, "soap:Fault", 10));
		text_free(&answer);
	}
}

static void a_licence_without_text_is_not_signed(void **state)
{
	static const char *const licences[] = {"<XrML xmlns=\"\"/>", "<XrML xmlns=\"\"><BODY/></XrML>",
	                                       "<XrML xmlns=\"\"><BODY></BODY></XrML>", ""};
	for (size_t i = 0; i < ARRAY_COUNT(licences); i++) {
		struct text request = {0}, answer = {0};
		text_format(&request,
		            ENVELOPE("", "<AcquireIssuanceLicense xmlns=\"http://microsoft.com/DRM/PublishingService\">"
		                         "<RequestParams><AcquireIssuanceLicenseParams><UnsignedIssuanceLicense>%s"
		                         "</UnsignedIssuanceLicense></AcquireIssuanceLicenseParams></RequestParams>"
		                         "</AcquireIssuanceLicense>"),
		            licences[i]);
		assert_int_equal(ask(text_slice(&request), OP_ACQUIRE_ISSUANCE_LICENSE, &(struct rms_answer_options){0},
		                     &answer),
		                 500);
		assert_non_null(memmem(answer.at, answer.len, "System.ArgumentNullException", 28));
		text_free(&request);
		text_free(&answer);
	}
}

static void what_is_no_soap_message_is_refused_with_a_reason(void **state)
{
	static const char *const cases[] = {
	        "",
	        "junk",
	        "<a/>",
	        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"/>",
	        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body></s:Body></s:Envelope>",
	        "<s:Envelope "
	        "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><a/><b/></s:Body></s:Envelope>",
	        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><a/>",
	        "<s:Envelope xmlns:s=\"http://example/\"><s:Body><a/></s:Body></s:Envelope>",
	        "<!DOCTYPE x [<!ENTITY e \"e\">]><s:Envelope "
	        "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><a/></s:Body></s:Envelope>",
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct rms_request r;
		assert_false(rms_request_read(&r, slice_str(cases[i])));
		assert_non_null(r.wrong);
		rms_request_done(&r);
	}
	struct text deep = {0};
	struct rms_request r;
	text_add_str(&deep, "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>");
	for (int i = 0; i < 100; i++)
		text_add_str(&deep, "<a>");
	assert_false(rms_request_read(&r, text_slice(&deep)));
	rms_request_done(&r);
	text_free(&deep);
}

static void requests_have_exactly_the_size_asked_for(void **state)
{
	for (size_t bytes = 600; bytes < 70000; bytes += 6337) {
		struct text t = {0};
		struct rms_request r;
		rms_request_make(&t, caller, OP_GET_LICENSOR_CERTIFICATE,
		                 &(struct rms_request_options){.bytes = bytes});
		assert_int_equal(t.len, bytes);
		assert_true(rms_request_read(&r, text_slice(&t)));
		assert_string_equal(r.name, "GetLicensorCertificate");
		rms_request_done(&r);
		text_free(&t);
	}
}

static void the_serial_stands_where_it_is_said_to(void **state)
{
	for (enum rms_op_id op = 0; op < OP_NONE; op++) {
		struct text t = {0};
		size_t at =
		        rms_request_make(&t, caller, op, &(struct rms_request_options){.serial = 0xabc, .items = 2});
		assert_true(at + 16 < t.len);
		assert_memory_equal(t.at + at, "0000000000000abc", 16);
		text_free(&t);
	}
	struct text t = {0};
	assert_true(rms_request_make(&t, caller, OP_GET_SERVER_INFO, &(struct rms_request_options){0}) == SIZE_MAX);
	text_free(&t);
}

static void headers_and_paths_name_the_operation(void **state)
{
	struct text t = {0};
	rms_request_headers(&t, OP_ACQUIRE_LICENSE, SOAP_11);
	static const char soap11[] = "Content-Type: text/xml; charset=utf-8\r\n"
	                             "SOAPAction: \"http://microsoft.com/DRM/LicensingService/AcquireLicense\"\r\n";
	assert_true(slice_equal(text_slice(&t), SLICE(soap11)));
	text_clear(&t);
	rms_request_headers(&t, OP_ACQUIRE_LICENSE, SOAP_12);
	static const char soap12[] = "Content-Type: application/soap+xml; charset=utf-8; "
	                             "action=\"http://microsoft.com/DRM/LicensingService/AcquireLicense\"\r\n";
	assert_true(slice_equal(text_slice(&t), SLICE(soap12)));
	text_free(&t);
	assert_string_equal(rms_request_path(OP_CERTIFY, 1), "/_wmcs/certification/certification.asmx");
	assert_null(rms_request_path(OP_ACQUIRE_LICENSE, 1));
}

static void exceptions_get_their_full_names(void **state)
{
	assert_string_equal(rms_exception_name("ClusterDecommissionedException"),
	                    "Microsoft.RightsManagementServices.ClusterDecommissionedException");
	assert_string_equal(rms_exception_name("Other.Exception"), "Other.Exception");
	assert_null(rms_exception_name("NoSuchException"));
}

static void a_fault_or_a_cut_answer_does_not_pass_the_check(void **state)
{
	struct text t = {0}, request = {0};
	struct rms_check check;
	rms_fault_make(&t, SOAP_11, false, "a < b");
	assert_non_null(memmem(t.at, t.len, "a &lt; b", 8));
	assert_false(rms_answer_check(OP_CERTIFY, text_slice(&t), 0, NULL, true, &check));
	assert_string_equal(check.why, "the answer is a SOAP fault");
	text_clear(&t);
	rms_request_make(&request, caller, OP_CERTIFY, &(struct rms_request_options){0});
	ask(text_slice(&request), OP_CERTIFY, &(struct rms_answer_options){0}, &t);
	assert_false(rms_answer_check(OP_CERTIFY, slice_until(text_slice(&t), t.len - 1), 0, NULL, true, &check));
	assert_false(rms_answer_check(OP_ACQUIRE_LICENSE, text_slice(&t), 0, NULL, true, &check));
	assert_false(rms_answer_check(OP_CERTIFY, SLICE(""), 0, NULL, true, &check));
	text_free(&t);
	text_free(&request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(sizes_are_those_of_crypto_mode_2),
	        cmocka_unit_test(every_answer_is_sound_and_its_signatures_verify),
	        cmocka_unit_test(a_batch_keeps_count_and_order_and_fails_where_told),
	        cmocka_unit_test(the_whole_bootstrap_of_a_server_works),
	        cmocka_unit_test(answers_follow_the_bytes_that_came),
	        cmocka_unit_test(a_licence_asked_for_twice_is_signed_once),
	        cmocka_unit_test(only_the_templates_asked_for_come_and_unknown_ones_are_empty),
	        cmocka_unit_test(the_locator_answers_in_the_namespace_of_the_request),
	        cmocka_unit_test(server_info_opens_the_gate_of_exchange),
	        cmocka_unit_test(what_the_service_refuses_becomes_its_fault),
	        cmocka_unit_test(a_licence_without_text_is_not_signed),
	        cmocka_unit_test(what_is_no_soap_message_is_refused_with_a_reason),
	        cmocka_unit_test(requests_have_exactly_the_size_asked_for),
	        cmocka_unit_test(the_serial_stands_where_it_is_said_to),
	        cmocka_unit_test(headers_and_paths_name_the_operation),
	        cmocka_unit_test(exceptions_get_their_full_names),
	        cmocka_unit_test(a_fault_or_a_cut_answer_does_not_pass_the_check),
	};
	return cmocka_run_group_tests(tests, start, end);
}
