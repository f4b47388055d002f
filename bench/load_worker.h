/* One thread of load: a loop, its share of every kind of caller, and what it measured. The main thread starts it, asks it for what the last second
 * brought, may stop it early, and reads its stats after it has ended. */
#pragma once
#include "bench/load_group.h"
#include "bench/load_verify.h"

struct load_interval { /* what happened since the main thread last asked */
	struct histogram latency;
	uint64_t errors;
	unsigned in_flight;
};

struct load_progress { /* where the workers put their intervals */
	pthread_mutex_t lock;
	struct load_interval sum;
	unsigned ended; /* workers; each also sends SIGUSR1 to the main thread */
	pthread_t main_thread;
};

struct load_worker {
	struct loop loop;
	struct load_link link;
	pthread_t thread;
	bool started, has_loop, has_handles;
	unsigned index;
	const struct load_options *options;
	struct load_images *images; /* owned */
	struct load_auth *auth;
	struct load_verifier *verifier;
	struct load_progress *progress;
	struct tls_client *tls[LOAD_TARGETS_MAX];
	struct load_group groups[CALLER_COUNT];
	size_t group_count;
	struct load_rng sample;
	uint64_t sample_below; /* a random number below this: the answer is verified */
	uint64_t serial;
	uint64_t requests_left;
	usec_t begin, measure_from, end;
	bool stopping;
	struct deadline_queue penalties;
	uv_timer_t stop_timer, drain_timer;
	uv_poll_t due_poll; /* of a timerfd: the loop's own timers know milliseconds only */
	int due_fd;
	usec_t due_armed;
	struct load_stats stats;
	struct load_interval interval;
};

/* shares: connections and requests in flight for each of the worker's groups, from the whole by load_share_out(). images: taken. */
struct load_worker_options {
	const struct load_options *options;
	unsigned index;
	const unsigned *connections, *in_flight; /* CALLER_COUNT each */
	uint64_t requests;                       /* its share; UINT64_MAX: no limit */
	struct load_images *images;
	struct load_auth *auth;
	struct load_verifier *verifier;
	struct load_progress *progress;
};
/* *out is set also when it fails: free it in any case. */
struct err load_worker_new(const struct load_worker_options *w, struct load_worker **out);
struct err load_worker_start(struct load_worker *w, usec_t begin);
/* Any thread. */
void load_worker_ask(struct load_worker *w);
void load_worker_stop(struct load_worker *w);
/* Waits for its end; then its stats are whole. */
void load_worker_join(struct load_worker *w);
void load_worker_free(struct load_worker *w);

/* ---- for load_group.c, in the worker's thread ---- */
/* Wakes when the next request is due. */
void load_worker_arm(struct load_worker *w);
/* Nothing new begins; what is in flight may still end, for a while. */
void load_worker_wind_down(struct load_worker *w);
void load_worker_finish_if_quiet(struct load_worker *w);
