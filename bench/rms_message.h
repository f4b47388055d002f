/* Requests as Exchange, SharePoint and file servers send them, in the shapes and sizes of crypto mode 2. Used by the load tool and the tests. A
 * caller belongs to one thread; its key may be shared. */
#pragma once
#include "bench/rms_caller.h"
#include "bench/rms_check.h"
#include "core/base/err.h"
#include "proto/rms_op.h"
#include "proto/soap.h"

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
