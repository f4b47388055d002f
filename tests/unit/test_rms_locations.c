/* E09: the one question that may be answered without knowing who asks: what is read of it, and that nothing but the tenant's address is in the answer. */
#include "core/base/check.h"
#include "proto/rms_locations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SOAP "http://schemas.xmlsoap.org/soap/envelope/"
#define NS   "http://microsoft.com/DRM/ServerService"
#define START                                                                          \
	"<s:Envelope xmlns:s=\"" SOAP "\"><s:Header><VersionData xmlns=\"" NS          \
	"\"><MinimumVersion>1.2.0.0</MinimumVersion></VersionData></s:Header><s:Body>" \
	"<FindServiceLocations xmlns=\"" NS "\"><ServiceNames>"
#define END       "</ServiceNames></FindServiceLocations></s:Body></s:Envelope>"
#define ASK(type) "<ServiceLocationRequest><Type>" type "</Type></ServiceLocationRequest>"
#define ORIGIN    "https://5c6bb73b.rms.eu.aadrm.com"

static const struct {
	const char *message;
	size_t count;
	const char *wrong; /* words of it; NULL: fine */
} rows[] = {
        {START ASK("LicensingService") END, 1, NULL},
        {START ASK("LicensingService") ASK("CertificationService") ASK("ActivationService") END, 3, NULL},
        {START ASK(" \n LicensingService\t") END, 1, NULL},
        {START "<ServiceLocationRequest><Type "
               ">ServerService</Type><Type>PublishingService</Type></ServiceLocationRequest>" END,
         2, NULL},
        {START "<x><Type>Nonsense</Type></x>" ASK("LicensingService") END, 1, NULL},
        {START END, 0, "no service"},
        {START ASK("Nonsense") END, 0, "that there is not"},
        {START ASK("") END, 0, "that there is not"},
        {START ASK("licensingservice") END, 0, "that there is not"},
        {START ASK("Licensing<!-- -->Service") END, 0, "that there is not"},
        {START ASK("<![CDATA[LicensingService]]>") END, 0, "that there is not"},
        {START ASK("&#76;icensingService") END, 0, "that there is not"},
        {START "<ServiceLocationRequest><Type/></ServiceLocationRequest>" END, 0, "that there is not"},
        {START "<ServiceLocationRequest><Type a=\"&gt;LicensingService\">x</Type></ServiceLocationRequest>" END, 0,
         "that there is not"},
        {START ASK("LicensingService"), 0, "not XML"},
        {START ASK("LicensingService") END "<x/>", 0, "not XML"},
        {"<!DOCTYPE x>" START ASK("LicensingService") END, 0, "not XML"},
        {"", 0, "not XML"},
};

static void types_are_read_in_their_order_or_the_question_is_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct rms_locations l;
		const char *wrong = rms_locations_read(slice_str(rows[i].message), &l);
		if (!wrong != !rows[i].wrong || (wrong && !strstr(wrong, rows[i].wrong)))
			print_error("row %zu: %s\n", i, wrong ? wrong : "fine");
		assert_int_equal(!wrong, !rows[i].wrong);
		if (wrong)
			assert_non_null(strstr(wrong, rows[i].wrong));
		else
			assert_int_equal(l.count, rows[i].count);
	}
}

static void the_answer_names_the_tenants_address(void **state)
{
	struct rms_locations l;
	char out[LOCATIONS_ANSWER_BYTES];
	struct slice child;
	assert_null(rms_locations_read(
	        SLICE(START ASK("CertificationService") ASK("LicensingService") ASK("ActivationService") END), &l));
	size_t len = rms_locations_answer(&l, SOAP_11, SLICE(ORIGIN), out, sizeof(out));
	assert_true(len > 0);
	out[len] = 0;
	assert_int_equal(soap_first_child(out, len, true, &child), SOAP_FOUND);
	assert_true(slice_equal(child, SLICE("FindServiceLocationsResponse")));
	const char *first = strstr(out, "<URL>" ORIGIN "/_wmcs/certification</URL><Type>CertificationService</Type>");
	const char *second = strstr(out, "<URL>" ORIGIN "/_wmcs/licensing</URL><Type>LicensingService</Type>");
	assert_true(first && second && first < second);
	assert_non_null(strstr(out, "<URL></URL><Type>ActivationService</Type>"));
	assert_int_equal(rms_locations_answer(&l, SOAP_11, SLICE(ORIGIN), out, len), 0);
	assert_true(rms_locations_answer(&l, SOAP_12, SLICE(ORIGIN), out, sizeof(out)) > 0);
	assert_non_null(strstr(out, "http://www.w3.org/2003/05/soap-envelope"));
}

static void bounds(void **state)
{
	static char message[LOCATIONS_REQUEST_BYTES + 1], out[LOCATIONS_ANSWER_BYTES], origin[LOCATIONS_ORIGIN_BYTES];
	struct rms_locations l;
	size_t n = (size_t)sprintf(message, START);
	for (int i = 0; i < LOCATIONS_MAX; i++)
		n += (size_t)sprintf(message + n, ASK("CertificationInternalService"));
	strcpy(message + n, END);
	assert_null(rms_locations_read(slice_str(message), &l));
	memset(origin, 'o', sizeof(origin));
	assert_true(rms_locations_answer(&l, SOAP_11, slice_of(origin, sizeof(origin)), out, sizeof(out)) > 0);
	strcpy(message + n, ASK("LicensingService") END);
	assert_non_null(rms_locations_read(slice_str(message), &l));
	memset(message, ' ', sizeof(message));
	assert_non_null(strstr(rms_locations_read(slice_of(message, sizeof(message)), &l), "longer"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(types_are_read_in_their_order_or_the_question_is_refused),
	        cmocka_unit_test(the_answer_names_the_tenants_address),
	        cmocka_unit_test(bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
