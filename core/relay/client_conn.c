#include "core/relay/client_conn.h"

#include "core/base/log.h"
#include "core/relay/admission.h"
#include "core/relay/authn.h"
#include "core/relay/exchange.h"
#include "core/relay/shed.h"

#include <stdlib.h>

enum { LINGER_BYTES = 1024 * 1024 };

static struct client_conn *conn_of(struct stream *s)
{
	return container_of(s, struct client_conn, io);
}

/* ---- bytes that must wait ---- */

static void count_held(struct client_conn *c, int64_t n)
{
	struct relay *r = c->relay;
	r->held_bytes = (size_t)((int64_t)r->held_bytes + n);
	metric_add(r->metrics, METRIC_held, 0, 0, n);
}

static void mark_unfinished(struct client_conn *c, bool unfinished)
{
	struct relay *r = c->relay;
	size_t n = c->held ? c->held->cap : 0;
	if (unfinished == c->unfinished)
		return;
	c->unfinished = unfinished;
	r->unfinished_bytes = unfinished ? r->unfinished_bytes + n : r->unfinished_bytes - n;
	metric_set(r->metrics, METRIC_unfinished_head, 0, 0, (int64_t)r->unfinished_bytes);
}

void client_conn_drop_held(struct client_conn *c)
{
	if (!c->held)
		return;
	mark_unfinished(c, false);
	count_held(c, -(int64_t)c->held->cap);
	free(c->held);
	c->held = NULL;
}

bool client_conn_hold(struct client_conn *c, const char *bytes, size_t n)
{
	bool unfinished = c->unfinished;
	size_t have = c->held ? c->held->n : 0, cap = c->held ? c->held->cap : 0;
	if (have + n > cap) {
		mark_unfinished(c, false);
		size_t more = have + n < 2 * cap ? 2 * cap : have + n;
		struct held *bigger = realloc(c->held, sizeof(*bigger) + more);
		if (!bigger)
			return false;
		count_held(c, (int64_t)(more - cap));
		bigger->cap = more;
		bigger->n = have;
		c->held = bigger;
		mark_unfinished(c, unfinished);
	}
	memcpy(c->held->bytes + have, bytes, n);
	c->held->n = have + n;
	return true;
}

/* What no step consumed in this turn is kept for the next. */
static void settle(struct client_conn *c)
{
	struct relay *r = c->relay;
	struct input left = r->in;
	r->in = (struct input){0};
	if (c->io.state >= STREAM_CLOSING || c->lingering)
		return;
	if (left.n == 0) {
		client_conn_drop_held(c);
		return;
	}
	if (left.in_place) {
		if (!client_conn_hold(c, left.at, left.n)) {
			client_conn_reset(c, CLOSE_FULL);
			return;
		}
	} else if (left.at != c->held->bytes) {
		memmove(c->held->bytes, left.at, left.n);
		c->held->n = left.n;
	}
	bool head = c->exchange && exchange_awaits_head(c->exchange);
	mark_unfinished(c, head);
	if (!head) /* the next request came while this one runs: no more until its turn */
		stream_pause(&c->io);
}

/* ---- turns ---- */

void client_conn_turn(struct client_conn *c, unsigned event)
{
	struct relay *r = c->relay;
	if (!r->in.at && c->held)
		r->in = (struct input){c->held->bytes, c->held->n, false};
	for (;;) {
		if (!c->exchange) {
			/* A caller that sends requests without reading answers gets no further ones. */
			if (r->in.n == 0 || c->io.state != STREAM_OPEN || c->lingering || stream_is_blocked(&c->io))
				break;
			c->exchange = exchange_new(r, c);
			if (!c->exchange) {
				client_conn_reset(c, CLOSE_FULL);
				break;
			}
			c->requests++;
			event = EV_ENTER;
		}
		exchange_run(c->exchange, event);
		if (c->exchange)
			break;
		event = EV_ENTER;
	}
	settle(c);
	if (!c->exchange && !c->lingering && c->io.state == STREAM_OPEN) {
		if (c->io.paused && !c->held)
			stream_resume(&c->io);
		client_conn_wait(c, WAIT_IDLE);
	}
	if (r->unfinished_bytes > r->settings->limits_unfinished_heads_bytes)
		shed_unfinished(r, c);
	if (shed_waiting_bytes(r) > r->settings->limits_held_bytes)
		shed_held(r, NULL); /* may be this one: its turn is over */
	if (r->stalled)
		admission_resume(r); /* it may have become idle, and make room */
}

