#include "bench/rms_answer.h"

#include "bench/rms_fault.h"

#include <stdio.h>
#include <stdlib.h>

#define NAMESPACE "http://microsoft.com/DRM/"
#define CORE      "Microsoft.DigitalRightsManagement.Core."
#define LICENSING "Microsoft.DigitalRightsManagement.Licensing."
#define CRYPTO    "Microsoft.DigitalRightsManagement.Cryptography."
#define RIGHTS    "VIEW EDIT DOCEDIT PRINT EXTRACT REPLY REPLYALL FORWARD VIEWRIGHTSDATA EDITRIGHTSDATA OBJMODEL"

void rms_answers_init(struct rms_answers *a, const struct rms_tenant *tenant)
{
	a->tenant = tenant;
	rms_leaves_init(&a->leaves);
}

void rms_answers_done(struct rms_answers *a)
{
	rms_leaves_done(&a->leaves);
}

/* ---- one answer ---- */

struct answering {
	struct rms_answers *a;
	const struct rms_tenant *tenant;
	const struct rms_request *r;
	const struct rms_answer_options *o;
	struct text *out;
	const char *fault; /* why there is none */
	bool fault_is_clients;
};

static void add_certificate(struct text *out, struct slice xrml)
{
	text_add_str(out, "<Certificate>");
	text_add(out, xrml);
	text_add_str(out, "</Certificate>");
}

/* XrML of the next item of that kind in that element of the batch. */
static bool first_xrml(const struct rms_request *r, enum rms_item_kind kind, uint32_t params, struct xrml *x)
{
	size_t at = 0, in = 0;
	const struct rms_item *item = rms_request_next(r, &at, kind, params);
	return item && xrml_next(rms_request_text(r, item), &in, x) && x->body.len;
}

static bool is_failed(const struct answering *g, uint32_t item)
{
	for (size_t i = 0; i < g->o->errors.count; i++) {
		if (g->o->errors.items[i] == item)
			return true;
	}
	return false;
}

static void add_exception(struct answering *g, const char *element, uint32_t item, const char *usual)
{
	text_format(g->out,
	            "<Certificate><%s xmlns=\"\"><ExceptionString>%s</ExceptionString><batchindex>%u</batchindex></%s>"
	            "</Certificate>",
	            element, g->o->errors.exception ? g->o->errors.exception : usual, item, element);
}

/* The account a certificate or licence is for, with the key that the caller's own certificate names, or nobody's. */
struct account {
	struct xrml_party party;
	char sid[64], modulus[XRML_MODULUS_LEN + 1];
};

static void account_init(struct account *acc, struct slice name, struct slice sid, struct slice modulus)
{
	xrml_sid(acc->sid, name);
	if (modulus.len != XRML_MODULUS_LEN) {
		xrml_modulus_of_nobody(acc->modulus, name);
		modulus = slice_str(acc->modulus);
	}
	acc->party = (struct xrml_party){.type = SLICE("Group-Identity"),
	                                 .id_type = SLICE("Windows"),
	                                 .id = sid.len && sid.len < 200 ? sid : slice_str(acc->sid),
	                                 .name = name,
	                                 .modulus = modulus};
}

static bool certify(struct answering *g)
{
	struct xrml spc;
	size_t at = 0;
	if (!first_xrml(g->r, RMS_ITEM_MACHINE, 0, &spc)) {
		g->fault = CORE "VerifyMachineCertificateChainFailedException";
		return false;
	}
	struct slice text = rms_request_text(g->r, rms_request_next(g->r, &at, RMS_ITEM_PERSISTENT, 0));
	bool persistent = !slice_equal(slice_trim(text), SLICE("false"));
	struct slice name = g->o->identity.len ? g->o->identity : SLICE("connector-exchange@contoso.example");
	struct text *rac = rms_leaf_get(&g->a->leaves, persistent ? "rac" : "rac-temporary", spc.whole, name);
	if (!rac->len) {
		struct account acc;
		account_init(&acc, name, SLICE(""), spc.subject_modulus);
		xrml_make_rac(rac, &g->tenant->party, &acc.party, spc.subject_id, persistent, spc.whole, g->tenant->slc,
		              &g->tenant->times);
	}
	text_add_str(g->out, "<CertificateChain>");
	add_certificate(g->out, text_slice(rac));
	text_add(g->out, text_slice(&g->tenant->chain));
	text_add_str(g->out,
	             "</CertificateChain><Quota><Verified>true</Verified><CurrentConsumption>5</CurrentConsumption>"
	             "<Maximum>10</Maximum></Quota>");
	return true;
}

