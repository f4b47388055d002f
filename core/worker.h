/* One thread with all it owns: a loop, listeners, the relay with its connections, its metrics. Nothing is shared on the way of a request.
 * Made and started by the server in the main thread; between start and join only loop_post() functions and worker_offer_list() touch it. */
#pragma once
#include "core/net/listener.h"
#include "core/relay/entrance.h"
#include "core/relay/relay.h"

#include <pthread.h>

struct server;

struct worker_listener {
	struct listener listener;
	struct tls_server *tls; /* owned */
	struct entrance entrance;
	struct worker *worker;
	bool open;
};

struct worker {
	struct loop loop;
	struct relay relay;
	struct metric_block *metrics; /* owned; written here only */
	struct request_log_buffer *log;
	const struct settings *settings;
	struct worker_listener *listeners; /* owned array, one for each of settings.listeners */
	uint32_t open_listeners;
	struct authlist *offered; /* atomic: a reference, from the main thread to this one; NULL: nothing new */
	struct cache_index *offered_cache; /* atomic: the same for the cache */
	uv_timer_t second;
	pthread_t thread;
	bool started, empty, closed;
	/* In the worker's thread, when all is closed. */
	void (*on_ended)(struct worker *w);
	void *owner;
};

struct worker_options {
	const struct settings *settings;
	const struct upstream_endpoint *endpoint;
	const struct tls_ticket_keys *tickets;
	struct request_log *request_log;
	uint32_t *node_clients;
	struct rate_limit *node_rate;
	struct decisions *decisions; /* NULL: not recorded */
	uint32_t clients_max;
	bool first; /* of the process */
};

/* Main thread: makes everything and binds its sockets, so that errors show before any thread runs. On failure *where says which
 * listener or file it was. */
struct err worker_init(struct worker *w, const struct worker_options *o, const char **where);
struct err worker_start(struct worker *w);
void worker_join(struct worker *w);
void worker_done(struct worker *w);

/* For loop_post(&w->loop, ..., w). */
void worker_drain(void *worker); /* answers say Connection: close, /readyz fails */
void worker_stop(void *worker);  /* no new connections; ends when the last exchange has */
void worker_stop_at_once(void *worker);

/* A new list for the relay, which takes a reference of its own; a newer one replaces one that was not taken yet. Main thread, between init and done.
 * It cannot fail, and needs no memory: a worker that kept an old list would let in who was removed from it. */
void worker_offer_list(struct worker *w, struct authlist *list);
/* The same for a newer snapshot of the cache. */
void worker_offer_cache(struct worker *w, struct cache_index *index);
/* The same for what is said to the cloud with a credential, by its number in the settings. */
void worker_offer_words(struct worker *w, size_t credential, struct credential_words *words);
