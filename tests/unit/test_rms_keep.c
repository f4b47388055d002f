/* Which answers of the cloud may be given again, and how long. */
#include "proto/rms_keep.h"

#include "core/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ENVELOPE                                                    \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope " \
	"xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">"
#define BEGIN          ENVELOPE "<soap:Body>"
#define END            "</soap:Body></soap:Envelope>"
#define SERVICE        " xmlns=\"http://microsoft.com/DRM/ServerService\">"
#define ANSWER(name)   "<" name "Response" SERVICE "<" name "Result>"
#define ANSWERED(name) "</" name "Result></" name "Response>"
#define SLC(times)                                                                       \
	"<XrML xmlns=\"\" version=\"1.2\"><BODY type=\"LICENSE\" version=\"3.0\">" times \
	"<DESCRIPTOR><OBJECT type=\"Server-Licensor-Certificate\"><ID "                  \
	"type=\"MS-GUID\">x</ID></OBJECT></DESCRIPTOR></BODY></XrML>"
#define OTHER(times)                                                                     \
	"<XrML xmlns=\"\" version=\"1.2\"><BODY type=\"LICENSE\" version=\"3.0\">" times \
	"<DESCRIPTOR><OBJECT type=\"Certificate-Authority\"/></DESCRIPTOR></BODY></XrML>"
#define VALID(from, until) "<VALIDITYTIME><FROM>" from "</FROM><UNTIL>" until "</UNTIL></VALIDITYTIME>"
#define RANGE(from, until)                                                                                         \
	"<WORK><RIGHTSGROUP><RIGHTSLIST><ISSUE><CONDITIONLIST><TIME><RANGETIME><FROM>" from "</FROM><UNTIL>" until \
	"</UNTIL></RANGETIME></TIME></CONDITIONLIST></ISSUE></RIGHTSLIST></RIGHTSGROUP></WORK>"
#define CERTIFICATE(x)                                                                                                \
	BEGIN ANSWER("GetLicensorCertificate") "<CertificateChain><Certificate>" x                                    \
	                                       "</Certificate></CertificateChain>" ANSWERED("GetLicensorCertificate") \
	                                               END
#define LOCATED                                                                                 \
	BEGIN ANSWER("FindServiceLocations") "<ServiceLocationResponse><URL>https://a/</URL></" \
	                                     "ServiceLocationResponse>" ANSWERED("FindServiceLocations") END
#define TEMPLATES(what) BEGIN ANSWER("AcquireTemplateInformation") what ANSWERED("AcquireTemplateInformation") END

/* 2026-03-01T00:00 */
enum { NOW = 1772323200, DAY = 86400, HOUR = 3600, NEVER = -1 };

