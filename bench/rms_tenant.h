/* A tenant of the cloud stand-in: its licensor key and the hierarchy above it, its certificate chain, its templates. Made once, then never
 * changed: any thread may read. The same URL and key files give the same bytes in every run but for the times in them. */
#pragma once
#include "bench/xrml_make.h"
#include "core/base/err.h"

struct rms_template {
	char guid[XRML_GUID_LEN + 1];
	char hash[64];       /* base64 of the SHA-256 of the text */
	struct text escaped; /* the XrML, as AcquireTemplates carries it */
};

struct rms_tenant {
	struct crypto_key *slc;       /* licensor key: signs RAC, CLC, UL and templates */
	struct crypto_key *authority; /* the whole enrolment hierarchy above it */
	char base[320];               /* "https://host/_wmcs", escaped */
	char guid[XRML_GUID_LEN + 1], modulus[XRML_MODULUS_LEN + 1];
	struct xrml_party party;
	struct xrml_times times;
	struct text chain; /* four Certificate elements: licensor, enrolment service, enrolment CA, root */
	struct text slc_text;
	struct rms_template *templates;
	size_t template_count;
};

struct rms_tenant_options {
	const char *url; /* "https://host[:port]"; a path after it is dropped */
	const char *
	        key_file; /* PEM; made when absent, with a second one NAME.authority beside it. NULL: keys of this run only */
	unsigned templates;
};
struct err rms_tenant_new(const struct rms_tenant_options *o, struct rms_tenant **out);
void rms_tenant_free(struct rms_tenant *t);
const struct rms_template *rms_tenant_template(const struct rms_tenant *t, struct slice guid);
/* GUID of a tenant's nth template: callers that have not asked yet know it too. */
void rms_tenant_template_guid(const char *url, unsigned n, char out[static XRML_GUID_LEN + 1]);

/* The chain above a licensor key, four Certificate elements, as *slc_text the first one's XrML alone. For tenants, and for callers that must show
 * a chain before they have talked to one. */
void rms_chain_make(struct text *chain, struct text *slc_text, const struct xrml_party *tenant,
                    const struct crypto_key *authority);
