/* What an RMS request says: operation, version, and the pieces an answer is made from. Read by expat from the body as it came; bounded, no
 * DOCTYPE. Whoever reads owns the result. Pure; any thread. */
#pragma once
#include "bench/text.h"
#include "proto/rms_op.h"
#include "proto/soap.h"

enum { RMS_ITEMS_MAX = 20000, RMS_DEPTH_MAX = 64 };

enum rms_item_kind {
	RMS_ITEM_PARAMS,     /* an element of the batch begins */
	RMS_ITEM_LICENSEE,   /* XrML of LicenseeCerts or PersonaCerts, as it stands in the body */
	RMS_ITEM_ISSUANCE,   /* XrML of IssuanceLicense */
	RMS_ITEM_MACHINE,    /* XrML of MachineCertificateChain */
	RMS_ITEM_UNSIGNED,   /* XrML of UnsignedIssuanceLicense */
	RMS_ITEM_STRING,     /* a recipient, a GUID: text without entities */
	RMS_ITEM_TYPE,       /* ServiceType or ServerInfoType */
	RMS_ITEM_ADDITIONAL, /* AdditionalInfo of the type before it */
	RMS_ITEM_PERSISTENT,
};

struct rms_item {
	enum rms_item_kind kind;
	uint32_t params; /* number of the element of the batch, from 1; 0: none yet */
	size_t at, len;  /* of texts, or of the body for XrML */
};

struct rms_request {
	struct slice body; /* borrowed */
	enum soap_version soap;
	char name[64];       /* first child of Body; empty: not found */
	char namespace[128]; /* its namespace */
	char version_min[32], version_max[32];
	bool has_version;
	struct rms_item *items;
	size_t item_count, item_cap;
	struct text texts;
	const char *wrong; /* NULL: well-formed; else why not, a literal or expat's words */
};

/* false: not a SOAP request; r->wrong says why. Call rms_request_done() in any case. */
bool rms_request_read(struct rms_request *r, struct slice body);
void rms_request_done(struct rms_request *r);
struct slice rms_request_text(const struct rms_request *r, const struct rms_item *item);
/* The next item of that kind at or after *at; params 0: of any. Moves *at behind it. NULL: none. */
const struct rms_item *rms_request_next(const struct rms_request *r, size_t *at, enum rms_item_kind kind,
                                        uint32_t params);
