/* The process: settings, workers, signals, and the order in which it starts, drains and stops. Main thread.
 *
 *   start: sockets bound -> threads run -> event 1000        SIGTERM: drain -> (drain_delay_s) -> stop -> (last exchange) -> event 1001
 */
#pragma once
#include "core/relay/authd_ask.h"
#include "core/relay/authlist_sync.h"
#include "core/relay/cache_keeper.h"
#include "core/relay/decision_keeper.h"
#include "core/authd_child.h"
#include "core/cloud/credential.h"
#include "core/worker.h"

enum server_state { SERVER_STARTING, SERVER_READY, SERVER_DRAINING, SERVER_STOPPING, SERVER_ENDED };

struct server {
	struct loop loop; /* signals, statistics */
	const struct settings *settings;
	char node[65];
	struct upstream_endpoint endpoint;
	struct credentials credentials;
	struct tls_ticket_keys tickets;
	struct request_log *request_log;
	int state_lock;              /* of node.state_directory, until the end; -1: it is not set or cannot be locked */
	struct state *kept;          /* owned; NULL: node.state_directory is not set or cannot be used */
	struct authd_ask *asks;      /* owned; NULL: nobody is authenticated here, or the workers have ended */
	struct decisions *decisions; /* owned */
	struct decision_keeper *keeper;    /* owned; NULL once the workers have ended */
	struct authlist_sync *list;        /* owned; NULL once the workers have ended */
	struct cache *cache;               /* owned; NULL: nothing is remembered */
	struct cache_keeper *cache_keeper; /* owned; NULL once the workers have ended */
	struct worker *workers;
	struct metric_block **blocks; /* of the workers, for statistics */
	uint32_t worker_count, workers_running, node_clients;
	struct rate_limit node_rate;
	struct authd_child *authd; /* NULL: it is a service of its own */
	enum server_state state;
	uv_signal_t terminate, interrupt, reopen, refresh;
	uv_timer_t timer, second;
	usec_t started, started_wall;
	/* The last worker has ended; loops of the main thread's own are to be closed before server_run() returns. */
	void (*on_ended)(struct server *s);
	void *owner;
};

/* Makes all and binds all. On failure *where says what it was about; err.what why: the process then ends as it is, s stays. */
struct err server_init(struct server *s, const struct settings *settings, const char **where);
/* auth.authd_program, with the node's own configuration file; borrowed. */
struct err server_start_authd(struct server *s, const char *config);
/* Starts the workers and serves until it was told to stop by a signal. */
struct err server_run(struct server *s);
/* After server_run(). */
void server_done(struct server *s);
/* NULL when ready; else why not, in words. */
const char *server_not_ready(const struct server *s);
