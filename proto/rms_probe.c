#include "proto/rms_probe.h"

#include <stdio.h>
#include <string.h>

#define NAMESPACE "http://microsoft.com/DRM/"

const enum rms_op_id rms_probes[RMS_PROBES] = {OP_GET_SERVER_INFO, OP_GET_LICENSOR_CERTIFICATE,
                                               OP_FIND_SERVICE_LOCATIONS, OP_ACQUIRE_TEMPLATE_INFORMATION};

/* As Exchange asks: versions, and what it wants to know (GetServerInfo has no VersionData). */
static const struct {
	enum rms_op_id op;
	const char *namespace, *version, *inside;
} rows[RMS_PROBES] = {
        {OP_GET_SERVER_INFO, "ServerService", NULL,
         "<requests><ServerInfoRequest><Type>ServerFeatureInfo</Type></ServerInfoRequest>"
         "<ServerInfoRequest><Type>VersionInfo</Type></ServerInfoRequest></requests>"},
        {OP_GET_LICENSOR_CERTIFICATE, "ServerService", "1.0.0.0", ""},
        {OP_FIND_SERVICE_LOCATIONS, "ServerService", "1.2.0.0",
         "<ServiceNames><ServiceLocationRequest><Type>LicensingService</Type></ServiceLocationRequest>"
         "<ServiceLocationRequest><Type>CertificationService</Type></ServiceLocationRequest></ServiceNames>"},
        {OP_ACQUIRE_TEMPLATE_INFORMATION, "TemplateDistributionService", "1.1.0.0", ""},
};

size_t rms_probe_body(enum rms_op_id op, char out[static RMS_PROBE_BYTES])
{
	char header[512] = "";
	for (size_t i = 0; i < RMS_PROBES; i++) {
		if (rows[i].op != op)
			continue;
		if (rows[i].version)
			snprintf(header, sizeof(header),
			         "<soap:Header><VersionData xmlns=\"" NAMESPACE
			         "%s\"><MinimumVersion>%s</MinimumVersion><MaximumVersion>%s</MaximumVersion>"
			         "</VersionData></soap:Header>",
			         rows[i].namespace, rows[i].version, rows[i].version);
		return (size_t)snprintf(out, RMS_PROBE_BYTES,
		                        "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
		                        "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">%s"
		                        "<soap:Body><%.*s xmlns=\"" NAMESPACE
		                        "%s\">%s</%.*s></soap:Body></soap:Envelope>",
		                        header, SLICE_ARG(rms_ops[op].name), rows[i].namespace, rows[i].inside,
		                        SLICE_ARG(rms_ops[op].name));
	}
	out[0] = 0;
	return 0;
}

size_t rms_probe_lines(enum rms_op_id op, enum soap_version soap, char *out, size_t cap)
{
	int n = snprintf(out, cap,
	                 soap == SOAP_12 ? "Content-Type: application/soap+xml; charset=utf-8; action=\"%.*s\"\r\n"
	                                 : "Content-Type: text/xml; charset=utf-8\r\nSOAPAction: \"%.*s\"\r\n",
	                 SLICE_ARG(rms_ops[op].action));
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}
