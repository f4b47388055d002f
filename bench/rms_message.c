#include "bench/rms_message.h"

#include "bench/rms_fault.h"

enum { RECIPIENTS_MAX = 100 };

#define NAMESPACE "http://microsoft.com/DRM/"

static void add_certificate(struct text *out, struct slice xrml)
{
	text_add_str(out, "<Certificate>");
	text_add(out, xrml);
	text_add_str(out, "</Certificate>");
}

struct making {
	struct text *out;
	const struct rms_caller *c;
	const struct rms_request_options *o;
	size_t serial_at;
};

static void add_serial(struct making *m)
{
	m->serial_at = m->out->len;
	text_format(m->out, "%016llx", (unsigned long long)m->o->serial);
}

static void add_application_data(struct making *m)
{
	text_add_str(m->out, "<ApplicationData><RequestId xmlns=\"\">");
	if (m->serial_at == SIZE_MAX)
		add_serial(m);
	else
		text_add_str(m->out, "0");
	text_add_str(m->out, "</RequestId></ApplicationData>");
}

static void certify(struct making *m)
{
	text_add_str(m->out, "<requestParams><MachineCertificateChain>");
	text_add(m->out, text_slice(&m->c->machine_chain));
	text_add_str(m->out, "</MachineCertificateChain><Persistent>true</Persistent></requestParams>");
}

static void license(struct making *m)
{
	text_add_str(m->out, "<RequestParams>");
	for (unsigned i = 0; i < (m->o->items ? m->o->items : 1); i++) {
		text_add_str(m->out, "<AcquireLicenseParams><LicenseeCerts>");
		text_add(m->out, text_slice(&m->c->rac_chain));
		text_add_str(m->out, "</LicenseeCerts>");
		if (i == 0) { /* later ones may leave it out and mean the last one given */
			text_add_str(m->out, "<IssuanceLicense>");
			add_certificate(m->out, text_slice(&m->c->licences[m->o->serial % RMS_CALLER_LICENCES]));
			text_add(m->out, text_slice(&m->c->clc_chain));
			text_add_str(m->out, "</IssuanceLicense>");
		}
		add_application_data(m);
		text_add_str(m->out, "</AcquireLicenseParams>");
	}
	text_add_str(m->out, "</RequestParams>");
}

static void prelicense(struct making *m)
{
	unsigned n = m->o->items ? m->o->items : 1;
	text_add_str(m->out, "<RequestParams><AcquirePreLicenseParams><LicenseeIdentities>");
	for (unsigned i = 0; i < n && i < RECIPIENTS_MAX; i++)
		text_format(m->out, "<string>recipient.number%03u@department.contoso.example</string>", i);
	text_add_str(m->out, "</LicenseeIdentities><IssuanceLicense>");
	add_certificate(m->out, text_slice(&m->c->licences[m->o->serial % RMS_CALLER_LICENCES]));
	text_add_str(m->out, "</IssuanceLicense>");
	add_application_data(m);
	text_add_str(m->out, "</AcquirePreLicenseParams></RequestParams>");
}

static void client_licensor_cert(struct making *m)
{
	text_add_str(m->out, "<RequestParams><GetClientLicensorCertParams><PersonaCerts>");
	text_add(m->out, text_slice(&m->c->rac_chain));
	text_add_str(m->out, "</PersonaCerts></GetClientLicensorCertParams></RequestParams>");
}

static void issuance_license(struct making *m)
{
	text_add_str(m->out, "<RequestParams><AcquireIssuanceLicenseParams><UnsignedIssuanceLicense>");
	text_add(m->out, text_slice(&m->c->unsigned_licence));
	text_add_str(m->out, "</UnsignedIssuanceLicense></AcquireIssuanceLicenseParams></RequestParams>");
}

static void templates(struct making *m)
{
	size_t n = m->o->items ? m->o->items : m->c->guid_count;
	text_add_str(m->out, "<guids>");
	for (size_t i = 0; i < n && i < RMS_CALLER_GUIDS_PER_CALL; i++)
		text_format(m->out, "<string>%s</string>", m->c->guids[i % m->c->guid_count]);
	text_add_str(m->out, "</guids>");
}

static void server_info(struct making *m)
{
	text_add_str(
	        m->out,
	        "<requests><ServerInfoRequest><Type>ServerFeatureInfo</Type></ServerInfoRequest><ServerInfoRequest>"
	        "<Type>VersionInfo</Type></ServerInfoRequest></requests>");
}

static void service_locations(struct making *m)
{
	text_add_str(m->out, "<ServiceNames>");
	for (size_t i = 0; i < 3; i++)
		text_format(m->out, "<ServiceLocationRequest><Type>%s</Type></ServiceLocationRequest>",
		            (const char *[]){"LicensingService", "PublishingService", "CertificationService"}[i]);
	text_add_str(m->out, "</ServiceNames>");
}

