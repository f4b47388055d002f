#include "bench/rms_caller.h"

#include "bench/rms_tenant.h"

#include <stdio.h>
#include <stdlib.h>

enum { RIGHTS_BYTES = 6201 }; /* encrypted rights data in a publishing licence */

static struct xrml_party tenant_party(const struct rms_caller *c)
{
	return (struct xrml_party){.type = SLICE("MS-DRM-Server"),
	                           .id_type = SLICE("MS-GUID"),
	                           .id = slice_str(c->tenant_guid),
	                           .name = slice_str(c->tenant_name),
	                           .address = slice_str(c->base),
	                           .modulus = slice_str(c->tenant_modulus)};
}

static struct xrml_party account_party(const struct rms_caller *c)
{
	return (struct xrml_party){.type = SLICE("Group-Identity"),
	                           .id_type = SLICE("Windows"),
	                           .id = slice_str(c->sid),
	                           .name = slice_str(c->account),
	                           .modulus = slice_str(c->modulus)};
}

static void add_certificate(struct text *out, struct slice xrml)
{
	text_add_str(out, "<Certificate>");
	text_add(out, xrml);
	text_add_str(out, "</Certificate>");
}

/* The security processor's certificate and its three issuers. One key serves for all: nobody but tests looks. */
static void make_machine_chain(struct rms_caller *c)
{
	static const char *const names[] = {"Stand-in SPC issuer", "Stand-in security processor CA",
	                                    "Stand-in Root CA"};
	struct xrml_party machine = {.type = SLICE("Machine-Unique-Identifier"),
	                             .id_type = SLICE("MS-GUID"),
	                             .id = slice_str(c->machine),
	                             .name = SLICE("Machine"),
	                             .modulus = slice_str(c->modulus)};
	struct xrml_party links[3];
	char guids[3][XRML_GUID_LEN + 1];
	struct text one = {0};
	for (size_t i = 0; i < ARRAY_COUNT(links); i++) {
		xrml_guid(guids[i], "security-processor", slice_str(names[i]));
		links[i] = (struct xrml_party){.type = i < 2 ? SLICE("MS-DRM-Desktop-Security-Processor")
		                                             : SLICE("MS-DRM-Server"),
		                               .id_type = SLICE("MS-GUID"),
		                               .id = slice_str(guids[i]),
		                               .name = slice_str(names[i]),
		                               .modulus = slice_str(c->modulus)};
	}
	xrml_make_machine(&one, &links[0], &machine, c->key, &c->times);
	add_certificate(&c->machine_chain, text_slice(&one));
	for (size_t i = 0; i < ARRAY_COUNT(links); i++) {
		bool root = i + 1 == ARRAY_COUNT(links);
		text_clear(&one);
		xrml_make_link(&one, "Certificate-Authority", &links[root ? i : i + 1], &links[i], c->key, &c->times,
		               root);
		add_certificate(&c->machine_chain, text_slice(&one));
	}
	text_free(&one);
}

/* Chains that a caller has before it has talked to a tenant: the same shapes, signed with its own key. */
static void make_own_chains(struct rms_caller *c)
{
	struct xrml_party tenant = tenant_party(c), account = account_party(c);
	struct text upper = {0}, slc = {0}, one = {0};
	rms_chain_make(&upper, &slc, &tenant, c->key);
	xrml_make_rac(&one, &tenant, &account, slice_str(c->machine), true, text_slice(&c->machine_chain), c->key,
	              &c->times);
	add_certificate(&c->rac_chain, text_slice(&one));
	text_add(&c->rac_chain, text_slice(&upper));
	text_clear(&one);
	xrml_make_clc(&one, &tenant, &account, text_slice(&c->rac_chain), c->key, &c->times);
	add_certificate(&c->clc_chain, text_slice(&one));
	text_add(&c->clc_chain, text_slice(&upper));
	text_free(&upper);
	text_free(&slc);
	text_free(&one);
}

static void make_licences(struct rms_caller *c)
{
	struct xrml_party tenant = tenant_party(c), author = account_party(c);
	char seed[320], guid[XRML_GUID_LEN + 1];
	for (unsigned i = 0; i < RMS_CALLER_LICENCES; i++) {
		snprintf(seed, sizeof seed, "%s %u", c->account, i);
		xrml_guid(guid, "content", slice_str(seed));
		text_clear(&c->licences[i]);
		xrml_make_pl(&c->licences[i], &author, &tenant, slice_str(guid), RIGHTS_BYTES, c->key, &c->times);
	}
	text_clear(&c->unsigned_licence);
	author.modulus = SLICE("");
	xrml_make_pl(&c->unsigned_licence, &author, &tenant, slice_str(guid), RIGHTS_BYTES, NULL, &c->times);
}

