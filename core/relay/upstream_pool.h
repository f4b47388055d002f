/* Leases of kept connections to one endpoint with one credential: never shared between two. Owned by a worker's relay; its thread only.
 *
 *   lease: newest idle -> at once; else a new connection, or a place in the queue -> granted() or refused() later, never from inside the call
 *
 * A request that is sent a second time is given no connection older than its failure: what ended that one may have ended the others. Where the pool
 * is full, an older one makes room.
 */
#pragma once
#include "core/base/metrics.h"
#include "core/base/settings.h"
#include "core/cloud/way_out.h"
#include "core/net/resolver.h"
#include "core/net/timers.h"
#include "core/relay/upstream_conn.h"

struct upstream_endpoint { /* from settings, checked once */
	char host[256];
	uint16_t port;
	bool tls;
	char host_line[300]; /* as Host shows it: with brackets and port where they belong */
};

struct lease_request {    /* embedded in who asks */
	struct list link; /* in the pool's queue */
	void (*granted)(struct lease_request *q, struct upstream_conn *c);
	void (*refused)(struct lease_request *q, struct err why);
	msec_t since;
	msec_t newer_than; /* takes only connections made since then; 0: any */
};

struct upstream_pool {
	struct loop *loop;
	const struct settings *settings;
	struct metric_block *metrics;
	const struct upstream_endpoint *endpoint;
	struct way_out way;         /* to whom connections go: the endpoint, or a web proxy */
	struct tls_client *tls;     /* owned; NULL for plain */
	struct resolver *resolver;  /* owned */
	struct deadline_queue idle; /* its list is the list of idle connections, oldest first */
	msec_t idle_changed;        /* when its limit was, by what the service does */
	struct deadline_queue connecting_limit, resolve_limit;
	struct deadline resolve_deadline;
	struct list connecting, leased, closing;
	uint32_t idle_count, connecting_count, leased_count;
	struct list waiting; /* of lease_request: first come, first served */
	uint32_t waiting_count;
	struct resolved addresses;
	size_t good_address; /* the one that worked last comes first */
	bool resolving, closed, told_unreachable, told_inspected;
	uint32_t shown[4]; /* what this pool is in the gauges that all pools of the worker share */
};

struct err upstream_pool_open(struct upstream_pool *p, struct loop *loop, const struct settings *settings,
                              struct metric_block *metrics, const struct upstream_endpoint *endpoint,
                              const struct credential_settings *credential);
/* Closes idle and connecting ones, refuses who waits; leased ones close when given back. */
void upstream_pool_close(struct upstream_pool *p);
void upstream_pool_done(struct upstream_pool *p);

/* *out: the connection, or NULL when q waits. An error when the queue is full; then q is not in it. */
struct err upstream_pool_lease(struct upstream_pool *p, struct lease_request *q, struct upstream_conn **out);
/* Why a request has waited too long, for its answer. */
struct err upstream_pool_too_long(const struct upstream_pool *p);
void upstream_pool_cancel(struct upstream_pool *p, struct lease_request *q);
/* Gives a lease back. reusable: the exchange on it is complete in both directions. */
void upstream_pool_release(struct upstream_pool *p, struct upstream_conn *c, bool reusable);

/* From upstream_conn.c */
void upstream_pool_connected(struct upstream_pool *p, struct upstream_conn *c);
void upstream_pool_ended(struct upstream_pool *p, struct upstream_conn *c, struct err why);