static bool client_licensor_cert(struct answering *g)
{
	size_t at = 0;
	for (const struct rms_item *p; (p = rms_request_next(g->r, &at, RMS_ITEM_PARAMS, 0)) != NULL;) {
		struct xrml rac;
		if (!first_xrml(g->r, RMS_ITEM_LICENSEE, p->params, &rac)) {
			g->fault = LICENSING "UnexpectedPersonaCertException";
			return false;
		}
		struct text *clc = rms_leaf_get(&g->a->leaves, "clc", rac.whole, SLICE(""));
		if (!clc->len) {
			struct account acc;
			account_init(&acc, rac.subject_name, rac.subject_id, rac.subject_modulus);
			xrml_make_clc(clc, &g->tenant->party, &acc.party, rac.whole, g->tenant->slc, &g->tenant->times);
		}
		text_add_str(g->out, "<GetClientLicensorCertResponse><CertificateChain>");
		add_certificate(g->out, text_slice(clc));
		text_add(g->out, text_slice(&g->tenant->chain));
		text_add_str(g->out, "</CertificateChain></GetClientLicensorCertResponse>");
	}
	return true;
}

static struct text *use_licence(struct answering *g, const struct xrml *pl, struct slice name, struct slice sid,
                                struct slice modulus, const char *rights)
{
	struct text *ul = rms_leaf_get(&g->a->leaves, rights, pl->whole, name);
	if (!ul->len) {
		struct account acc;
		account_init(&acc, name, sid, modulus);
		xrml_make_ul(ul, &g->tenant->party, &acc.party, pl->work_guid, rights, pl->whole, g->tenant->slc,
		             &g->tenant->times);
	}
	return ul;
}

static bool license(struct answering *g)
{
	size_t at = 0;
	struct xrml pl = {0}, rac;
	for (const struct rms_item *p; (p = rms_request_next(g->r, &at, RMS_ITEM_PARAMS, 0)) != NULL;) {
		/* Later items may leave the licence out: the last one given counts. */
		struct xrml given;
		if (first_xrml(g->r, RMS_ITEM_ISSUANCE, p->params, &given))
			pl = given;
		if (!pl.body.len || !first_xrml(g->r, RMS_ITEM_LICENSEE, p->params, &rac)) {
			g->fault = pl.body.len ? LICENSING "UnexpectedPersonaCertException"
			                       : "System.ArgumentNullException";
			return false;
		}
		text_add_str(g->out, "<AcquireLicenseResponse><CertificateChain>");
		if (is_failed(g, p->params - 1)) {
			add_exception(g, "AcquireLicenseException", p->params - 1,
			              LICENSING "NoRightsForRequestedPrincipalException");
			text_add_str(g->out, "</CertificateChain></AcquireLicenseResponse>");
			continue;
		}
		add_certificate(g->out, text_slice(use_licence(g, &pl, rac.subject_name, rac.subject_id,
		                                               rac.subject_modulus, "OWNER")));
		text_add(g->out, text_slice(&g->tenant->chain));
		text_add_str(g->out, "</CertificateChain><ReferenceCertificates/></AcquireLicenseResponse>");
	}
	return true;
}

static bool prelicense(struct answering *g)
{
	size_t at = 0;
	struct xrml pl;
	uint32_t number = 0;
	struct text name = {0};
	if (!first_xrml(g->r, RMS_ITEM_ISSUANCE, 1, &pl)) {
		g->fault = "System.ArgumentNullException";
		return false;
	}
	text_add_str(g->out, "<AcquirePreLicenseResponse><Licenses>");
	for (const struct rms_item *p; (p = rms_request_next(g->r, &at, RMS_ITEM_STRING, 1)) != NULL; number++) {
		struct slice address = rms_request_text(g->r, p);
		if (is_failed(g, number) || slice_find(address, '@') == address.len) {
			add_exception(g, "AcquirePreLicenseException", number,
			              LICENSING "AcquirePreLicenseInvalidLicenseeException");
			continue;
		}
		text_clear(&name);
		text_add_escaped(&name, address);
		add_certificate(g->out,
		                text_slice(use_licence(g, &pl, text_slice(&name), SLICE(""), SLICE(""), RIGHTS)));
	}
	text_add_str(g->out, "</Licenses><CertificateChain>");
	text_add(g->out, text_slice(&g->tenant->chain));
	text_add_str(g->out, "</CertificateChain><ReferenceCertificates/></AcquirePreLicenseResponse>");
	text_free(&name);
	return true;
}