static const struct {
	const char *name, *namespace, *version; /* version NULL: the operation has no VersionData */
	void (*fill)(struct making *m);         /* NULL: no parameters */
	const char *path[2];
} operations[OP_COUNT] = {
        [OP_CERTIFY] = {"Certify",
                        "CertificationService",
                        "1.1.0.0",
                        certify,
                        {"/_wmcs/certification/servercertification.asmx", "/_wmcs/certification/certification.asmx"}},
        [OP_ACQUIRE_LICENSE] =
                {"AcquireLicense", "LicensingService", "1.1.0.0", license, {"/_wmcs/licensing/license.asmx"}},
        [OP_ACQUIRE_PRELICENSE] =
                {"AcquirePreLicense", "LicensingService", "1.1.0.0", prelicense, {"/_wmcs/licensing/license.asmx"}},
        [OP_GET_CLIENT_LICENSOR_CERT] = {"GetClientLicensorCert",
                                         "PublishingService",
                                         "1.1.0.0",
                                         client_licensor_cert,
                                         {"/_wmcs/licensing/publish.asmx"}},
        [OP_ACQUIRE_ISSUANCE_LICENSE] = {"AcquireIssuanceLicense",
                                         "PublishingService",
                                         "1.1.0.0",
                                         issuance_license,
                                         {"/_wmcs/licensing/publish.asmx"}},
        [OP_ACQUIRE_TEMPLATE_INFORMATION] = {"AcquireTemplateInformation",
                                             "TemplateDistributionService",
                                             "1.1.0.0",
                                             NULL,
                                             {"/_wmcs/licensing/templatedistribution.asmx"}},
        [OP_ACQUIRE_TEMPLATES] = {"AcquireTemplates",
                                  "TemplateDistributionService",
                                  "1.1.0.0",
                                  templates,
                                  {"/_wmcs/licensing/templatedistribution.asmx"}},
        [OP_GET_LICENSOR_CERTIFICATE] = {"GetLicensorCertificate",
                                         "ServerService",
                                         "1.0.0.0",
                                         NULL,
                                         {"/_wmcs/certification/server.asmx", "/_wmcs/licensing/server.asmx"}},
        [OP_GET_SERVER_INFO] = {"GetServerInfo",
                                "ServerService",
                                NULL,
                                server_info,
                                {"/_wmcs/certification/server.asmx", "/_wmcs/licensing/server.asmx"}},
        [OP_FIND_SERVICE_LOCATIONS] = {"FindServiceLocations",
                                       "ServerService",
                                       "1.2.0.0",
                                       service_locations,
                                       {"/_wmcs/certification/server.asmx", "/_wmcs/licensing/server.asmx"}},
        [OP_FIND_SERVICE_LOCATIONS_FOR_USER] = {"FindServiceLocationsForUser",
                                                "ServiceLocatorService",
                                                "1.0.0.0",
                                                service_locations,
                                                {"/_wmcs/certification/servicelocator.asmx",
                                                 "/_wmcs/licensing/servicelocator.asmx"}},
};

size_t rms_request_make(struct text *out, const struct rms_caller *c, enum rms_op_id op,
                        const struct rms_request_options *o)
{
	static const char end[] = "</soap:Envelope>";
	struct making m = {.out = out, .c = c, .o = o, .serial_at = SIZE_MAX};
	size_t start = out->len;
	CHECK(op < OP_NONE);
	rms_envelope_start(out, o->soap);
	if (operations[op].version)
		text_format(out,
		            "<soap:Header><VersionData xmlns=\"" NAMESPACE "%s\"><MinimumVersion>%s</MinimumVersion>"
		            "<MaximumVersion>%s</MaximumVersion></VersionData></soap:Header>",
		            operations[op].namespace, operations[op].version, operations[op].version);
	text_format(out, "<soap:Body><%s xmlns=\"" NAMESPACE "%s\"", operations[op].name, operations[op].namespace);
	if (operations[op].fill) {
		text_add_str(out, ">");
		operations[op].fill(&m);
		text_format(out, "</%s>", operations[op].name);
	} else {
		text_add_str(out, "/>");
	}
	text_add_str(out, "</soap:Body>");
	if (m.serial_at == SIZE_MAX && o->serial) {
		text_add_str(out, "<!--");
		add_serial(&m);
		text_add_str(out, "-->");
	}
	size_t natural = out->len - start + sizeof end - 1;
	if (o->bytes >= natural + 10) {
		text_add_str(out, "<!--");
		memset(text_grow(out, o->bytes - natural - 7), 'p', o->bytes - natural - 7);
		text_add_str(out, "-->");
	}
	text_add_str(out, end);
	return m.serial_at;
}

const char *rms_request_path(enum rms_op_id op, unsigned which)
{
	CHECK(op < OP_NONE);
	return which < 2 ? operations[op].path[which] : NULL;
}

void rms_request_headers(struct text *out, enum rms_op_id op, enum soap_version soap)
{
	CHECK(op < OP_NONE);
	text_format(out,
	            soap == SOAP_12 ? "Content-Type: application/soap+xml; charset=utf-8; action=\"" NAMESPACE
	                              "%s/%s\"\r\n"
	                            : "Content-Type: text/xml; charset=utf-8\r\nSOAPAction: \"" NAMESPACE "%s/%s\"\r\n",
	            operations[op].namespace, operations[op].name);
}
