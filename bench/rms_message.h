/* Requests as Exchange, SharePoint and file servers send them, in the shapes and sizes of crypto mode 2, and what such a caller remembers and
 * checks in the answers. Used by the load tool and the tests. A caller belongs to one thread; its key may be shared. */
#pragma once
#include "bench/rms_check.h"
#include "core/base/err.h"
#include "proto/rms_op.h"
#include "proto/soap.h"

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

struct rms_request_options {
	enum soap_version soap;
	/* AcquireLicense: licences in the batch; AcquirePreLicense: recipients; AcquireTemplates: GUIDs. 0: one, but all templates known, at most 25 */
	unsigned items;
	/* Padded to exactly this size when it is larger than the natural one by 10 bytes or more; 0: natural. */
	size_t bytes;
	uint64_t serial; /* goes into the message, so that no two bodies are alike */
};
/* Appends the body of a request. Returns where its serial stands, as 16 hex digits that may be written over in copies. SIZE_MAX: there is none,
 * because the operation has no ApplicationData and neither serial nor bytes asked for a comment that could carry it. */
size_t rms_request_make(struct text *out, const struct rms_caller *c, enum rms_op_id op,
                        const struct rms_request_options *o);

/* Where the operation is served: 0 is the usual place, 1 the other one or NULL (Certify: servercertification and certification; server.asmx and
 * servicelocator.asmx: certification and licensing). */
const char *rms_request_path(enum rms_op_id op, unsigned which);
/* "Content-Type: ...\r\n" and for SOAP 1.1 "SOAPAction: ...\r\n". */
void rms_request_headers(struct text *out, enum rms_op_id op, enum soap_version soap);