static bool issuance_license(struct answering *g)
{
	size_t at = 0;
	for (const struct rms_item *p; (p = rms_request_next(g->r, &at, RMS_ITEM_PARAMS, 0)) != NULL;) {
		struct xrml unsigned_pl;
		if (!first_xrml(g->r, RMS_ITEM_UNSIGNED, p->params, &unsigned_pl)) {
			g->fault = "System.ArgumentNullException";
			return false;
		}
		struct text *pl = rms_leaf_get(&g->a->leaves, "pl", unsigned_pl.body, SLICE(""));
		if (!pl->len)
			xrml_sign_issued(pl, unsigned_pl.body, &g->tenant->party, g->tenant->slc);
		text_add_str(g->out, "<AcquireIssuanceLicenseResponse><CertificateChain>");
		add_certificate(g->out, text_slice(pl));
		text_add(g->out, text_slice(&g->tenant->chain));
		text_add_str(g->out, "</CertificateChain></AcquireIssuanceLicenseResponse>");
	}
	return true;
}

static bool template_information(struct answering *g)
{
	const struct rms_tenant *t = g->tenant;
	text_format(g->out, "<ServerPublicKey>%s</ServerPublicKey><GuidHashCount>%zu</GuidHashCount>", t->modulus,
	            t->template_count);
	for (size_t i = 0; i < t->template_count; i++)
		text_format(g->out, "<GuidHash><Guid>%s</Guid><Hash>%s</Hash></GuidHash>", t->templates[i].guid,
		            t->templates[i].hash);
	return true;
}

static bool templates(struct answering *g)
{
	size_t at = 0;
	for (const struct rms_item *p; (p = rms_request_next(g->r, &at, RMS_ITEM_STRING, 0)) != NULL;) {
		struct slice guid = rms_request_text(g->r, p);
		const struct rms_template *t = rms_tenant_template(g->tenant, guid);
		text_add_str(g->out, "<GuidTemplate><Guid>");
		text_add_escaped(g->out, guid);
		text_add_str(g->out, "</Guid>");
		if (t) {
			text_format(g->out, "<Hash>%s</Hash><Template>", t->hash);
			text_add(g->out, text_slice(&t->escaped));
			text_add_str(g->out, "</Template>");
		}
		text_add_str(g->out, "</GuidTemplate>");
	}
	return true;
}

static bool licensor_certificate(struct answering *g)
{
	text_add_str(g->out, "<CertificateChain>");
	text_add(g->out, text_slice(&g->tenant->chain));
	text_add_str(g->out, "</CertificateChain>");
	return true;
}

/* Path below the base of a service type; NULL: not a type; "": a service this cloud does not have. */
static const char *service_path(struct slice type)
{
	static const struct {
		const char *type, *path;
	} rows[] = {
	        {"EnrollmentService", ""},
	        {"LicensingService", "/licensing"},
	        {"PublishingService", "/licensing"},
	        {"CertificationService", "/certification"},
	        {"ActivationService", ""},
	        {"PrecertificationService", ""},
	        {"ServerService", "/certification"},
	        {"DrmRemoteDirectoryServices", ""},
	        {"GroupExpansionService", ""},
	        {"LicensingInternalService", "/licensing"},
	        {"CertificationInternalService", "/certification"},
	        {"ServerLicensingWSService", ""},
	        {"CertificationWSService", ""},
	        {"PreLicensingWSService", ""},
	        {"PublishingWSService", ""},
	        {"TemplateDistributionWSService", ""},
	        {"ServerLicensingMexService", ""},
	        {"CertificationMexService", ""},
	        {"PreLicensingMexService", ""},
	        {"PublishingMexService", ""},
	        {"TemplateDistributionMexService", ""},
	        {"AdminV2Service", ""},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (slice_equal(type, slice_str(rows[i].type)))
			return rows[i].path;
	}
	return NULL;
}

