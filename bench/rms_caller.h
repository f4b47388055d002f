/* What a server that calls the RMS service has and remembers: its machine's certificate, the chains it was given, the tenant's key, and licences it
 * has signed. A caller belongs to one thread; its key may be shared. */
#pragma once
#include "bench/xrml_make.h"
#include "core/base/err.h"
#include "proto/rms_op.h"

struct rms_caller_options {
	const char *account;          /* "exchange01@contoso.example"; also the name in its certificates */
	const char *sid;              /* NULL: one made from the account */
	const char *tenant_url;       /* NULL: RMS_TENANT_URL */
	const struct crypto_key *key; /* the machine's key, borrowed; NULL: one is made (100 ms) */
};

#define RMS_TENANT_URL "https://11f3c2a8-5d0b-4e67-9c1e-3a7b52d4e890.rms.na.aadrm.com"

struct rms_caller;
struct err rms_caller_new(const struct rms_caller_options *o, struct rms_caller **out);
void rms_caller_free(struct rms_caller *c);
/* Takes what the answer brings: the tenant's key, the RAC chain, the CLC chain, template GUIDs. Until it has learned them the caller uses chains
 * of the same shape and size that it made itself. false: the answer holds nothing of the kind. */
bool rms_caller_learn(struct rms_caller *c, enum rms_op_id op, struct slice answer);
/* The tenant's key; NULL until an answer to GetLicensorCertificate was learned. */
const struct crypto_key *rms_caller_slc(const struct rms_caller *c);

/* ---- for rms_message.c, which makes requests of it ---- */

enum {
	RMS_CALLER_LICENCES = 8, /* publishing licences made in advance: signing one takes as long as sending twenty */
	RMS_CALLER_GUIDS = 200,
	RMS_CALLER_GUIDS_PER_CALL = 25,
};

struct rms_caller {
	const struct crypto_key *key; /* borrowed, or own_key */
	struct crypto_key *own_key, *slc;
	char account[256], sid[64], machine[XRML_GUID_LEN + 1], modulus[XRML_MODULUS_LEN + 1];
	/* the tenant, as far as known */
	char base[320], tenant_guid[XRML_GUID_LEN + 1], tenant_name[128], tenant_modulus[XRML_MODULUS_LEN + 1];
	struct xrml_times times;
	struct text machine_chain, rac_chain, clc_chain; /* Certificate elements */
	struct text licences[RMS_CALLER_LICENCES];       /* XrML of one each */
	struct text unsigned_licence;
	char guids[RMS_CALLER_GUIDS][XRML_GUID_LEN + 1];
	size_t guid_count;
};
