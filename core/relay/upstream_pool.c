#include "core/relay/upstream_pool.h"

#include "core/base/log.h"
#include "core/cloud/reach.h"
#include "core/cloud/secret.h"
#include "core/net/listener.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	IDLE_LEARNED_LEAST_MS = 1000,
	IDLE_GROWS_MS = 15 * 60 * 1000, /* without one that the service closed first */
};

static void show(struct upstream_pool *p, enum metric_id id, unsigned label, uint32_t *shown, uint32_t now)
{
	metric_add(p->metrics, id, label, 0, (int64_t)now - *shown);
	*shown = now;
}

static void measure(struct upstream_pool *p)
{
	show(p, METRIC_upstream_waiting, 0, &p->shown[0], p->waiting_count);
	show(p, METRIC_upstream_connections, METRIC_STATE_CONNECTING, &p->shown[1], p->connecting_count);
	show(p, METRIC_upstream_connections, METRIC_STATE_IDLE, &p->shown[2], p->idle_count);
	show(p, METRIC_upstream_connections, METRIC_STATE_LEASED, &p->shown[3], p->leased_count);
}

/* Takes c out of the list it is in; the caller puts it into the next or closes it. */
static void leave(struct upstream_pool *p, struct upstream_conn *c)
{
	if (c->state == UPSTREAM_CONNECTING)
		p->connecting_count--;
	else if (c->state == UPSTREAM_IDLE)
		p->idle_count--;
	else if (c->state == UPSTREAM_LEASED)
		p->leased_count--;
	deadline_disarm(&c->deadline);
	list_remove(&c->link);
}

static void drop(struct upstream_pool *p, struct upstream_conn *c)
{
	if (c->state == UPSTREAM_CLOSING)
		return;
	if (c->state == UPSTREAM_IDLE)
		stream_end(&c->io); /* in good order: with close_notify */
	leave(p, c);
	measure(p);
	upstream_conn_close(c);
}

static void on_idle_too_long(struct deadline *d, struct deadline_queue *q)
{
	struct upstream_pool *p = q->context;
	drop(p, container_of(d, struct upstream_conn, deadline));
}

static void on_connect_too_long(struct deadline *d, struct deadline_queue *q)
{
	struct upstream_conn *c = container_of(d, struct upstream_conn, deadline);
	struct err why = ERR_OF(NETWORK, .sys = UV_ETIMEDOUT, .what = "connecting took too long");
	if (c->io.state == STREAM_HANDSHAKE)
		why = ERR_OF(TLS, .sys = UV_ETIMEDOUT, .what = "the TLS handshake took too long");
	else if (c->proxy && c->io.state == STREAM_OPEN)
		why = ERR_OF(UPSTREAM_PROXY, .what = "the web proxy did not answer CONNECT in time");
	upstream_pool_ended(q->context, c, why);
}

static void on_resolve_too_long(struct deadline *d, struct deadline_queue *q);

struct err upstream_pool_open(struct upstream_pool *p, struct loop *loop, const struct settings *settings,
                              struct metric_block *metrics, const struct upstream_endpoint *endpoint,
                              const struct credential_settings *credential)
{
	*p = (struct upstream_pool){.loop = loop, .settings = settings, .metrics = metrics, .endpoint = endpoint};
	list_init(&p->connecting);
	list_init(&p->leased);
	list_init(&p->closing);
	list_init(&p->waiting);
	deadline_queue_open(loop, &p->idle, settings->upstream_keep_idle_ms, on_idle_too_long, p);
	deadline_queue_open(loop, &p->connecting_limit, settings->upstream_connect_timeout_ms, on_connect_too_long, p);
	deadline_queue_open(loop, &p->resolve_limit, settings->upstream_connect_timeout_ms, on_resolve_too_long, p);
	deadline_init(&p->resolve_deadline);
	TRY(way_out_open(settings, endpoint->host, endpoint->port, &p->way));
	if (endpoint->tls) {
		struct tls_client_options o = {
		        .ca_file = settings->upstream_ca_file, .host = endpoint->host, .resume = true};
		struct secret key = {0};
		if (credential->kind == CREDENTIAL_MTLS) {
			struct secret_place place = secret_place(settings, credential);
			TRY(secret_read(&place, &key));
			o.certificate = credential->certificate_file;
			o.key = credential->key_file;
			o.key_pem = secret_slice(&key);
		}
		struct err failed = tls_client_new(&o, &p->tls);
		secret_done(&key);
		TRY(failed);
	}
	return resolver_new(loop, settings->upstream_dns_servers, &p->resolver);
}

void upstream_pool_done(struct upstream_pool *p)
{
	way_out_done(&p->way);
	tls_client_free(p->tls);
	p->tls = NULL;
}

