/* How many requests a tenant's service is asked: below its limit of 7,500 in 10 s (each node its part), and none while it asks to wait. One limit for the
 * process, from which each worker takes permits by the handful, so that most requests touch nothing shared.
 *
 * Nine tenths of the limit flow in evenly and one tenth may gather, so no 10 s see more than the limit. When less than half of what may gather is there,
 * callers are served in turn: whoever had more than an even share of this worker's last second is told to wait first. */
#pragma once
#include "core/base/clock.h"

#include <stdbool.h>
#include <stdint.h>

enum { RATE_HANDFUL = 4, RATE_WAIT_MAX_S = 60 };

struct rate_limit {        /* any thread; atomics */
	usec_t full_at;    /* when all that may gather will be there again */
	usec_t wait_until; /* the service asked for it; 0: it did not */
	usec_t interval;   /* between two permits; 0: no limit */
	usec_t gather;     /* interval times what may gather */
};

struct rate_share { /* of a worker; its thread only */
	struct rate_limit *limit;
	uint32_t have;
	usec_t have_until; /* permits of a handful are not kept for long: they would add to what may gather */
	bool scarce;       /* what may gather is less than half there */
	usec_t second;     /* the second that is counted */
	uint32_t granted, callers, before_granted, before_callers; /* in it, and in the one before */
};

struct rate_caller { /* of a principal, for one worker; zeroed is a new one */
	usec_t second;
	uint32_t used;
};

/* per_10s: of this node; 0: no limit. */
void rate_limit_open(struct rate_limit *l, uint32_t per_10s);
void rate_share_open(struct rate_share *s, struct rate_limit *l);

/* 0: go. Else the seconds after which to come again. caller: NULL when there is but one. */
uint32_t rate_take(struct rate_share *s, struct rate_caller *caller, usec_t now);
/* The service answered 429 and asked to wait. Any thread. */
void rate_wait(struct rate_limit *l, uint32_t seconds, usec_t now);
