/* Whether an answer of the cloud may be given again, and how long: read out of the answer itself, strictly; what is not understood is not kept, or kept
 * for RMS_KEEP_SHORT_S only. Rows in rms_keep.def. Pure.
 *
 * Kept is a whole, well-formed message whose Body has one child, the operation's own Response element, and no element anywhere in it that is named like
 * an exception or a fault. Answers with certificates end with the tenant's own (Server-Licensor-Certificate: the earliest UNTIL of its VALIDITYTIME and
 * RANGETIMEs); one whose end cannot be read is kept for a short time, one that is over or has not begun is not kept. */
#pragma once
#include "proto/rms_op.h"

enum { RMS_KEEP_SHORT_S = 60 };

struct rms_keep {
	uint32_t fresh_s; /* given again */
	uint32_t stale_s; /* and after that, while the cloud is away */
};

/* body: not compressed. now_s: since 1970. False: it may not be kept at all. */
bool rms_keep_for(const struct rms_op *op, struct slice body, int64_t now_s, struct rms_keep *out);
