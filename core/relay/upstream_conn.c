#include "core/relay/upstream_conn.h"

#include "core/relay/upstream_pool.h"

#include <stdlib.h>

static struct upstream_conn *conn_of(struct stream *s)
{
	return container_of(s, struct upstream_conn, io);
}

static void on_ready(struct stream *s)
{
	struct upstream_conn *c = conn_of(s);
	if (s->tls) {
		metric_add(c->pool->metrics, METRIC_upstream_handshakes, 0, 0, 1);
		metric_add(c->pool->metrics, METRIC_upstream_handshakes_resumed, 0, 0, stream_resumed(s));
	}
	upstream_pool_connected(c->pool, c);
}

static void on_bytes(struct stream *s, char *bytes, size_t n)
{
	struct upstream_conn *c = conn_of(s);
	if (c->state == UPSTREAM_LEASED && !s->sent) {
		/* Bytes that were here before any of the request left answer nothing that this exchange asked. */
		stream_take_back(s);
		c->user->on_gone(c->user_context, ERR_OF(UPSTREAM_ANSWER_BAD));
	} else if (c->state == UPSTREAM_LEASED)
		c->user->on_bytes(c->user_context, bytes, n);
	else /* an answer nobody asked for: whoever came next would take it for his */
		upstream_pool_ended(c->pool, c,
		                    ERR_OF(UPSTREAM_ANSWER_BAD, .what = "bytes came that belong to no request"));
}

static void on_blocked(struct stream *s)
{
	struct upstream_conn *c = conn_of(s);
	if (c->state == UPSTREAM_LEASED)
		c->user->on_blocked(c->user_context);
}

static void on_drained(struct stream *s)
{
	struct upstream_conn *c = conn_of(s);
	if (c->state == UPSTREAM_LEASED)
		c->user->on_drained(c->user_context);
}

static void on_gone(struct stream *s, struct err why)
{
	struct upstream_conn *c = conn_of(s);
	if (c->state == UPSTREAM_LEASED)
		c->user->on_gone(c->user_context, why);
	else
		upstream_pool_ended(c->pool, c, why);
}

static void on_closed(struct stream *s)
{
	struct upstream_conn *c = conn_of(s);
	list_remove(&c->link);
	free(c);
}

static const struct stream_events events = {
        .on_ready = on_ready,
        .on_bytes = on_bytes,
        .on_blocked = on_blocked,
        .on_drained = on_drained,
        .on_gone = on_gone,
        .on_closed = on_closed,
};

struct upstream_conn *upstream_conn_open(struct upstream_pool *p, const struct sockaddr *address, struct err *why)
{
	struct upstream_conn *c = calloc(1, sizeof(*c));
	if (!c) {
		*why = ERR_OF(NO_MEMORY);
		return NULL;
	}
	c->pool = p;
	deadline_init(&c->deadline);
	list_init(&c->link);
	stream_init(&c->io, p->loop, &events);
	*why = stream_connect(&c->io, address, p->tls);
	if (why->code) {
		upstream_conn_close(c);
		return NULL;
	}
	return c;
}

void upstream_conn_close(struct upstream_conn *c)
{
	c->state = UPSTREAM_CLOSING;
	c->user = NULL;
	deadline_disarm(&c->deadline);
	list_remove(&c->link);
	list_push_back(&c->pool->closing, &c->link);
	stream_close(&c->io);
}
