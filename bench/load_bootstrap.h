/* What a server asks when it starts, once, in order, each answer checked and carried into the next request: the way to see whether everything behind
 * an address works. Main thread, before the load. */
#pragma once
#include "bench/load_auth.h"
#include "bench/load_image.h"
#include "bench/load_stats.h"

#include <stdio.h>

enum { LOAD_STEPS_MAX = 12 };

struct load_step {
	char label[64];
	unsigned status; /* 0: no answer */
	usec_t took;
	uint64_t bytes;
	size_t items, signatures;
	char why[160]; /* empty: good */
};

struct load_bootstrap {
	const struct load_target *target;
	struct load_step steps[LOAD_STEPS_MAX];
	size_t count;
	size_t signatures, wrong;
	struct load_auth_counts auth;
	bool good;
};

/* who learns what the answers bring. Prints each step to out when it is not NULL. Stops at the first step that is not good, as a server would. */
struct err load_bootstrap_run(struct load_bootstrap *b, const struct load_options *o, const struct load_target *to,
                              struct load_auth *auth, struct rms_caller *who, FILE *out);
