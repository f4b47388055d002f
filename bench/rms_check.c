#include "bench/rms_check.h"

#include <expat.h>

#include <stdio.h>

/* What an answer of each operation holds: elements of that name at that depth (Envelope is 1, the Result element 4) are its items, failed where an
 * element of the second name stands inside, or where one of the third does not. */
static const struct {
	const char *name, *item;
	unsigned depth;
	const char *failed_by, *failed_without;
} rows[OP_COUNT] = {
        [OP_CERTIFY] = {"Certify", "CertificateChain", 5, NULL, "XrML"},
        [OP_ACQUIRE_LICENSE] = {"AcquireLicense", "AcquireLicenseResponse", 5, "AcquireLicenseException", "XrML"},
        [OP_ACQUIRE_PRELICENSE] = {"AcquirePreLicense", "Certificate", 7, "AcquirePreLicenseException", "XrML"},
        [OP_GET_CLIENT_LICENSOR_CERT] = {"GetClientLicensorCert", "GetClientLicensorCertResponse", 5, NULL, "XrML"},
        [OP_ACQUIRE_ISSUANCE_LICENSE] = {"AcquireIssuanceLicense", "AcquireIssuanceLicenseResponse", 5, NULL, "XrML"},
        [OP_ACQUIRE_TEMPLATE_INFORMATION] = {"AcquireTemplateInformation", "GuidHash", 5, NULL, "Hash"},
        [OP_ACQUIRE_TEMPLATES] = {"AcquireTemplates", "GuidTemplate", 5, NULL, "Template"},
        [OP_GET_LICENSOR_CERTIFICATE] = {"GetLicensorCertificate", "CertificateChain", 5, NULL, "XrML"},
        [OP_GET_SERVER_INFO] = {"GetServerInfo", "ServerInfoRequest", 6, NULL, NULL},
        [OP_FIND_SERVICE_LOCATIONS] = {"FindServiceLocations", "ServiceLocationResponse", 5, NULL, "URL"},
        [OP_FIND_SERVICE_LOCATIONS_FOR_USER] = {"FindServiceLocationsForUser", "ServiceLocationResponse", 5, NULL,
                                                "URL"},
};

struct looking {
	XML_Parser parser;
	enum rms_op_id op;
	unsigned depth;
	bool in_list, in_item, bad,
	        good_part; /* in_list: below Licenses, whose Certificates are the items of a pre-license answer */
	bool right_answer, fault;
	struct rms_check *out;
};

static struct slice local_name(const XML_Char *full)
{
	struct slice s = slice_str(full);
	size_t colon = slice_find(s, ':');
	return colon < s.len ? slice_from(s, colon + 1) : s;
}

static void on_start(void *arg, const XML_Char *full, const XML_Char **attributes)
{
	struct looking *l = arg;
	struct slice name = local_name(full);
	if (++l->depth > 200) {
		XML_StopParser(l->parser, XML_FALSE);
		return;
	}
	if (l->depth == 3) {
		char expected[64];
		snprintf(expected, sizeof expected, "%sResponse", rows[l->op].name);
		l->right_answer = slice_equal(name, slice_str(expected));
		l->fault = slice_equal(name, SLICE("Fault"));
	}
	if (l->depth == 6 && slice_equal(name, SLICE("Licenses")))
		l->in_list = true;
	bool listed = l->op != OP_ACQUIRE_PRELICENSE || l->in_list;
	if (l->depth == rows[l->op].depth && listed && slice_equal(name, slice_str(rows[l->op].item))) {
		l->in_item = true;
		l->bad = false;
		l->good_part = !rows[l->op].failed_without;
	} else if (l->in_item) {
		l->bad |= rows[l->op].failed_by && slice_equal(name, slice_str(rows[l->op].failed_by));
		l->good_part |= rows[l->op].failed_without && slice_equal(name, slice_str(rows[l->op].failed_without));
	}
}

static void on_end(void *arg, const XML_Char *full)
{
	struct looking *l = arg;
	if (l->in_item && l->depth == rows[l->op].depth) {
		l->in_item = false;
		l->out->items++;
		l->out->failed_items += l->bad || !l->good_part;
	}
	if (l->depth == 6)
		l->in_list = false;
	l->depth--;
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
	struct looking *l = arg;
	XML_StopParser(l->parser, XML_FALSE);
}

bool rms_answer_check(enum rms_op_id op, struct slice answer, size_t items, const struct crypto_key *slc, bool verify,
                      struct rms_check *out)
{
	*out = (struct rms_check){0};
	CHECK(op < OP_NONE);
	struct looking l = {.op = op, .out = out, .parser = XML_ParserCreate(NULL)};
	CHECK(l.parser);
	XML_SetUserData(l.parser, &l);
	XML_SetElementHandler(l.parser, on_start, on_end);
	XML_SetStartDoctypeDeclHandler(l.parser, on_doctype);
	bool parsed = answer.len && answer.len < 64u << 20 &&
	              XML_Parse(l.parser, answer.at, (int)answer.len, XML_TRUE) == XML_STATUS_OK;
	XML_ParserFree(l.parser);
	if (!parsed)
		out->why = "the answer is not well-formed XML";
	else if (l.fault)
		out->why = "the answer is a SOAP fault";
	else if (!l.right_answer)
		out->why = "the answer belongs to another operation";
	else if (items && out->items != items)
		out->why = "the answer has another number of items than were asked for";
	if (!out->why && verify && !xrml_verify_all(answer, slc, &out->signatures, &out->wrong) && out->wrong)
		out->why = "a signature in the answer is wrong";
	return out->why == NULL;
}
