#include "core/relay/upstream_conn.h"

#include "core/relay/upstream_pool.h"

#include <stdlib.h>

static struct upstream_conn *conn_of(struct stream *s)
{
	return container_of(s, struct upstream_conn, io);
}

/* A web proxy's answer: TLS begins behind it, and only where nothing of the proxy's own can be in front. */
static void on_proxy_bytes(struct upstream_conn *c, const char *bytes, size_t n)
{
	bool open = false;
	struct err failed = way_out_take(c->proxy, bytes, n, &open);
	if (open) {
		free(c->proxy);
		c->proxy = NULL;
		if (c->pool->tls)
			failed = stream_secure(&c->io, c->pool->tls);
		else
			upstream_pool_connected(c->pool, c);
	}
	if (failed.code)
		upstream_pool_ended(c->pool, c, failed);
}

static void on_ready(struct stream *s)
{
	struct upstream_conn *c = conn_of(s);
	if (c->proxy) {
		stream_write(s, c->pool->way.ask, c->pool->way.ask_len);
		return;
	}
	if (s->tls) {
		metric_add(c->pool->metrics, METRIC_upstream_handshakes, 0, 0, 1);
		metric_add(c->pool->metrics, METRIC_upstream_handshakes_resumed, 0, 0, stream_resumed(s));
	}
	upstream_pool_connected(c->pool, c);
}

static void on_bytes(struct stream *s, char *bytes, size_t n)
{
	struct upstream_conn *c = conn_of(s);
	if (c->proxy) {
		on_proxy_bytes(c, bytes, n);
		return;
	}
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
	else if (c->proxy && s->state == STREAM_OPEN)
		upstream_pool_ended(c->pool, c,
		                    ERR_OF(UPSTREAM_PROXY,
		                           .what = "the web proxy closed the connection instead of answering CONNECT"));
	else
		upstream_pool_ended(c->pool, c, why);
}

static void on_closed(struct stream *s)
{
	struct upstream_conn *c = conn_of(s);
	list_remove(&c->link);
	free(c->proxy);
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
	bool proxied = way_out_is_proxied(&p->way);
	if (proxied && !(c->proxy = way_out_reader(&p->way)))
		*why = ERR_OF(NO_MEMORY);
	else
		*why = stream_connect(&c->io, address, proxied ? NULL : p->tls);
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