/* ---- who waits ---- */

static struct lease_request *leave_queue(struct upstream_pool *p, struct lease_request *q)
{
	list_remove(&q->link);
	p->waiting_count--;
	measure(p);
	return q;
}

static struct lease_request *first_waiting(struct upstream_pool *p)
{
	struct list *link = list_first(&p->waiting);
	return link ? leave_queue(p, container_of(link, struct lease_request, link)) : NULL;
}

static bool takes(const struct lease_request *q, const struct upstream_conn *c)
{
	return c->made >= q->newer_than;
}

static void lend(struct upstream_pool *p, struct upstream_conn *c)
{
	c->state = UPSTREAM_LEASED;
	c->io.sent = false;
	list_push_back(&p->leased, &c->link);
	p->leased_count++;
	measure(p);
	if (c->uses++ > 0)
		metric_add(p->metrics, METRIC_upstream_reused, 0, 0, 1);
}

static struct lease_request *first_that_takes(struct upstream_pool *p, const struct upstream_conn *c)
{
	list_for_each (link, &p->waiting) {
		struct lease_request *q = container_of(link, struct lease_request, link);
		if (takes(q, c))
			return leave_queue(p, q);
	}
	return NULL;
}

/* What was learned holds for what the service was then: the front of a cloud gets other limits, or is another. So it grows back by an eighth each quarter
 * of an hour; too far costs one connection that the service closes first, and it is learned again. */
static void lengthen_idle(struct upstream_pool *p)
{
	uint32_t wanted = p->settings->upstream_keep_idle_ms, longer = p->idle.limit_ms + p->idle.limit_ms / 8;
	if (loop_now(p->loop) - p->idle_changed < IDLE_GROWS_MS)
		return;
	p->idle.limit_ms = longer < wanted ? longer : wanted;
	p->idle_changed = loop_now(p->loop);
}

/* A connection that is free: to the first who waits for such a one, else into the idle list. c is in no list. */
static void offer(struct upstream_pool *p, struct upstream_conn *c)
{
	struct lease_request *q = first_that_takes(p, c);
	if (q) {
		metric_time(p->metrics, METRIC_upstream_wait, 0, 0, (loop_now(p->loop) - q->since) * 1000);
		lend(p, c);
		q->granted(q, c);
		return;
	}
	if (p->idle.limit_ms < p->settings->upstream_keep_idle_ms)
		lengthen_idle(p);
	c->state = UPSTREAM_IDLE;
	c->idle_since = loop_now(p->loop);
	p->idle_count++;
	measure(p);
	deadline_arm(&c->deadline, &p->idle, c->idle_since);
}

/* ---- connecting ---- */

static bool connect_to(struct upstream_pool *p, uint8_t address, uint8_t attempts, struct err *why)
{
	struct upstream_conn *c = upstream_conn_open(p, (struct sockaddr *)&p->addresses.address[address], why);
	metric_add(p->metrics, METRIC_upstream_connects, 0, 0, 1);
	if (!c)
		return false;
	c->state = UPSTREAM_CONNECTING;
	c->address = address;
	c->attempts = attempts;
	list_push_back(&p->connecting, &c->link);
	p->connecting_count++;
	measure(p);
	deadline_arm(&c->deadline, &p->connecting_limit, loop_now(p->loop));
	return true;
}

/* The addresses from `first` on: one may fail at once, as those of a family without a route do. tried: how many were before. */
static bool connect_any(struct upstream_pool *p, size_t first, uint8_t tried, struct err *why)
{
	size_t count = p->addresses.count;
	for (; tried < count; first++) {
		tried++;
		if (connect_to(p, (uint8_t)(first % count), tried, why))
			return true;
	}
	return false;
}

/* In words, with what was tried; the event says it once, then again when it is over. */
static struct err unreachable(struct upstream_pool *p, enum err_code code, struct err why)
{
	metric_add(p->metrics, METRIC_upstream_connects_failed, 0, 0, 1);
	p->told_unreachable = true;
	enum event_id event =
	        code == ERR_UPSTREAM_TLS && why.sys > 0 ? EVENT_UPSTREAM_CERTIFICATE : EVENT_UPSTREAM_UNREACHABLE;
	bool proxied = way_out_is_proxied(&p->way);
	const char *advice = reach_advice(
	        reach_cause_of(why, p->endpoint->host, proxied, p->tls ? tls_client_issuer(p->tls) : NULL));
	char by[300] = "";
	if (proxied)
		snprintf(by, sizeof(by), " by the web proxy %s:%u", p->way.host, p->way.port);
	event_log(event, "%s:%u%s: %s%s%s", p->endpoint->host, p->endpoint->port, by, err_text(why),
	          *advice ? ". " : "", advice);
	return (struct err){code, why.sys, NULL};
}

