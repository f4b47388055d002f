#include "core/base/histogram.h"

#include <string.h>

void histogram_clear(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

static usec_t bucket_middle(unsigned i)
{
	return histogram_bucket_low(i) + histogram_bucket_width(i) / 2;
}

/* The waits of the requests that a stall of value kept from being sent: value - interval, value - 2 interval, ... while positive. */
static void add_hidden(struct histogram *h, usec_t value, usec_t interval, uint64_t n)
{
	if (interval == 0)
		return;
	while (value > interval) {
		value -= interval;
		histogram_add_many(h, value, n);
	}
}

void histogram_add_corrected(struct histogram *h, usec_t value, usec_t interval)
{
	histogram_add(h, value);
	add_hidden(h, value, interval, 1);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	uint64_t count = histogram_load(&from->count);
	if (count == 0)
		return;
	uint64_t min = histogram_load(&from->min), max = histogram_load(&from->max);
	if (into->count == 0 || min < into->min)
		into->min = min;
	if (max > into->max)
		into->max = max;
	/* The count is that of the buckets: the writer may be between two stores, and a histogram must agree with itself. */
	uint64_t seen = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t n = histogram_load(&from->buckets[i]);
		into->buckets[i] += n;
		seen += n;
	}
	into->count += seen;
	into->sum += histogram_load(&from->sum);
}

void histogram_merge_corrected(struct histogram *into, const struct histogram *from, usec_t interval)
{
	histogram_merge(into, from);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t n = histogram_load(&from->buckets[i]);
		if (n)
			add_hidden(into, bucket_middle(i), interval, n);
	}
}

usec_t histogram_percentile(const struct histogram *h, double percent)
{
	if (h->count == 0)
		return 0;
	if (!(percent > 0))
		return h->min;
	if (percent >= 100)
		return h->max;
	double exact = percent / 100 * (double)h->count;
	uint64_t rank = (uint64_t)exact;
	if ((double)rank < exact || rank == 0)
		rank++;
	uint64_t so_far = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		so_far += h->buckets[i];
		if (so_far < rank)
			continue;
		usec_t middle = i == HISTOGRAM_BUCKETS - 1 ? h->max : bucket_middle(i);
		return middle < h->min ? h->min : middle > h->max ? h->max : middle;
	}
	return h->max;
}

double histogram_mean(const struct histogram *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0;
}

uint64_t histogram_count_to(const struct histogram *h, usec_t limit)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS && bucket_middle(i) <= limit; i++)
		n += h->buckets[i];
	return n;
}

bool histogram_next(const struct histogram *h, struct histogram_bucket *b)
{
	for (unsigned i = b->next; i < HISTOGRAM_BUCKETS; i++) {
		if (h->buckets[i] == 0)
			continue;
		b->next = i + 1;
		b->low = histogram_bucket_low(i);
		b->width = histogram_bucket_width(i);
		b->count = h->buckets[i];
		b->so_far += b->count;
		return true;
	}
	return false;
}
