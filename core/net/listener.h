/* One listening socket of one loop, with SO_REUSEPORT: each worker has its own for the same address. */
#pragma once
#include "core/base/address.h"
#include "core/net/stream.h"

struct listener {
	uv_tcp_t tcp;
	struct loop *loop;
	struct tls_server *tls; /* borrowed; NULL: plain */
	/* A connection waits: stream_accept(stream, (uv_stream_t *)&listener->tcp, listener->tls). */
	void (*on_connection)(struct listener *l);
	void (*on_closed)(struct listener *l);
	void *context;
	struct listener *
	        next_stalled; /* of the owner, for a connection that it could not take yet: libuv listens no further until it does */
	char name[64]; /* the address as bound, for logs */
};

struct err listener_open(struct listener *l, struct loop *loop, const struct sockaddr *address, bool shared,
                         int backlog);
uint16_t listener_port(const struct listener *l);
/* Stops taking connections; on_closed when the handle is gone. What waits in the queue is reset: stop accepting on the balancer first. */
void listener_close(struct listener *l);
