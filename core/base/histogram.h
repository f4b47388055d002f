/* Log-linear histogram of microseconds: exact to 63 us, then 32 buckets for each doubling, so a value read back is off by 1.6 % at most. 7.5 KiB, up to
 * 4.7 hours (longer counts as that). One thread writes; any thread may read while it does (relaxed, so a reading is a moment's blur, never torn).
 * The metrics and the load tool share it. */
#pragma once
#include "core/base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HISTOGRAM_SUB_BITS = 5, /* 2^5 buckets for each doubling */
	HISTOGRAM_TOP_BIT = 34, /* values below 2^34 us */
	HISTOGRAM_BUCKETS = (HISTOGRAM_TOP_BIT - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS,
};

struct histogram {
	uint64_t count, sum, min, max; /* min is meaningless while count is 0 */
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline uint64_t histogram_load(const uint64_t *cell)
{
	return __atomic_load_n(cell, __ATOMIC_RELAXED);
}

static inline void histogram_bump(uint64_t *cell, uint64_t by)
{
	__atomic_store_n(cell, histogram_load(cell) + by, __ATOMIC_RELAXED);
}

static inline unsigned histogram_bucket_of(usec_t value)
{
	if (value < 2u << HISTOGRAM_SUB_BITS)
		return (unsigned)value;
	if (value >> HISTOGRAM_TOP_BIT)
		return HISTOGRAM_BUCKETS - 1;
	unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(value >> shift);
}

/* Values of bucket i: low <= value < low + width. */
static inline usec_t histogram_bucket_low(unsigned i)
{
	unsigned shift = i < 2u << HISTOGRAM_SUB_BITS ? 0 : (i >> HISTOGRAM_SUB_BITS) - 1;
	return (usec_t)(i - (shift << HISTOGRAM_SUB_BITS)) << shift;
}

static inline usec_t histogram_bucket_width(unsigned i)
{
	return (usec_t)1 << (i < 2u << HISTOGRAM_SUB_BITS ? 0 : (i >> HISTOGRAM_SUB_BITS) - 1);
}

void histogram_clear(struct histogram *h);

/* n values at once. */
static inline void histogram_add_many(struct histogram *h, usec_t value, uint64_t n)
{
	if (n == 0)
		return;
	histogram_bump(&h->buckets[histogram_bucket_of(value)], n);
	histogram_bump(&h->sum, value * n);
	if (h->count == 0 || value < h->min)
		__atomic_store_n(&h->min, value, __ATOMIC_RELAXED);
	if (value > h->max)
		__atomic_store_n(&h->max, value, __ATOMIC_RELAXED);
	/* last, so that a reader who sees a count sees a minimum, on machines that keep stores in order */
	histogram_bump(&h->count, n);
}

static inline void histogram_add(struct histogram *h, usec_t value)
{
	histogram_add_many(h, value, 1);
}

/* For a closed loop, where one slow answer hides the requests that would have been sent meanwhile (coordinated omission): adds value, and what those
 * requests would have waited when one was due every interval. An open loop that counts from the scheduled start needs plain histogram_add(). */
void histogram_add_corrected(struct histogram *h, usec_t value, usec_t interval);
/* Adds what is in from to into; from may belong to another thread. */
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The same correction afterwards: into = from, corrected. */
void histogram_merge_corrected(struct histogram *into, const struct histogram *from, usec_t interval);

/* The value that percent of all values do not exceed: middle of its bucket, never outside min..max; 0 of an empty histogram. 0 gives min, 100 max. */
usec_t histogram_percentile(const struct histogram *h, double percent);
double histogram_mean(const struct histogram *h);
/* How many values are at most limit, to within the bucket that holds it. */
uint64_t histogram_count_to(const struct histogram *h, usec_t limit);

/* for (struct histogram_bucket b = {0}; histogram_next(h, &b);) sees every bucket that is not empty, in order. */
struct histogram_bucket {
	unsigned next;     /* the iterator's own */
	usec_t low, width; /* low <= values < low + width */
	uint64_t count, so_far;
};
bool histogram_next(const struct histogram *h, struct histogram_bucket *b);