static bool service_locations(struct answering *g)
{
	size_t at = 0;
	for (const struct rms_item *p; (p = rms_request_next(g->r, &at, RMS_ITEM_TYPE, 0)) != NULL;) {
		struct slice type = rms_request_text(g->r, p);
		const char *path = service_path(type);
		if (!path) {
			g->fault = "System.InvalidOperationException";
			return false;
		}
		text_format(g->out,
		            "<ServiceLocationResponse><URL>%s%s</URL><Type>%.*s</Type></ServiceLocationResponse>",
		            *path ? g->tenant->base : "", path, SLICE_ARG(type));
	}
	return true;
}

static bool server_info(struct answering *g)
{
	size_t at = 0;
	text_add_str(g->out, "<Results xmlns=\"\">");
	for (const struct rms_item *p; (p = rms_request_next(g->r, &at, RMS_ITEM_TYPE, 0)) != NULL;) {
		struct slice type = rms_request_text(g->r, p), additional = SLICE("");
		if (at < g->r->item_count && g->r->items[at].kind == RMS_ITEM_ADDITIONAL)
			additional = rms_request_text(g->r, &g->r->items[at]);
		text_add_str(g->out, "<ServerInfoRequest Type=\"");
		text_add_escaped(g->out, type);
		text_add_str(g->out, "\" AdditionalInfo=\"");
		text_add_escaped(g->out, additional);
		text_add_str(g->out, "\">");
		if (slice_equal(type, SLICE("VersionInfo"))) {
			text_add_str(g->out, "<VersionInfo Version=\"6.1.0.0\"/>");
		} else if (slice_equal(type, SLICE("ServerFeatureInfo"))) {
			/* Exchange turns its rights management on only when it finds these two. */
			text_add_str(g->out,
			             "<ServerFeatureInfo><Feature Name=\"ServerCertificationSharedIdentity\" "
			             "Value=\"true\"/><Feature Name=\"MultiForestAcquirePreLicense\" Value=\"true\"/>"
			             "<Feature Name=\"CryptoMode\" Value=\"2\"/></ServerFeatureInfo>");
		} else if (slice_equal(type, SLICE("ServerLicensorCertificate"))) {
			text_add_str(g->out, "<ServerLicensorCertificateChain>");
			text_add(g->out, text_slice(&g->tenant->slc_text));
			text_add_str(g->out, "</ServerLicensorCertificateChain>");
		} else if (slice_equal(type, SLICE("ServiceLocations"))) {
			text_format(
			        g->out,
			        "<ServiceLocations><ServiceLocation Type=\"LicensingService\" Url=\"%s/licensing\"/>"
			        "<ServiceLocation Type=\"PublishingService\" Url=\"%s/licensing\"/><ServiceLocation "
			        "Type=\"CertificationService\" Url=\"%s/certification\"/></ServiceLocations>",
			        g->tenant->base, g->tenant->base, g->tenant->base);
		} else {
			g->fault = "System.ArgumentException";
			return false;
		}
		text_add_str(g->out, "</ServerInfoRequest>");
	}
	text_add_str(g->out, "</Results>");
	return true;
}

static const struct {
	const char *name, *namespace; /* of Body's first child; the answer's are made from them */
	bool (*fill)(struct answering *g);
	bool versioned, batch;
} operations[OP_COUNT] = {
        [OP_CERTIFY] = {"Certify", "CertificationService", certify, true, false},
        [OP_ACQUIRE_LICENSE] = {"AcquireLicense", "LicensingService", license, true, true},
        [OP_ACQUIRE_PRELICENSE] = {"AcquirePreLicense", "LicensingService", prelicense, true, true},
        [OP_GET_CLIENT_LICENSOR_CERT] = {"GetClientLicensorCert", "PublishingService", client_licensor_cert, true,
                                         true},
        [OP_ACQUIRE_ISSUANCE_LICENSE] = {"AcquireIssuanceLicense", "PublishingService", issuance_license, true, true},
        [OP_ACQUIRE_TEMPLATE_INFORMATION] = {"AcquireTemplateInformation", "TemplateDistributionService",
                                             template_information, true, false},
        [OP_ACQUIRE_TEMPLATES] = {"AcquireTemplates", "TemplateDistributionService", templates, true, false},
        [OP_GET_LICENSOR_CERTIFICATE] = {"GetLicensorCertificate", "ServerService", licensor_certificate, true, false},
        [OP_GET_SERVER_INFO] = {"GetServerInfo", "ServerService", server_info, false, false},
        [OP_FIND_SERVICE_LOCATIONS] = {"FindServiceLocations", "ServerService", service_locations, true, false},
        [OP_FIND_SERVICE_LOCATIONS_FOR_USER] = {"FindServiceLocationsForUser", "ServiceLocatorService",
                                                service_locations, true, false},
};

