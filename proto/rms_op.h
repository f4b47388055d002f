/* The operations of the RMS web services as rows (rms_ops.def): which path takes which operation, what it answers, what may be sent again. Pure. */
#pragma once
#include "core/base/slice.h"

enum rms_op_id {
#define RMS_OP(id, name, namespace, cache, retry, first_byte, family) OP_##id,
#include "proto/rms_ops.def"
	OP_NONE, /* help pages, health, refusals before the operation is known */
	OP_COUNT
};
enum { RETRY_NEVER, RETRY_SAFE };
/* Whether answers may be given again (rms_keep.def says how long): never, to everybody who uses the same credential, to the same entry of the list. */
enum rms_cache { CACHE_NEVER, CACHE_BY_TENANT, CACHE_BY_ENTRY };

struct rms_op {
	enum rms_op_id id;
	struct slice name;   /* "AcquireLicense": first child of Body */
	struct slice action; /* "http://microsoft.com/DRM/LicensingService/AcquireLicense" */
	bool retry_safe;
	uint8_t cache;             /* enum rms_cache */
	uint8_t first_byte_tenths; /* times upstream.first_byte_ms / 10 */
	const char *metric;        /* "acquire_license" */
};

struct rms_service {
	struct slice path; /* canonical: "/_wmcs/licensing/license.asmx" */
	struct slice name; /* "License": title of the help page */
	uint32_t ops;      /* bit per rms_op_id */
	bool relayed;      /* false: 404 */
};

extern const struct rms_op rms_ops[OP_COUNT];

/* Path of any case; NULL: unknown or not served. A trailing slash is not tolerated. */
const struct rms_service *rms_service_find(struct slice path);
/* Where an operation is served usually: the first service that has it. Never NULL for one below OP_NONE. */
const struct rms_service *rms_service_of(enum rms_op_id op);
/* From the SOAPAction value (quoted or not) or the action parameter of an application/soap+xml content type; NULL: not one of this service. */
const struct rms_op *rms_op_by_action(const struct rms_service *s, struct slice action);
/* From the local name of Body's first child. */
const struct rms_op *rms_op_by_element(const struct rms_service *s, struct slice local_name);
