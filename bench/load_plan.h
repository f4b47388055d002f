/* What is sent when: the operations of each kind of caller in their mix or order, and the instants of an open loop. Everything follows from the seed.
 * Pure; each worker has its own. */
#pragma once
#include "bench/load_options.h"
#include "core/base/clock.h"

struct load_rng {
	uint64_t state;
};

static inline struct load_rng load_rng_seed(uint64_t seed)
{
	return (struct load_rng){seed * 0x9e3779b97f4a7c15u + 1};
}

/* splitmix64 */
static inline uint64_t load_rng_next(struct load_rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 <= n < below, for small bounds */
static inline uint32_t load_rng_below(struct load_rng *r, uint32_t below)
{
	return (uint32_t)((load_rng_next(r) >> 32) * below >> 32);
}

/* 0 < x <= 1 */
static inline double load_rng_unit(struct load_rng *r)
{
	return ((double)(load_rng_next(r) >> 11) + 1) / 9007199254740992.0;
}

struct load_mix {
	enum rms_op_id op;
	uint16_t share; /* of 1000 */
};

enum { LOAD_MIX_MAX = 12, LOAD_SIZES_MAX = 5 };

/* How big the requests of one operation are; the images of one operation differ in this and are taken in turn. */
struct load_size {
	uint32_t request_bytes; /* 0: as the operation comes */
	uint16_t recipients;    /* AcquirePreLicense */
	uint16_t templates;     /* AcquireTemplates */
};

struct load_profile {
	enum load_caller caller;
	bool new_connections; /* for each request */
	bool ends;            /* after the opening the caller closes and another begins: a job */
	uint8_t opening_count;
	enum rms_op_id opening[6]; /* first calls on each connection, in order */
	struct load_mix mix[LOAD_MIX_MAX];
	uint16_t weight; /* of 100, in --profile mixed */
};

/* The profile of a kind of caller; CALLER_FIXED: one operation. */
struct load_profile load_profile_of(enum load_caller caller, const struct load_options *o);
/* The operation for the n-th request (from 0) of a connection; OP_NONE: the job is over, close the connection and begin a new one. */
enum rms_op_id load_profile_next(const struct load_profile *p, uint32_t n, struct load_rng *rng);
bool load_profile_uses(const struct load_profile *p, enum rms_op_id op);
/* The sizes a profile uses for an operation; returns how many. */
size_t load_sizes_of(enum load_caller caller, enum rms_op_id op, const struct load_options *o,
                     struct load_size out[static LOAD_SIZES_MAX]);

/* total shared out by weight; what is left over goes to the first shares. Each gets at least one. */
void load_share_out(unsigned total, const unsigned weights[], size_t count, unsigned out[]);

/* Even or random instants. Thread k of n takes every n-th. */
struct load_schedule {
	double start_us, gap_us; /* between two of this thread */
	double due_us;           /* the next one */
	uint64_t taken;
	bool poisson;
	struct load_rng rng;
};

void load_schedule_start(struct load_schedule *s, usec_t start, double rate, unsigned thread, unsigned threads,
                         bool poisson, uint64_t seed);
static inline usec_t load_schedule_due(const struct load_schedule *s)
{
	return (usec_t)s->due_us;
}
void load_schedule_advance(struct load_schedule *s);
/* How many are due before end and not taken; of random instants the expected number. */
uint64_t load_schedule_left(const struct load_schedule *s, usec_t end);
