/* One connection to the cloud. Owned by its pool; lent to one exchange at a time, which hears of it through `user`. */
#pragma once
#include "core/net/stream.h"
#include "core/net/timers.h"
#include "proto/proxy_connect.h"

struct upstream_pool;
struct upstream_conn;

struct upstream_user {
	void (*on_bytes)(void *user, char *bytes, size_t n);
	void (*on_blocked)(void *user); /* pause the producer, nothing else */
	void (*on_drained)(void *user);
	void (*on_gone)(void *user, struct err why);
};

enum upstream_state { UPSTREAM_CONNECTING, UPSTREAM_IDLE, UPSTREAM_LEASED, UPSTREAM_CLOSING };

struct upstream_conn {
	struct stream io;
	struct deadline deadline; /* of the connect, or of idleness: then its link is the membership in the idle list */
	struct list link;         /* connecting, leased, closing */
	struct upstream_pool *pool;
	const struct upstream_user *user;
	void *user_context;
	struct proxy_reader *proxy; /* owned; while a web proxy has not opened the way */
	uint32_t uses;
	uint8_t state, address, attempts;
	msec_t made, idle_since;
};

/* NULL: no memory, or the connect failed at once (*why). */
struct upstream_conn *upstream_conn_open(struct upstream_pool *p, const struct sockaddr *address, struct err *why);
void upstream_conn_close(struct upstream_conn *c);
