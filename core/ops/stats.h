/* What the node says about itself: the metric blocks summed, and facts of the process. As JSON for people and scripts, as text for Prometheus. Reads
 * what workers write without stopping them. Main thread. */
#pragma once
#include "core/base/clock.h"
#include "core/base/metrics.h"
#include "core/base/request_log.h"
#include "core/relay/authlist_sync.h"
#include "store/decisions.h"
#include "store/cache.h"

/* Filled in by the server; all borrowed, and alive as long as statistics are served. */
struct stats_source {
	const char *node, *version;
	struct metric_block *const *blocks; /* one for each worker */
	size_t block_count;
	usec_t started;                             /* clock_now() */
	usec_t started_wall;                        /* clock_wall() */
	const struct request_log *request_log;      /* NULL: none */
	const struct authlist_sync *list;           /* of authorized servers; NULL: none */
	struct decisions *decisions;                /* records of them; NULL: none */
	const struct cache *cache;                  /* NULL: nothing is remembered */
	const char *state_directory, *upstream_url; /* for what is proven of it; NULL: nothing is said about that */
	const char *loopback_caller;                /* the account of the test switch; NULL: authentication is on */
	/* NULL: ready; else why not, in words. draining is part of it. */
	const char *(*not_ready_reason)(void *context);
	bool (*is_draining)(void *context);
	/* May be NULL. Called before each reading: brings gauges up to date that the main thread keeps. */
	void (*refresh)(void *context);
	void *context;
};

/* "ready", "not ready" or "draining" */
const char *stats_state(const struct stats_source *s);
/* The state for people: "ready", or why not; and whatever they must not overlook. Whether all is well. */
bool stats_sentence(const struct stats_source *s, char *out, size_t room);

/* malloc'd and NUL-terminated; NULL: no memory. */
char *stats_json(const struct stats_source *s, size_t *len);
char *stats_page(const struct stats_source *s, size_t *len); /* HTML */
char *stats_prometheus(const struct stats_source *s, size_t *len);

/* What is exported besides the rows of metrics.def. */
struct stats_fact {
	const char *name, *type, *help;
	double (*value)(const struct stats_source *s);
};
/* NULL behind the last. */
const struct stats_fact *stats_fact(size_t index);

struct stats_process {
	uint64_t resident_bytes, open_descriptors, descriptor_limit, threads;
	double cpu_s;
};
/* Zeros where the system does not tell. */
void stats_process_read(struct stats_process *out);