struct err rms_caller_new(const struct rms_caller_options *o, struct rms_caller **out)
{
	const char *url = o->tenant_url ? o->tenant_url : RMS_TENANT_URL;
	if (strlen(o->account) > 200 || strpbrk(o->account, "<>&\"") || strlen(url) > 256 || strpbrk(url, "<>&\""))
		return ERR_OF(SETTINGS,
		              .what = "the account or tenant URL is too long, or has characters that XML reserves");
	struct rms_caller *c = calloc(1, sizeof *c);
	CHECK(c);
	c->key = o->key;
	if (!c->key) {
		struct err e = crypto_key_make(&c->own_key);
		if (e.code) {
			free(c);
			return e;
		}
		c->key = c->own_key;
	}
	snprintf(c->account, sizeof c->account, "%s", o->account);
	if (o->sid)
		snprintf(c->sid, sizeof c->sid, "%.63s", o->sid);
	else
		xrml_sid(c->sid, slice_str(c->account));
	xrml_guid(c->machine, "machine", slice_str(c->account));
	xrml_modulus(c->key, c->modulus);
	snprintf(c->base, sizeof c->base, "%s/_wmcs", url);
	xrml_guid(c->tenant_guid, "tenant", slice_str(c->base));
	snprintf(c->tenant_name, sizeof c->tenant_name, "Contoso-Tenant");
	memcpy(c->tenant_modulus, c->modulus, sizeof c->tenant_modulus);
	for (c->guid_count = 0; c->guid_count < RMS_CALLER_GUIDS_PER_CALL; c->guid_count++)
		rms_tenant_template_guid(url, (unsigned)c->guid_count, c->guids[c->guid_count]);
	xrml_times_make(&c->times, clock_wall(), 365);
	make_machine_chain(c);
	make_own_chains(c);
	make_licences(c);
	*out = c;
	return OK;
}

void rms_caller_free(struct rms_caller *c)
{
	if (!c)
		return;
	text_free(&c->machine_chain);
	text_free(&c->rac_chain);
	text_free(&c->clc_chain);
	text_free(&c->unsigned_licence);
	for (size_t i = 0; i < RMS_CALLER_LICENCES; i++)
		text_free(&c->licences[i]);
	crypto_key_free(c->own_key);
	crypto_key_free(c->slc);
	free(c);
}

const struct crypto_key *rms_caller_slc(const struct rms_caller *c)
{
	return c->slc;
}

/* ---- learning ---- */

/* Text between two marks; *at moves behind the second. */
static bool between(struct slice text, const char *start, const char *end, size_t *at, struct slice *out)
{
	struct slice rest = slice_from(text, *at);
	const char *from = memmem(rest.at, rest.len, start, strlen(start));
	if (!from)
		return false;
	from += strlen(start);
	const char *to = memmem(from, rest.len - (size_t)(from - rest.at), end, strlen(end));
	if (!to)
		return false;
	*out = slice_of(from, (size_t)(to - from));
	*at = (size_t)(to - text.at) + strlen(end);
	return true;
}

static void copy(char *out, size_t cap, struct slice s)
{
	snprintf(out, cap, "%.*s", SLICE_ARG(s));
}

static bool learn_tenant(struct rms_caller *c, struct slice answer)
{
	struct xrml x;
	struct crypto_key *slc;
	size_t at = 0;
	if (!xrml_next(answer, &at, &x) || !slice_equal(x.type, SLICE("Server-Licensor-Certificate")) ||
	    x.subject_id.len != XRML_GUID_LEN || !xrml_subject_key(&x, &slc))
		return false;
	crypto_key_free(c->slc);
	c->slc = slc;
	copy(c->tenant_guid, sizeof c->tenant_guid, x.subject_id);
	copy(c->tenant_name, sizeof c->tenant_name, x.subject_name);
	copy(c->tenant_modulus, sizeof c->tenant_modulus, x.subject_modulus);
	make_licences(c);
	return true;
}

static bool learn_chain(struct text *chain, struct slice answer, const char *leaf_type)
{
	struct xrml x;
	struct slice found;
	size_t at = 0, in = 0;
	if (!between(answer, "<CertificateChain>", "</CertificateChain>", &at, &found) || !xrml_next(found, &in, &x) ||
	    !slice_equal(x.type, slice_str(leaf_type)))
		return false;
	text_clear(chain);
	text_add(chain, found);
	return true;
}

static bool learn_account(struct rms_caller *c, struct slice answer)
{
	struct xrml rac;
	size_t at = 0;
	if (!learn_chain(&c->rac_chain, answer, "Group-Identity-Credential"))
		return false;
	if (xrml_next(text_slice(&c->rac_chain), &at, &rac) && rac.subject_name.len < sizeof c->account &&
	    rac.subject_id.len < sizeof c->sid) {
		copy(c->account, sizeof c->account, rac.subject_name);
		copy(c->sid, sizeof c->sid, rac.subject_id);
		make_licences(c);
	}
	return true;
}

static bool learn_templates(struct rms_caller *c, struct slice answer)
{
	size_t at = 0, n = 0;
	for (struct slice guid; n < RMS_CALLER_GUIDS && between(answer, "<Guid>", "</Guid>", &at, &guid);) {
		if (guid.len == XRML_GUID_LEN)
			copy(c->guids[n++], sizeof c->guids[0], guid);
	}
	if (n)
		c->guid_count = n;
	return n > 0;
}

bool rms_caller_learn(struct rms_caller *c, enum rms_op_id op, struct slice answer)
{
	switch (op) {
	case OP_GET_LICENSOR_CERTIFICATE:
		return learn_tenant(c, answer);
	case OP_CERTIFY:
		return learn_account(c, answer);
	case OP_GET_CLIENT_LICENSOR_CERT:
		return learn_chain(&c->clc_chain, answer, "Client-Licensor-Certificate");
	case OP_ACQUIRE_TEMPLATE_INFORMATION:
		return learn_templates(c, answer);
	default:
		return false;
	}
}
