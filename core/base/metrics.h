/* Counters, gauges and timers. One block for each worker, written by that thread alone with plain relaxed stores, summed by whoever reads.
 * Rows in metrics.def: METRIC_requests and so on. Label values are given at start, before the first block is made; a label without values has one,
 * "none". Every series is there from then on, with zero. */
#pragma once
#include "core/base/check.h"
#include "core/base/histogram.h"

enum metric_label {
#define METRIC_LABEL(id, name) METRIC_LABEL_##id,
#include "core/base/metrics.def"
	METRIC_LABEL_COUNT
};

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_TIMER };

enum metric_id {
#define METRIC(id, kind, a, b, unit, help) METRIC_##id,
#include "core/base/metrics.def"
	METRIC_COUNT
};

/* Values of METRIC_LABEL_STATE, for upstream_connections. */
enum metric_state { METRIC_STATE_CONNECTING, METRIC_STATE_IDLE, METRIC_STATE_LEASED, METRIC_STATE_COUNT };

struct metric_row {
	const char *name; /* as exported: "rms_connector_requests_total" */
	const char *id, *unit, *help;
	enum metric_kind kind;
	enum metric_label a, b;
};

/* names[i] is the value of index i, for instance "acquire_license"; it must live as long as the process. Main thread, before metric_block_new(). */
void metric_labels(enum metric_label label, const char *const *names, unsigned count);

const struct metric_row *metric_row(enum metric_id id);
const char *metric_label_name(enum metric_label label); /* "operation" */
unsigned metric_label_count(enum metric_label label);   /* 1 for NONE */
const char *metric_label_value(enum metric_label label, unsigned index);

/* ---- writing: the block's thread ---- */
union metric_cell {
	int64_t value;
	struct histogram *timer; /* made at first use: most pairs of labels never happen */
};

struct metric_block {
	uint64_t lost_timings; /* no memory for a timer */
	union metric_cell cells[];
};

/* Where a row's cells begin, and how many values its labels have. */
extern struct metric_place {
	uint32_t base, a_count, b_count;
} metric_places[METRIC_COUNT];

/* All zero. NULL: no memory. */
struct metric_block *metric_block_new(void);
void metric_block_free(struct metric_block *b);

static inline union metric_cell *metric_cell(struct metric_block *block, enum metric_id id, unsigned a, unsigned b)
{
	const struct metric_place *p = &metric_places[id];
	CHECK(a < p->a_count && b < p->b_count);
	return &block->cells[p->base + a * p->b_count + b];
}

/* Index 0 for a label that the row does not have. Gauges take negative n too. */
static inline void metric_add(struct metric_block *block, enum metric_id id, unsigned a, unsigned b, int64_t n)
{
	int64_t *value = &metric_cell(block, id, a, b)->value;
	__atomic_store_n(value, __atomic_load_n(value, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline void metric_set(struct metric_block *block, enum metric_id id, unsigned a, unsigned b, int64_t to)
{
	__atomic_store_n(&metric_cell(block, id, a, b)->value, to, __ATOMIC_RELAXED);
}

struct histogram *metric_timer_new(struct metric_block *block, union metric_cell *cell);

static inline void metric_time(struct metric_block *block, enum metric_id id, unsigned a, unsigned b, usec_t took)
{
	union metric_cell *cell = metric_cell(block, id, a, b);
	struct histogram *timer = cell->timer;
	if (__builtin_expect(!timer, 0) && !(timer = metric_timer_new(block, cell)))
		return;
	histogram_add(timer, took);
}

/* ---- reading: any thread ---- */
int64_t metric_sum(struct metric_block *const *blocks, size_t count, enum metric_id id, unsigned a, unsigned b);
/* Adds what the blocks have into *into. */
void metric_sum_timer(struct metric_block *const *blocks, size_t count, enum metric_id id, unsigned a, unsigned b,
                      struct histogram *into);
