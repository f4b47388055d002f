/* Answers of the RMS service, made from the request and a tenant: every relayed operation, its faults, its exceptions per item. One struct for each
 * thread: it keeps what it has signed. */
#pragma once
#include "bench/rms_leaf.h"
#include "bench/rms_request.h"
#include "bench/rms_tenant.h"

struct rms_answers {
	const struct rms_tenant *tenant; /* borrowed */
	struct rms_leaves leaves;
};
void rms_answers_init(struct rms_answers *a, const struct rms_tenant *tenant);
void rms_answers_done(struct rms_answers *a);

/* Items of a batch that shall fail inside a 200. */
struct rms_item_errors {
	const uint32_t *items; /* numbers from 0 */
	size_t count;
	const char *exception; /* full name; NULL: the usual one of the operation */
};

struct rms_answer_options {
	struct slice identity; /* account in the certificates, escaped text; empty: the connector's */
	struct rms_item_errors errors;
};
/* Appends the answer to a request that was read well, and returns its HTTP status: 200, or 500 with a SOAP fault. */
unsigned rms_answer_make(struct rms_answers *a, enum rms_op_id op, const struct rms_request *r,
                         const struct rms_answer_options *o, struct text *out);