static void refuse_all(struct upstream_pool *p, enum err_code code, struct err why)
{
	struct err told = unreachable(p, code, why);
	for (struct lease_request *q; (q = first_waiting(p));)
		q->refused(q, told);
}

static void on_resolve_too_long(struct deadline *d, struct deadline_queue *q)
{
	struct upstream_pool *p = q->context;
	p->resolving = false; /* what comes after all is passed over */
	refuse_all(p, ERR_UPSTREAM_NAME,
	           ERR_OF(NAME, .sys = UV_EAI_AGAIN, .what = "the name servers did not answer in time"));
}

static bool has_room(const struct upstream_pool *p)
{
	return p->idle_count + p->leased_count + p->connecting_count < p->settings->upstream_connections;
}

/* For one more. Who waits while others are idle takes none of those, so one of them makes room. */
static bool make_room(struct upstream_pool *p)
{
	struct list *oldest = list_first(&p->idle.armed);
	if (has_room(p))
		return true;
	if (oldest)
		drop(p, container_of(oldest, struct upstream_conn, deadline.link));
	return oldest;
}

static void on_resolved(void *context, struct err why, const struct resolved *answer)
{
	struct upstream_pool *p = context;
	if (p->closed || !p->resolving)
		return;
	p->resolving = false;
	deadline_disarm(&p->resolve_deadline);
	if (why.code) {
		refuse_all(p, ERR_UPSTREAM_NAME, why);
		return;
	}
	for (size_t i = 0; p->settings->loopback_caller.account && i < answer->count; i++)
		if (!address_is_loopback((const struct sockaddr *)&answer->address[i])) {
			struct err told =
			        unreachable(p, ERR_UPSTREAM_CONNECT,
			                    ERR_OF(NAME, .what = "with --loopback-caller only loopback addresses are "
			                                         "used, and this name has another"));
			for (struct lease_request *q; (q = first_waiting(p));)
				q->refused(q, told);
			return;
		}
	p->addresses = *answer;
	if (p->good_address >= answer->count)
		p->good_address = 0;
	while (p->connecting_count < p->waiting_count && make_room(p)) {
		struct err failed = ERR_OF(NAME);
		if (!connect_any(p, p->good_address, 0, &failed)) {
			struct lease_request *q = first_waiting(p);
			q->refused(q, unreachable(p, ERR_UPSTREAM_CONNECT, failed));
		}
	}
}

/* As many connections are being made as requests wait, within the limit. */
static void connect_for_waiting(struct upstream_pool *p)
{
	if (p->resolving || p->closed || p->connecting_count >= p->waiting_count || !(has_room(p) || p->idle_count))
		return;
	p->resolving = true;
	deadline_arm(&p->resolve_deadline, &p->resolve_limit, loop_now(p->loop));
	resolver_lookup(p->resolver, p->way.host, p->way.port, on_resolved, p);
}

/* Its authority is in the bundle, so the handshake was good; requests go on, but callers' own clients will refuse such certificates. */
static void look_for_inspection(struct upstream_pool *p)
{
	const struct tls_issuer *issuer = p->tls ? tls_client_issuer(p->tls) : NULL;
	bool inspected = reach_is_inspected(p->endpoint->host, issuer);
	if (inspected && !p->told_inspected)
		event_log(EVENT_UPSTREAM_INSPECTED, "%s:%u: its certificate was issued by \"%s\" of \"%s\". %s",
		          p->endpoint->host, p->endpoint->port, issuer->name, issuer->organization,
		          reach_advice(REACH_INSPECTED));
	p->told_inspected = inspected;
}

void upstream_pool_connected(struct upstream_pool *p, struct upstream_conn *c)
{
	look_for_inspection(p);
	leave(p, c);
	c->made = loop_now(p->loop);
	p->good_address = c->address;
	if (p->told_unreachable) {
		p->told_unreachable = false;
		event_log(EVENT_UPSTREAM_RECOVERED, "%s:%u", p->endpoint->host, p->endpoint->port);
	}
	offer(p, c);
}

/* Those that are idle already count too: they stand before all others in the queue, and would hold them up. */
static void shorten_idle(struct upstream_pool *p, uint32_t limit_ms)
{
	p->idle.limit_ms = limit_ms;
	p->idle_changed = loop_now(p->loop);
	list_for_each (link, &p->idle.armed) {
		struct upstream_conn *c = container_of(link, struct upstream_conn, deadline.link);
		c->deadline.due = c->idle_since + limit_ms;
	}
}

