/* The cloud stand-in: one process, and in it workers with a loop, listeners and connections each. What they share, script and seen, has locks; the
 * rest belongs to the worker's thread. */
#pragma once
#include "bench/cloud_sim_clock.h"
#include "bench/cloud_sim_fixed.h"
#include "bench/cloud_sim_login.h"
#include "bench/cloud_sim_options.h"
#include "bench/cloud_sim_script.h"
#include "bench/cloud_sim_seen.h"
#include "bench/rms_answer.h"
#include "core/net/listener.h"

struct sim {
	const struct sim_options *options;
	struct rms_tenant *tenant; /* NULL when answers are fixed bytes */
	struct sim_script script;
	struct sim_login login;
	struct sim_seen seen;
	struct sim_worker *workers;
	unsigned worker_count;
	struct sockaddr_storage bound[SIM_LISTENERS_MAX]; /* with the ports that were given */
	uint64_t connections;                             /* numbers given out; atomic */
};

struct sim_worker {
	struct sim *sim;
	pthread_t thread;
	struct loop loop;
	struct sim_clock clock;
	struct rms_answers answers;
	struct sim_fixed fixed;
	struct tls_server *tls[SIM_LISTENERS_MAX]; /* NULL: plain */
	uint64_t resumed[SIM_LISTENERS_MAX];       /* of tls_server_counts(), as last looked at */
	struct sim_listener { /* heap: a closing one may outlive its successor at the same address */
		struct listener base;
		struct sim_worker *worker;
		unsigned index;
	} * listeners[SIM_LISTENERS_MAX];
	struct list connections; /* of struct sim_peer */
	bool runs, stopping, started, stopped;
};

/* In the main thread, before the worker's own is started. Opens its listeners; the first worker finds out the ports. */
struct err sim_worker_init(struct sim_worker *w, struct sim *sim);
struct err sim_worker_start(struct sim_worker *w);
/* Any thread: begins to end; then sim_worker_join(). */
void sim_worker_stop(struct sim_worker *w);
void sim_worker_done(struct sim_worker *w);
/* From its connections, as the last thing they do. */
void sim_worker_connection_closed(struct sim_worker *w);

/* Main thread: every worker stops or starts listening; returns when all have. */
void sim_listen(struct sim *sim, bool on);
enum sim_which { SIM_IDLE_CONNECTIONS, SIM_ALL_CONNECTIONS };
/* Main thread: closes connections in every worker. */
void sim_close_connections(struct sim *sim, enum sim_which which, enum sim_action how);