void client_conn_wait(struct client_conn *c, enum wait w)
{
	c->wait = (uint8_t)w;
	if (w == WAIT_NONE)
		deadline_disarm(&c->deadline);
	else
		deadline_arm(&c->deadline, &c->relay->waits[w], loop_now(c->relay->loop));
}

const char *client_conn_address(struct client_conn *c, char out[static 64])
{
	struct sockaddr_storage a = {.ss_family = AF_INET6};
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a;
	if (c->address_known) {
		memcpy(&v6->sin6_addr, c->address, sizeof(c->address));
		return address_text(&a, out);
	}
	if (!stream_peer(&c->io, &a))
		return "?";
	if (a.ss_family == AF_INET) {
		memset(c->address, 0, 10);
		memset(c->address + 10, 0xff, 2);
		memcpy(c->address + 12, &v4->sin_addr, 4);
	} else {
		memcpy(c->address, &v6->sin6_addr, sizeof(c->address));
	}
	c->address_known = true;
	return address_text(&a, out);
}

static size_t on_preface(struct stream *s, const char *bytes, size_t n)
{
	return entrance_on_preface(conn_of(s), bytes, n);
}

static void on_ready(struct stream *s)
{
	struct client_conn *c = conn_of(s);
	metric_add(c->relay->metrics, METRIC_client_handshakes, 0, 0, 1);
	metric_add(c->relay->metrics, METRIC_client_handshakes_resumed, 0, 0, stream_resumed(s));
	if (c->admission == ADMIT_TO_SAY)
		admission_say(c);
	else
		client_conn_wait(c, c->relay->stopping ? WAIT_HEAD
		                                       : WAIT_IDLE); /* nobody closes idle ones any more then */
}

static void on_bytes(struct stream *s, char *bytes, size_t n)
{
	struct client_conn *c = conn_of(s);
	struct relay *r = c->relay;
	metric_add(r->metrics, METRIC_client_received, 0, 0, (int64_t)n);
	if (c->lingering) {
		c->requests +=
		        (uint32_t)(n < LINGER_BYTES
		                           ? n
		                           : LINGER_BYTES); /* no more requests come: counts what is thrown away */
		if (c->requests > LINGER_BYTES)
			client_conn_reset(c, c->close_reason);
		return;
	}
	if (c->held) {
		if (!client_conn_hold(c, bytes, n)) {
			client_conn_reset(c, CLOSE_FULL);
			return;
		}
		r->in = (struct input){c->held->bytes, c->held->n, false};
	} else {
		r->in = (struct input){bytes, n, true};
	}
	client_conn_turn(c, EV_BYTES);
}

static void on_blocked(struct stream *s)
{
	struct client_conn *c = conn_of(s);
	if (c->exchange)
		exchange_client_blocked(c->exchange);
}

static void on_drained(struct stream *s)
{
	struct client_conn *c = conn_of(s);
	if (!c->lingering)
		client_conn_turn(c, EV_CLIENT_DRAINED);
}

static void on_gone(struct stream *s, struct err why)
{
	struct client_conn *c = conn_of(s);
	if (c->lingering) {
		client_conn_reset(c, c->close_reason); /* nothing is left to lose: both directions ended */
		return;
	}
	if (s->state == STREAM_PREFACE && c->held) {
		entrance_refuse(c, PROXY_CUT);
	} else if (c->exchange) {
		client_conn_turn(c, EV_CLIENT_GONE);
		if (c->io.state < STREAM_CLOSING)
			client_conn_reset(c, CLOSE_ABANDONED);
	} else if (why.code == ERR_TLS) {
		metric_add(c->relay->metrics, METRIC_client_handshakes_failed, 0, 0, 1);
		client_conn_reset(c, CLOSE_TLS);
	} else {
		client_conn_close(c, why.code == ERR_NETWORK ? CLOSE_NETWORK
		                     : c->requests == 0      ? CLOSE_PROBE
		                                             : CLOSE_BY_CALLER);
	}
}

static void on_closed(struct stream *s)
{
	struct client_conn *c = conn_of(s);
	struct relay *r = c->relay;
	client_conn_drop_held(c);
	authn_forget(c);
	r->clients--;
	admission_over(r, c->admission);
	metric_add(r->metrics, METRIC_client_connections_open, 0, 0, -1);
	if (r->spare_conn)
		free(c);
	else
		r->spare_conn = c;
	if (r->stalled)
		admission_resume(r);
	if (r->stopping && r->clients == 0)
		r->on_empty(r);
}