/* What a request is told that a failed connection was for. */
static enum err_code code_of(struct err why)
{
	return why.code == ERR_TLS              ? ERR_UPSTREAM_TLS
	       : why.code == ERR_UPSTREAM_PROXY ? ERR_UPSTREAM_PROXY
	                                        : ERR_UPSTREAM_CONNECT;
}

/* A connecting or idle connection is over. */
void upstream_pool_ended(struct upstream_pool *p, struct upstream_conn *c, struct err why)
{
	bool connecting = c->state == UPSTREAM_CONNECTING;
	bool idle = c->state == UPSTREAM_IDLE;
	uint8_t address = c->address, attempts = c->attempts;
	if (idle && why.code == ERR_CLOSED) {
		/* It closed first: from now on we do, a little earlier, so that no request meets a closing connection. */
		msec_t lived = loop_now(p->loop) - c->idle_since;
		uint32_t learned = (uint32_t)(lived - lived / 8);
		if (learned < IDLE_LEARNED_LEAST_MS)
			learned = IDLE_LEARNED_LEAST_MS;
		if (learned < p->idle.limit_ms)
			shorten_idle(p, learned);
	}
	drop(p, c);
	if (connecting && !p->closed) {
		struct err failed;
		if (!connect_any(p, address + 1u, attempts, &failed)) {
			struct err told = unreachable(p, code_of(why), why);
			if (p->waiting_count > p->connecting_count) {
				struct lease_request *q = first_waiting(p);
				q->refused(q, told);
			}
			if (p->connecting_count == 0)
				resolver_forget(p->resolver, p->way.host);
		}
	}
}

/* ---- leases ---- */

struct err upstream_pool_lease(struct upstream_pool *p, struct lease_request *q, struct upstream_conn **out)
{
	*out = NULL;
	if (p->closed)
		return ERR_OF(DRAINING);
	struct list *newest = list_last(&p->idle.armed);
	struct upstream_conn *c = newest ? container_of(newest, struct upstream_conn, deadline.link) : NULL;
	if (c && takes(q, c)) {
		leave(p, c);
		lend(p, c);
		*out = c;
		return OK;
	}
	if (p->waiting_count >= p->settings->upstream_queue)
		return ERR_OF(UPSTREAM_BUSY);
	q->since = loop_now(p->loop);
	list_push_back(&p->waiting, &q->link);
	p->waiting_count++;
	measure(p);
	connect_for_waiting(p);
	return OK;
}

struct err upstream_pool_too_long(const struct upstream_pool *p)
{
	if (p->resolving)
		return ERR_OF(UPSTREAM_NAME, .what = "no answer from the name servers in time");
	uint32_t all = p->idle_count + p->leased_count + p->connecting_count;
	return all >= p->settings->upstream_connections && p->leased_count ? ERR_OF(UPSTREAM_BUSY)
	                                                                   : ERR_OF(UPSTREAM_CONNECT);
}

void upstream_pool_cancel(struct upstream_pool *p, struct lease_request *q)
{
	if (list_empty(&q->link))
		return;
	list_remove(&q->link);
	p->waiting_count--;
	measure(p);
}

/* Who has waited longest wants a newer one than c, and there is no room for that but c's. */
static bool must_make_room(const struct upstream_pool *p, const struct upstream_conn *c)
{
	if (list_empty(&p->waiting) || p->connecting_count || p->resolving || has_room(p))
		return false;
	return !takes(container_of(p->waiting.next, struct lease_request, link), c);
}

void upstream_pool_release(struct upstream_pool *p, struct upstream_conn *c, bool reusable)
{
	if (c->state != UPSTREAM_LEASED)
		return;
	c->user = NULL;
	if (!reusable || p->closed || c->io.gone || c->io.state != STREAM_OPEN || stream_is_blocked(&c->io) ||
	    must_make_room(p, c)) {
		drop(p, c);
		connect_for_waiting(p); /* there is room for one more now */
	} else {
		leave(p, c);
		stream_resume(&c->io);
		offer(p, c);
		if (p->waiting_count) /* for a newer one */
			connect_for_waiting(p);
	}
}

void upstream_pool_close(struct upstream_pool *p)
{
	if (p->closed)
		return;
	p->closed = true;
	for (struct lease_request *q; (q = first_waiting(p));)
		q->refused(q, ERR_OF(DRAINING));
	for (struct list *l; (l = list_first(&p->idle.armed));)
		drop(p, container_of(l, struct upstream_conn, deadline.link));
	for (struct list *l; (l = list_first(&p->connecting));)
		drop(p, container_of(l, struct upstream_conn, link));
	resolver_close(p->resolver);
	deadline_queue_close(&p->idle);
	deadline_queue_close(&p->connecting_limit);
	deadline_queue_close(&p->resolve_limit);
}
