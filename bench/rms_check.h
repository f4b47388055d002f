/* Is an answer what a caller asked for? Its shape, how many parts and which failed, and every signature in it. Pure; any thread. */
#pragma once
#include "bench/xrml.h"
#include "proto/rms_op.h"

struct rms_check {
	size_t items, failed_items; /* licences, templates, locations ... and how many of them are exceptions */
	size_t signatures, wrong;   /* XrML elements verified, and those that did not verify */
	const char *why;            /* NULL: the answer is whole and good; a literal */
};
/* Is this a sound answer to the request? items: as asked (0: not compared). slc: as for xrml_verify_all; verify false: signatures are not looked at. */
bool rms_answer_check(enum rms_op_id op, struct slice answer, size_t items, const struct crypto_key *slc, bool verify,
                      struct rms_check *out);
