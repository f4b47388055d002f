/* Signed licences and certificates by what they were made from, so that none is signed twice. One for each thread; a fixed number of places. */
#pragma once
#include "bench/text.h"

struct rms_leaf;

struct rms_leaves {
	struct rms_leaf **places;
	uint64_t signed_count, reused_count;
};
void rms_leaves_init(struct rms_leaves *l);
void rms_leaves_done(struct rms_leaves *l);
/* The place for what is made from these three; its text is empty when it must be made. What stood there before is dropped. Valid until the next call. */
struct text *rms_leaf_get(struct rms_leaves *l, const char *kind, struct slice first, struct slice second);
