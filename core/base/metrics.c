#include "core/base/metrics.h"
#include "core/base/err.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "rms_connector_"

static struct metric_row rows[METRIC_COUNT] = {
#define METRIC(id_, kind_, a_, b_, unit_, help_) \
	{.id = #id_,                             \
	 .unit = unit_,                          \
	 .help = help_,                          \
	 .kind = METRIC_##kind_,                 \
	 .a = METRIC_LABEL_##a_,                 \
	 .b = METRIC_LABEL_##b_},
#include "core/base/metrics.def"
};

struct label {
	const char *name;
	const char *const *values;
	unsigned count;
};

static const char *const no_values[] = {"none"};
static const char *const effect_values[] = {"ok", "deferred", "final"};
static const char *const status_values[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
static const char *const state_values[] = {"connecting", "idle", "leased"};
static const char *error_values[ERR_COUNT];
static char error_text[4096], name_text[METRIC_COUNT * 64];

static struct label labels[METRIC_LABEL_COUNT] = {
#define METRIC_LABEL(id_, name_) {.name = name_, .values = no_values, .count = 1},
#include "core/base/metrics.def"
};

struct metric_place metric_places[METRIC_COUNT];
static uint32_t cell_count;

static void name_errors(void)
{
	char *at = error_text, *end = error_text + sizeof(error_text);
	for (unsigned i = 0; i < ERR_COUNT; i++) {
		const char *name = err_row(i)->name;
		CHECK(strlen(name) < (size_t)(end - at));
		error_values[i] = at;
		for (; *name; name++)
			*at++ = (char)tolower((unsigned char)*name);
		*at++ = 0;
	}
}

static char *append(char *at, const char *text)
{
	size_t n = strlen(text);
	CHECK(n < (size_t)(name_text + sizeof(name_text) - at));
	memcpy(at, text, n + 1);
	return at + n;
}

/* rms_connector_requests_total, rms_connector_processing_time_seconds, rms_connector_held_bytes */
static void name_rows(void)
{
	char *at = name_text;
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		rows[i].name = at;
		at = append(append(at, PREFIX), rows[i].id);
		if (*rows[i].unit)
			at = append(append(at, "_"), rows[i].unit);
		if (rows[i].kind == METRIC_COUNTER)
			at = append(at, "_total");
		at++;
	}
}

static void fill_label(enum metric_label label, const char *const *values, unsigned count)
{
	labels[label].values = values;
	labels[label].count = count;
}

/* Main thread, at the first call of any of the functions below that needs it. */
static void prepare(void)
{
	static bool done;
	if (done)
		return;
	done = true;
	name_errors();
	name_rows();
	fill_label(METRIC_LABEL_EFFECT, effect_values, ARRAY_COUNT(effect_values));
	fill_label(METRIC_LABEL_ERROR, error_values, ERR_COUNT);
	fill_label(METRIC_LABEL_STATUS_CLASS, status_values, ARRAY_COUNT(status_values));
	fill_label(METRIC_LABEL_STATE, state_values, ARRAY_COUNT(state_values));
}

static void place_rows(void)
{
	prepare();
	if (cell_count)
		return;
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		metric_places[i] = (struct metric_place){cell_count, labels[rows[i].a].count, labels[rows[i].b].count};
		cell_count += metric_places[i].a_count * metric_places[i].b_count;
	}
}

void metric_labels(enum metric_label label, const char *const *names, unsigned count)
{
	prepare();
	CHECK(cell_count == 0 && label != METRIC_LABEL_NONE && count > 0);
	fill_label(label, names, count);
}

const struct metric_row *metric_row(enum metric_id id)
{
	prepare();
	return &rows[id];
}

const char *metric_label_name(enum metric_label label)
{
	return labels[label].name;
}

unsigned metric_label_count(enum metric_label label)
{
	prepare();
	return labels[label].count;
}

const char *metric_label_value(enum metric_label label, unsigned index)
{
	prepare();
	return labels[label].values[index];
}

struct metric_block *metric_block_new(void)
{
	place_rows();
	return calloc(1, sizeof(struct metric_block) + cell_count * sizeof(union metric_cell));
}

void metric_block_free(struct metric_block *block)
{
	if (!block)
		return;
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		if (rows[i].kind == METRIC_TIMER)
			for (unsigned c = 0; c < metric_places[i].a_count * metric_places[i].b_count; c++)
				free(block->cells[metric_places[i].base + c].timer);
	free(block);
}

struct histogram *metric_timer_new(struct metric_block *block, union metric_cell *cell)
{
	struct histogram *timer = calloc(1, sizeof(*timer));
	if (!timer) {
		histogram_bump(&block->lost_timings, 1);
		return NULL;
	}
	/* Readers in other threads must see zeros behind the pointer, not what malloc had there. */
	__atomic_store_n(&cell->timer, timer, __ATOMIC_RELEASE);
	return timer;
}

int64_t metric_sum(struct metric_block *const *blocks, size_t count, enum metric_id id, unsigned a, unsigned b)
{
	int64_t sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += __atomic_load_n(&metric_cell(blocks[i], id, a, b)->value, __ATOMIC_RELAXED);
	return sum;
}

void metric_sum_timer(struct metric_block *const *blocks, size_t count, enum metric_id id, unsigned a, unsigned b,
                      struct histogram *into)
{
	for (size_t i = 0; i < count; i++) {
		const struct histogram *timer =
		        __atomic_load_n(&metric_cell(blocks[i], id, a, b)->timer, __ATOMIC_ACQUIRE);
		if (timer)
			histogram_merge(into, timer);
	}
}