static const struct {
	const char *name;
	enum rms_op_id op;
	const char *body;
	int fresh, stale; /* NEVER: not kept */
} cases[] = {
        {"I02: a day, where the certificate lives longer", OP_GET_LICENSOR_CERTIFICATE,
         CERTIFICATE(SLC(VALID("2020-01-01T00:00", "2030-01-01T00:00"))), DAY, HOUR},
        {"I02: to the certificate's end, and not a second of an hour more", OP_GET_LICENSOR_CERTIFICATE,
         CERTIFICATE(SLC(VALID("2020-01-01T00:00", "2026-03-01T02:30"))), 9000, 0},
        {"I02: of what is old the certificate's end is an end, too", OP_GET_LICENSOR_CERTIFICATE,
         CERTIFICATE(SLC(VALID("2020-01-01T00:00", "2026-03-02T00:20"))), DAY, 1200},
        {"I02: the right to issue ends first", OP_GET_LICENSOR_CERTIFICATE,
         CERTIFICATE(SLC(VALID("2020-01-01T00:00", "2030-01-01T00:00") RANGE("2020-01-01T00:00", "2026-03-01T01:00"))),
         3600, 0},
        {"I02: over", OP_GET_LICENSOR_CERTIFICATE, CERTIFICATE(SLC(VALID("2020-01-01T00:00", "2026-03-01T00:00"))),
         NEVER, 0},
        {"I02: not begun", OP_GET_LICENSOR_CERTIFICATE, CERTIFICATE(SLC(VALID("2026-03-01T00:01", "2030-01-01T00:00"))),
         NEVER, 0},
        {"the end of an authority above it is not its end", OP_GET_LICENSOR_CERTIFICATE,
         CERTIFICATE(SLC(VALID("2020-01-01T00:00", "2030-01-01T00:00"))
                             OTHER(VALID("2001-01-01T00:00", "2013-01-01T00:00"))),
         DAY, HOUR},
        {"a time that cannot be read: a short time", OP_GET_LICENSOR_CERTIFICATE,
         CERTIFICATE(SLC(VALID("2020-01-01T00:00", "2030-01-01T00:00:00"))), RMS_KEEP_SHORT_S, 0},
        {"no such day", OP_GET_LICENSOR_CERTIFICATE, CERTIFICATE(SLC(VALID("2020-01-01T00:00", "2030-02-29T00:00"))),
         RMS_KEEP_SHORT_S, 0},
        {"the last day of February of a leap year", OP_GET_LICENSOR_CERTIFICATE,
         CERTIFICATE(SLC(VALID("2020-01-01T00:00", "2028-02-29T23:59"))), DAY, HOUR},
        {"no end at all: a short time", OP_GET_LICENSOR_CERTIFICATE, CERTIFICATE(SLC("")), RMS_KEEP_SHORT_S, 0},
        {"something inside UNTIL", OP_GET_LICENSOR_CERTIFICATE,
         CERTIFICATE(SLC(VALID("2020-01-01T00:00", "2030-01-01<b/>T00:00"))), RMS_KEEP_SHORT_S, 0},
        {"not the tenant's own certificate: a short time", OP_GET_LICENSOR_CERTIFICATE,
         CERTIFICATE(OTHER(VALID("2020-01-01T00:00", "2030-01-01T00:00"))), RMS_KEEP_SHORT_S, 0},
        {"a certificate as escaped text: a short time", OP_GET_SERVER_INFO,
         BEGIN ANSWER("GetServerInfo") "&lt;XrML>" ANSWERED("GetServerInfo") END, RMS_KEEP_SHORT_S, 0},
        {"no certificate in an answer that is one", OP_GET_LICENSOR_CERTIFICATE, CERTIFICATE(""), NEVER, 0},
        {"server information: 15 minutes, an hour more while the cloud is away", OP_GET_SERVER_INFO,
         BEGIN ANSWER("GetServerInfo") "<Results xmlns=\"\"/>" ANSWERED("GetServerInfo") END, 900, HOUR},
        {"I02: server information with the certificate ends with it", OP_GET_SERVER_INFO,
         BEGIN ANSWER("GetServerInfo") "<Results xmlns=\"\">" SLC(
                 VALID("2020-01-01T00:00", "2026-03-01T00:10")) "</Results>" ANSWERED("GetServerInfo") END,
         600, 0},
        {"locations: an hour, and never longer", OP_FIND_SERVICE_LOCATIONS, LOCATED, HOUR, 0},
        {"template information: 15 minutes", OP_ACQUIRE_TEMPLATE_INFORMATION,
         TEMPLATES("<GuidHash><Guid>a</Guid></GuidHash>"), 900, 0},
        {"no template: a minute", OP_ACQUIRE_TEMPLATE_INFORMATION, TEMPLATES("<GuidHashCount>0</GuidHashCount>"),
         RMS_KEEP_SHORT_S, 0},
        {"I01: licences are not kept", OP_ACQUIRE_LICENSE,
         BEGIN ANSWER("AcquireLicense") ANSWERED("AcquireLicense") END, NEVER, 0},
        {"I01: nor certificates of accounts", OP_CERTIFY, BEGIN ANSWER("Certify") ANSWERED("Certify") END, NEVER, 0},
        {"I01: nor client licensor certificates", OP_GET_CLIENT_LICENSOR_CERT,
         BEGIN ANSWER("GetClientLicensorCert") ANSWERED("GetClientLicensorCert") END, NEVER, 0},
        {"I01: another operation's answer", OP_GET_SERVER_INFO, LOCATED, NEVER, 0},
        {"I01: the longer name of another operation", OP_FIND_SERVICE_LOCATIONS,
         BEGIN ANSWER("FindServiceLocationsForUser") ANSWERED("FindServiceLocationsForUser") END, NEVER, 0},
        {"I01: a fault", OP_FIND_SERVICE_LOCATIONS,
         BEGIN "<soap:Fault><faultcode>soap:Server</faultcode></soap:Fault>" END, NEVER, 0},
        {"I01: an exception inside", OP_GET_LICENSOR_CERTIFICATE,
         CERTIFICATE(SLC(VALID("2020-01-01T00:00", "2030-01-01T00:00")) "<AcquireException/>"), NEVER, 0},
        {"I01: an exception in the header", OP_FIND_SERVICE_LOCATIONS,
         ENVELOPE "<soap:Header><x:Exception xmlns:x=\"x\"/></soap:Header><soap:Body>" ANSWER("FindServiceLocations")
                 ANSWERED("FindServiceLocations") END,
         NEVER, 0},
        {"I01: two children of Body", OP_FIND_SERVICE_LOCATIONS,
         BEGIN ANSWER("FindServiceLocations") ANSWERED("FindServiceLocations") "<a/>" END, NEVER, 0},
        {"I01: in no service's namespace", OP_FIND_SERVICE_LOCATIONS, BEGIN "<FindServiceLocationsResponse/>" END,
         NEVER, 0},
        {"I01: cut", OP_FIND_SERVICE_LOCATIONS, BEGIN ANSWER("FindServiceLocations"), NEVER, 0},
        {"I01: something behind it", OP_FIND_SERVICE_LOCATIONS, LOCATED "x", NEVER, 0},
        {"I01: not SOAP", OP_FIND_SERVICE_LOCATIONS, "<html/>", NEVER, 0},
        {"I01: nothing", OP_FIND_SERVICE_LOCATIONS, "", NEVER, 0},
};

static void answers_are_kept_as_long_as_they_are_good(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct rms_keep k = {0};
		bool kept = rms_keep_for(&rms_ops[cases[i].op], slice_str(cases[i].body), NOW, &k);
		if (kept != (cases[i].fresh != NEVER) ||
		    (kept && (k.fresh_s != (uint32_t)cases[i].fresh || k.stale_s != (uint32_t)cases[i].stale)))
			fail_msg("%s: kept %d, %u s and %u s", cases[i].name, kept, k.fresh_s, k.stale_s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(answers_are_kept_as_long_as_they_are_good)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