static const struct stream_events events = {
        .on_preface = on_preface,
        .on_ready = on_ready,
        .on_bytes = on_bytes,
        .on_blocked = on_blocked,
        .on_drained = on_drained,
        .on_gone = on_gone,
        .on_closed = on_closed,
};

/* ---- beginning and end ---- */

static void leave(struct client_conn *c, enum close_reason why)
{
	if (!c->shut) {
		c->shut = true;
		metric_add(c->relay->metrics, METRIC_closes, why, 0, 1);
	}
	c->close_reason = (uint8_t)why;
	client_conn_drop_held(c);
}

void client_conn_let_go(struct client_conn *c, enum close_reason why)
{
	leave(c, why);
	client_conn_wait(c, WAIT_NONE);
	stream_end(&c->io);
	stream_close(&c->io);
}

/* NULL: no memory, not even the spare one. poor: that one, which can only be closed. */
static struct client_conn *new_conn(struct relay *r, bool *poor)
{
	struct client_conn *c = malloc(sizeof(*c));
	*poor = !c;
	if (!c) {
		c = r->spare_conn;
		r->spare_conn = NULL;
	}
	return c;
}

void client_conn_accept(struct relay *r, struct listener *from)
{
	enum admission admission = admission_ask(r);
	bool poor = false, extra = admission == ADMIT_TO_SAY;
	struct client_conn *c = admission == ADMIT_LATER ? NULL : new_conn(r, &poor);
	if (!c) {
		admission_over(r, admission);
		admission_stall(r, from);
		return;
	}
	*c = (struct client_conn){0};
	c->relay = r;
	c->entrance = from->context;
	c->tls_server = from->tls;
	c->tls = from->tls != NULL;
	c->per_request = c->entrance->behind == BEHIND_L7;
	c->admission = (uint8_t)admission;
	deadline_init(&c->deadline);
	stream_init(&c->io, r->loop, &events);
	r->clients++;
	metric_add(r->metrics, METRIC_client_connections, 0, 0, 1);
	metric_add(r->metrics, METRIC_client_connections_open, 0, 0, 1);
	metric_add(r->metrics, METRIC_per_request_connections, 0, 0, c->per_request);
	/* What is refused in clear is so at once, whatever it sends. */
	bool preface = c->entrance->proxy_protocol && !poor && (c->tls || !extra);
	struct err failed = preface ? stream_accept_preface(&c->io, (uv_stream_t *)&from->tcp)
	                            : stream_accept(&c->io, (uv_stream_t *)&from->tcp, poor ? NULL : from->tls);
	if (failed.code || poor)
		client_conn_reset(c, poor ? CLOSE_FULL : CLOSE_NETWORK);
	else if (extra && !c->tls)
		admission_say(c);
	else if (!preface || entrance_admits(c))
		client_conn_wait(c, c->tls || preface ? WAIT_HEAD : WAIT_IDLE);
}

void client_conn_close(struct client_conn *c, enum close_reason why)
{
	if (c->io.state >= STREAM_CLOSING || c->lingering)
		return;
	leave(c, why);
	if (c->io.state == STREAM_OPEN && !c->io.gone) {
		/* Our end first, then what the caller still sends is thrown away for a moment: closing over unread bytes would reset the connection and
		 * might take the answer away from under the caller. */
		c->lingering = true;
		c->requests = 0;
		stream_end(&c->io);
		stream_resume(&c->io);
		client_conn_wait(c, WAIT_LINGER);
		return;
	}
	client_conn_wait(c, WAIT_NONE);
	stream_close(&c->io);
}

void client_conn_reset(struct client_conn *c, enum close_reason why)
{
	if (c->io.state >= STREAM_CLOSING)
		return;
	leave(c, why);
	struct exchange *x = c->exchange;
	if (x)
		exchange_abandon(x);
	client_conn_wait(c, WAIT_NONE);
	if (!c->lingering && why != CLOSE_TLS) /* a TLS alert should arrive */
		stream_reset(&c->io);
	stream_close(&c->io);
}

void client_conn_after(struct client_conn *c, enum client_after what, enum close_reason why)
{
	c->exchange = NULL;
	if (what == CLIENT_RESET)
		client_conn_reset(c, why);
	else if (what == CLIENT_CLOSE)
		client_conn_close(c, why);
}