/* "a.b.c.d" as one number that compares as versions do; false: not of that form. */
static bool version_read(const char *text, uint64_t *out)
{
	unsigned part[4];
	int used = 0;
	if (sscanf(text, "%5u.%5u.%5u.%5u%n", &part[0], &part[1], &part[2], &part[3], &used) != 4 || text[used] ||
	    strpbrk(text, "+- \t"))
		return false;
	*out = (uint64_t)part[0] << 48 | (uint64_t)part[1] << 32 | (uint64_t)part[2] << 16 | part[3];
	return true;
}

static const char *version_fault(const struct rms_request *r, bool batched)
{
	uint64_t min = 1ull << 48, max = 1ull << 48;
	if ((r->version_min[0] && !version_read(r->version_min, &min)) ||
	    (r->version_max[0] && !version_read(r->version_max, &max)))
		return CORE "MalformedDataVersionException";
	if (max > (1ull << 48 | 2ull << 32) || min > max)
		return CORE "UnsupportedDataVersionException";
	if (batched && max < (1ull << 48 | 1ull << 32)) /* several licences in one request came with 1.1 */
		return CORE "UnsupportedDataVersionException";
	return NULL;
}

static void make(struct answering *g, enum rms_op_id op)
{
	const struct rms_request *r = g->r;
	uint32_t batch = r->item_count ? r->items[r->item_count - 1].params : 0;
	if (operations[op].versioned)
		g->fault = version_fault(r, batch > 1);
	if (!g->fault && operations[op].batch && !batch)
		g->fault = "System.ArgumentNullException";
	if (g->fault)
		return;
	rms_envelope_start(g->out, r->soap);
	if (operations[op].versioned)
		text_format(g->out,
		            "<soap:Header><VersionData "
		            "xmlns=\"%s\"><MinimumVersion>1.0.0.0</MinimumVersion><MaximumVersion>"
		            "1.2.0.0</MaximumVersion></VersionData></soap:Header>",
		            r->namespace);
	const char *name = operations[op].name;
	text_format(g->out, "<soap:Body><%sResponse xmlns=\"%s\"><%sResult>", name, r->namespace, name);
	if (operations[op].fill(g))
		text_format(g->out, "</%sResult></%sResponse></soap:Body></soap:Envelope>", name, name);
}

unsigned rms_answer_make(struct rms_answers *a, enum rms_op_id op, const struct rms_request *r,
                         const struct rms_answer_options *o, struct text *out)
{
	struct answering g = {.a = a, .tenant = a->tenant, .r = r, .o = o, .out = out};
	size_t start = out->len;
	struct slice ns = slice_str(r->namespace);
	bool ours = op < OP_COUNT && operations[op].fill &&
	            slice_equal(slice_str(r->name), slice_str(operations[op].name)) &&
	            slice_starts_with(ns, SLICE(NAMESPACE));
	if (ours) {
		ns = slice_from(ns, sizeof NAMESPACE - 1);
		/* The locator has two names: the specification's and the live service's. */
		ours = slice_equal(ns, slice_str(operations[op].namespace)) ||
		       (op == OP_FIND_SERVICE_LOCATIONS_FOR_USER && slice_equal(ns, SLICE("ServerService")));
	}
	if (!ours) {
		rms_fault_make(out, r->soap, true, "Server did not recognize the value of HTTP Header SOAPAction.");
		return 500;
	}
	make(&g, op);
	if (!g.fault)
		return 200;
	out->len = start;
	rms_fault_make(out, r->soap, false, g.fault);
	return 500;
}
