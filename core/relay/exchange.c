#include "core/relay/exchange.h"

#include "core/base/log.h"
#include "core/cloud/reach.h"
#include "core/relay/answer.h"
#include "core/relay/authn.h"
#include "core/relay/authz.h"
#include "core/relay/exchange_lease.h"
#include "core/relay/locator.h"
#include "core/relay/pump.h"
#include "core/relay/recall.h"
#include "core/relay/request_line.h"
#include "core/relay/route.h"
#include "core/relay/waiting.h"

#include <stdlib.h>

/* ---- small decisions that several steps share ---- */

enum step exchange_answer_with(struct exchange *x, struct err why)
{
	x->failure = why;
	if (!x->answered)
		return STEP_ANSWER;
	x->after = CLIENT_RESET;
	x->close_reason = CLOSE_CUT;
	return STEP_FINISH;
}

static enum step unexpected(struct exchange *x, enum event ev)
{
	metric_add(x->relay->metrics, METRIC_unexpected_events, 0, 0, 1);
	event_log(EVENT_INTERNAL_ERROR, "event %d came in step %s", ev, exchange_step_name(x->step));
	return exchange_answer_with(x, ERR_OF(INTERNAL));
}

/* ---- the steps ---- */

static enum step refuse_head(struct exchange *x, enum guard_reason why)
{
	metric_add(x->relay->metrics, METRIC_guard_refusals, why, 0, 1);
	return exchange_answer_with(
	        x, (struct err){guard_reason_status(why) == 431 ? ERR_HEAD_TOO_LARGE : ERR_HEAD_MALFORMED, 0,
	                        guard_reason_text(why)});
}

static enum step receive(struct exchange *x, enum event ev)
{
	struct relay *r = x->relay;
	enum guard_reason why = GUARD_FINE;
	if (ev != EV_ENTER && ev != EV_BYTES)
		return ev == EV_CLIENT_DRAINED ? STEP_RECEIVE : unexpected(x, ev);
	long len = http_guard_request(r->in.at, r->in.n, &x->scanned, &r->head_limits, &why);
	if (len == 0)
		return STEP_RECEIVE;
	if (len < 0 || !http_parse_request(r->in.at, (size_t)len, &r->head, &why))
		return refuse_head(x, why);
	x->at_head = clock_now();
	x->http10 = r->head.http10;
	x->keep_alive = r->head.keep_alive;
	x->head_only = r->head.method == HTTP_HEAD;
	http_body_start(&x->body, &r->head);
	r->in.at += len;
	r->in.n -= (size_t)len;
	return STEP_ROUTE;
}

static enum step route(struct exchange *x, enum event ev)
{
	struct err refused = route_request(x, &x->relay->head);
	if (x->client->proven && http_head_has(&x->relay->head, HDR_AUTHORIZATION))
		authn_forget(x->client); /* also where it is not looked at */
	if (refused.code)
		return exchange_answer_with(x, refused);
	recall_note_head(x, &x->relay->head);
	/* Our own pages need nobody's identity and no cloud: a balancer, and an administrator's browser, ask for them. */
	return x->relay->head.method == HTTP_POST ? STEP_AUTHENTICATE : STEP_ANSWER;
}

static enum step authenticate(struct exchange *x, enum event ev)
{
	struct err failed = OK;
	switch (ev) {
	case EV_ENTER:
		if (x->relay->settings->loopback_caller
		            .account) { /* the switch of test builds, which works on loopback only */
			x->up = x->relay->switched;
			return x->up ? STEP_INSPECT : exchange_answer_with(x, ERR_OF(CREDENTIAL_MISSING));
		}
		authn_look_for_proxy(x);
		if (authn_is_known(x))
			return STEP_AUTHORIZE;
		failed = authn_begin(x);
		if (failed.code == ERR_LOGON_REQUIRED && locator_takes(x)) {
			x->locates = true;
			return STEP_INSPECT;
		}
		break;
	case EV_AUTH_DONE:
		failed = authn_end(x);
		if (!failed.code)
			return STEP_AUTHORIZE;
		break;
	case EV_BYTES: /* of a body that did not wait for an answer */
	case EV_CLIENT_DRAINED:
		break;
	default:
		return unexpected(x, ev);
	}
	if (!failed.code)
		failed = pump_take(x);
	return failed.code ? exchange_answer_with(x, failed) : STEP_AUTHENTICATE;
}

static enum step authorize(struct exchange *x, enum event ev)
{
	struct err refused = authz_is_fresh(x) ? OK : authz_decide(x);
	if (refused.code)
		return exchange_answer_with(x, refused);
	x->authorized = true;
	x->up = x->client->who->up;
	return x->up ? STEP_INSPECT : exchange_answer_with(x, ERR_OF(CREDENTIAL_MISSING));
}

static enum step inspect(struct exchange *x, enum event ev)
{
	struct relay *r = x->relay;
	if (ev == EV_CLIENT_DRAINED)
		return STEP_INSPECT;
	if (ev != EV_ENTER && ev != EV_BYTES)
		return unexpected(x, ev);
	if (x->action_unknown)
		return exchange_answer_with(x, ERR_OF(ACTION_UNKNOWN));
	if (ev == EV_ENTER && x->wants_100 && r->in.n == 0 && x->body.seen == 0 && !x->body.complete) {
		stream_write(&x->client->io, "HTTP/1.1 100 Continue\r\n\r\n", 25);
		x->wants_100 = false;
	}
	struct err failed = pump_take(x);
	if (failed.code)
		return exchange_answer_with(x, failed);
	struct input content = pump_content(x);
	/* A message that comes in small pieces is looked at again when it has doubled, not at each of them. */
	if (content.n < x->look_again_at && !x->body.complete && content.n < SOAP_LOOK_BYTES)
		return STEP_INSPECT;
	struct slice child;
	enum soap_look look = soap_first_child(content.at, content.n, x->body.complete, &child);
	if (look == SOAP_MORE && !x->body.complete && content.n < SOAP_LOOK_BYTES) {
		x->look_again_at = 2 * content.n;
		return STEP_INSPECT;
	}
	if (look == SOAP_FOUND) {
		const struct rms_op *named = rms_op_by_element(x->service, child);
		if (!named || (x->op && x->op != named))
			return exchange_answer_with(x, named ? ERR_OF(ACTION_MISMATCH) : ERR_OF(ACTION_UNKNOWN));
		x->op = named;
	} else if (x->op) {
		x->uninspected = true; /* we look, the service decides */
	} else {
		return exchange_answer_with(x, ERR_OF(ACTION_UNKNOWN));
	}
	return STEP_COLLECT;
}

static enum step collect(struct exchange *x, enum event ev)
{
	struct relay *r = x->relay;
	if (ev == EV_BYTES) {
		struct err failed = pump_take(x);
		if (failed.code)
			return exchange_answer_with(x, failed);
	} else if (ev != EV_ENTER) {
		return ev == EV_CLIENT_DRAINED ? STEP_COLLECT : unexpected(x, ev);
	}
	if (x->locates)
		return locator_collect(x);
	if (!x->body.complete && pump_content(x).n < COLLECT_BYTES)
		return STEP_COLLECT;
	if (!x->body.complete) {
		if (r->streaming >= (r->settings->upstream_connections + 1) / 2)
			return exchange_answer_with(x, ERR_OF(UPSTREAM_BUSY));
		x->streams = true;
		r->streaming++;
	}
	return STEP_RECALL;
}

/* Each sending counts for the tenant, a second one too; not each way to a connection. */
static struct err within_limit(struct exchange *x)
{
	struct client_conn *c = x->client;
	if (x->permitted)
		return OK;
	uint32_t wait_s = rate_take(&x->relay->rate, c->proven ? &c->who->rate : NULL, clock_now());
	x->permitted = !wait_s;
	if (x->permitted)
		return OK;
	x->retry_after_s = wait_s;
	event_log(EVENT_TENANT_LIMIT, "for the next %u s", wait_s);
	return ERR_OF(TENANT_LIMIT);
}

static enum step connect_upstream(struct exchange *x, enum event ev)
{
	struct upstream_conn *c;
	struct err failed;
	switch (ev) {
	case EV_WORDS:
		list_remove(&x->link);
		return connect_upstream(x, EV_ENTER);
	case EV_ENTER:
		if (!x->up) /* AUTHORIZE says over which, and nothing but it: no other way here may ever relay */
			return unexpected(x, ev);
		if (x->refused_serial && x->up->words->serial == x->refused_serial) {
			list_push_back(&x->up->awaiting, &x->link);
			return STEP_CONNECT;
		}
		if (!upstream_is_ready(x->up))
			return exchange_answer_with(x, ERR_OF(CREDENTIAL_UNAVAILABLE));
		failed = within_limit(x);
		if (failed.code)
			return exchange_answer_with(x, failed);
		failed = upstream_pool_lease(&x->up->pool, &x->lease, &c);
		if (failed.code)
			return exchange_answer_with(x, failed);
		if (!c)
			return STEP_CONNECT;
		exchange_take_lease(x, c);
		return STEP_RELAY;
	case EV_LEASED:
		if (!upstream_is_ready(x->up)) { /* the token ended while it waited: without words nothing may go out */
			exchange_give_back(x, true);
			return exchange_answer_with(x, ERR_OF(CREDENTIAL_UNAVAILABLE));
		}
		return STEP_RELAY;
	case EV_LEASE_REFUSED:
		return exchange_answer_with(x, x->upstream_end);
	case EV_BYTES: /* more of the body, while it waits its turn */
		failed = pump_take(x);
		if (failed.code)
			return exchange_answer_with(x, failed);
		if (pump_content(x).n > COLLECT_BYTES)
			stream_pause(&x->client->io);
		return STEP_CONNECT;
	case EV_CLIENT_DRAINED:
		return STEP_CONNECT;
	case EV_UP_BYTES: /* the connection ended or spoke before it was asked anything: another one, within the same wait */
	case EV_UP_GONE:
		list_remove(&x->link);
		exchange_give_back(x, false);
		return connect_upstream(x, EV_ENTER);
	default:
		return unexpected(x, ev);
	}
}

static enum step forward(struct exchange *x)
{
	struct err failed = pump_take(x);
	if (!failed.code)
		failed = pump_forward(x);
	if (!failed.code)
		return STEP_RELAY;
	exchange_give_back(x, false); /* what the cloud has of this request must never look complete */
	return exchange_answer_with(x, failed);
}

static enum step reply_over(struct exchange *x, bool in_order)
{
	bool reusable = in_order && x->reply.complete && x->reply.framing != BODY_UNTIL_CLOSE && x->body_sent &&
	                x->up_keeps && !x->extra_bytes;
	exchange_give_back(x, reusable);
	if (x->close_after) {
		x->after = CLIENT_CLOSE;
		x->close_reason = x->early && !x->body.complete ? CLOSE_EARLY
		                  : x->relay->draining          ? CLOSE_DRAIN
		                                                : CLOSE_ASKED;
	}
	return STEP_FINISH;
}

static enum step cloud_left(struct exchange *x)
{
	if (x->replacement) {
		exchange_give_back(x, false);
		return exchange_answer_with(x, (struct err){.code = x->replacement});
	}
	if (pump_reply_end(x, x->upstream_end))
		return reply_over(x, false);
	bool reused = x->leased->uses > 1;
	exchange_give_back(x, false);
	if (x->reply_begun)
		return exchange_answer_with(x, ERR_OF(UPSTREAM_ANSWER_CUT));
	/* The one step back: a kept connection ended before any answer byte, the operation only reads, and all of it is still here. */
	if (reused && !x->reply_bytes && x->op && x->op->retry_safe && pump_rewind(x)) {
		metric_add(x->relay->metrics, METRIC_upstream_retries, 0, 0, 1);
		x->lease.newer_than = loop_now(x->relay->loop);
		return STEP_CONNECT;
	}
	event_log(EVENT_UPSTREAM_FAILS, "%s: the connection was %s before an answer. %s", x->up->pool.endpoint->host,
	          x->upstream_end.sys == UV_ECONNRESET ? "reset" : "closed", reach_advice(REACH_RESET));
	return exchange_answer_with(x, ERR_OF(UPSTREAM_LOST));
}

/* A 401 means that nothing was done, so with other words it may be asked once more, whatever it asks. */
static bool renew_words(struct exchange *x)
{
	struct relay *r = x->relay;
	uint32_t serial = x->said_serial;
	if (x->upstream_status != 401 || !upstream_refused(x->up, serial, loop_now(r->loop)))
		return false;
	if (r->on_words_refused)
		r->on_words_refused(r);
	if (!pump_rewind(x))
		return false;
	pump_reply_restart(x);
	x->refused_serial = serial;
	metric_add(r->metrics, METRIC_upstream_retries, 0, 0, 1);
	return true;
}

static enum step relay_both(struct exchange *x, enum event ev)
{
	switch (ev) {
	case EV_ENTER:
		/* An answer before this one may still wait for the caller: on_blocked came then, and comes only once. */
		if (stream_is_blocked(&x->client->io))
			stream_pause(&x->leased->io);
		/* It was paused if this request came behind the one before. What is then left of the input pauses it again at the end of the
		 * turn; that something is held says nothing here: this request may be all of it. */
		stream_resume(&x->client->io);
		return forward(x);
	case EV_BYTES:
		return forward(x);
	case EV_UP_BYTES:
		switch (pump_reply(x)) {
		case REPLY_MORE:
			return STEP_RELAY;
		case REPLY_COMPLETE:
			return reply_over(x, true);
		case REPLY_REPLACED:
			exchange_give_back(x, x->reply.complete && x->body_sent && x->up_keeps && !x->extra_bytes);
			if (renew_words(x))
				return STEP_CONNECT;
			return exchange_answer_with(x, (struct err){.code = x->replacement});
		default:
			exchange_give_back(x, false);
			return exchange_answer_with(x, x->failure);
		}
	case EV_UP_GONE:
		return cloud_left(x);
	case EV_UP_DRAINED:
		stream_resume(&x->client->io);
		return STEP_RELAY;
	case EV_CLIENT_DRAINED:
		stream_resume(&x->leased->io);
		return STEP_RELAY;
	default:
		return unexpected(x, ev);
	}
}

/* Whether the connection can serve another request after this answer, although the request's body was not read. */
static bool rest_can_be_skipped(const struct exchange *x)
{
	if (x->body.complete)
		return true;
	if (x->wants_100) /* it may send the body or not: what comes next could be either */
		return false;
	return x->body.framing == BODY_CHUNKED || x->body.left <= x->relay->settings->limits_discard_bytes;
}

static enum step skip_rest(struct exchange *x)
{
	struct err failed = pump_take(x);
	pump_drop_content(x);
	if (!failed.code && !x->body.complete && x->body.seen <= x->relay->settings->limits_discard_bytes)
		return STEP_ANSWER;
	if (!x->body.complete || failed.code) {
		x->after = CLIENT_CLOSE;
		x->close_reason = CLOSE_REFUSED;
	}
	return STEP_FINISH;
}

static enum step answer(struct exchange *x, enum event ev)
{
	if (ev == EV_BYTES)
		return skip_rest(x);
	if (ev != EV_ENTER)
		return ev == EV_CLIENT_DRAINED ? STEP_ANSWER : unexpected(x, ev);
	recall_failed(x);
	if (x->up)
		upstream_pool_cancel(&x->up->pool, &x->lease);
	list_remove(&x->link); /* a lease may have been granted in the turn in which the wait for it ended */
	authn_cancel(x);
	exchange_give_back(x, !x->head_sent); /* then it is as good as it was */
	bool logon_over = x->authn && x->authn->ends_connection;
	bool spoiled = err_row(x->failure.code)->flags & ERR_FLAG_CLOSE || logon_over || !rest_can_be_skipped(x);
	bool close = spoiled || !x->keep_alive || x->relay->draining;
	if (x->failure.code)
		answer_failure(x, close);
	else if (recall_answer(x, close))
		;
	else if (x->locates)
		locator_answer(x, close);
	else if (x->service)
		answer_help(x, close);
	else
		answer_health(x, slice_equal(x->relay->head.path, SLICE("/readyz")), close);
	if (close) {
		x->after = CLIENT_CLOSE;
		x->close_reason = logon_over           ? CLOSE_LOGON
		                  : spoiled            ? CLOSE_REFUSED
		                  : x->relay->draining ? CLOSE_DRAIN
		                                       : CLOSE_ASKED;
		return STEP_FINISH;
	}
	return skip_rest(x);
}

/* ---- the end ---- */

static void count(struct exchange *x)
{
	struct relay *r = x->relay;
	unsigned op = x->op ? x->op->id : OP_NONE;
	enum err_effect effect = x->failure.code ? err_row(x->failure.code)->effect : EFFECT_OK;
	x->at_end = clock_now();
	metric_add(r->metrics, METRIC_requests, op, effect, 1);
	metric_add(r->metrics, METRIC_client_sent, 0, 0, (int64_t)x->client_sent);
	if (x->failure.code)
		metric_add(r->metrics, METRIC_failures, x->failure.code, 0, 1);
	if (x->at_head) {
		usec_t all = x->at_end - x->at_head;
		usec_t service = x->at_first > x->at_sent && x->at_sent ? x->at_first - x->at_sent : 0;
		metric_time(r->metrics, METRIC_connector_time, op, effect, all);
		metric_time(r->metrics, METRIC_processing_time, op, effect, all > service ? all - service : 0);
		if (service)
			metric_time(r->metrics, METRIC_service_time, op, effect, service);
	}
	if (x->authorized)
		authz_served(x);
	request_line_write(x, effect);
}

static void recycle(struct exchange *x)
{
	struct relay *r = x->relay;
	recall_free(x); /* first: others may want the connection that it has */
	if (x->up)
		upstream_pool_cancel(&x->up->pool, &x->lease);
	authn_free(x);
	list_remove(&x->link);
	exchange_give_back(x, !x->head_sent);
	pump_free(x);
	http_body_done(&x->body);
	http_body_done(&x->reply);
	if (x->streams)
		r->streaming--;
	r->exchanges--;
	metric_set(r->metrics, METRIC_exchanges_open, 0, 0, r->exchanges);
	if (r->spare_count < RELAY_SPARE_EXCHANGES) {
		r->spare_count++;
		list_push_front(&r->spare, &x->link);
	} else {
		free(x);
	}
}

/* Connection problems of callers who sent nothing complete are no requests. */
static bool was_a_request(const struct exchange *x)
{
	return x->at_head || x->failure.code != ERR_CALLER_GONE;
}

static enum step finish(struct exchange *x, enum event ev)
{
	struct client_conn *c = x->client;
	enum client_after after = x->after;
	enum close_reason why = x->close_reason;
	if (was_a_request(x))
		count(x);
	recycle(x);
	if (c->per_request && c->proven)
		authn_forget(c);
	client_conn_after(c, after, why);
	return STEP_FINISH;
}

void exchange_refuse(struct exchange *x, struct err why, enum close_reason reason)
{
	x->failure = why;
	x->step = STEP_ANSWER;
	x->after = CLIENT_CLOSE;
	x->close_reason = (uint8_t)reason;
	answer_failure(x, true);
	finish(x, EV_ENTER);
}

void exchange_abandon(struct exchange *x)
{
	x->client->exchange = NULL;
	if (!x->failure.code)
		x->failure = ERR_OF(CALLER_GONE);
	if (was_a_request(x))
		count(x);
	recycle(x);
}

void exchange_run_later(struct exchange *x, enum event ev)
{
	x->ready_event = (uint8_t)ev;
	list_remove(&x->link);
	list_push_back(&x->relay->ready, &x->link);
}

/* ---- the driver ---- */

static const struct {
	const char *name;
	enum step (*run)(struct exchange *x, enum event ev);
} steps[STEP_COUNT] = {
#define STEP(name, function) {#name, function},
        STEPS(STEP)
#undef STEP
};

void exchange_run(struct exchange *x, enum event ev)
{
	bool cut = ev == EV_CLIENT_GONE || ev == EV_TIMEOUT;
	bool too_long = loop_now(x->relay->loop) - x->began > x->relay->settings->upstream_total_timeout_ms &&
	                x->step == STEP_RELAY;
	for (;;) {
		enum step next = cut        ? exchange_cut_short(x, ev)
		                 : too_long ? exchange_answer_with(x, ERR_OF(UPSTREAM_TIMEOUT))
		                            : steps[x->step].run(x, ev);
		if (next == x->step) {
			exchange_park(x);
			return;
		}
		CHECK(next > x->step || (x->step == STEP_RELAY && next == STEP_CONNECT));
		x->step = (uint8_t)next;
		ev = EV_ENTER;
		cut = too_long = false;
		if (next == STEP_FINISH) {
			finish(x, ev);
			return;
		}
	}
}

struct exchange *exchange_new(struct relay *r, struct client_conn *c)
{
	struct exchange *x;
	struct list *spare = list_first(&r->spare);
	if (spare) {
		list_remove(spare);
		r->spare_count--;
		x = container_of(spare, struct exchange, link);
	} else {
		x = malloc(sizeof(*x));
		if (!x)
			return NULL;
	}
	*x = (struct exchange){.relay = r, .client = c, .id = r->id_next++, .began = loop_now(r->loop)};
	list_init(&x->link);
	exchange_prepare_lease(x);
	r->content = (struct input){0};
	r->exchanges++;
	metric_set(r->metrics, METRIC_exchanges_open, 0, 0, r->exchanges);
	return x;
}

bool exchange_awaits_head(const struct exchange *x)
{
	return x->step == STEP_RECEIVE;
}

bool exchange_holds_body(const struct exchange *x)
{
	return x->held_cap || x->sent_cap;
}

void exchange_client_blocked(struct exchange *x)
{
	if (x->leased && x->step == STEP_RELAY)
		stream_pause(&x->leased->io);
}

void exchange_correlation(const struct exchange *x, char out[static CORRELATION_BYTES + 1])
{
	/* By hand: printf would cost as much as the rest of the request's log line. */
	uint64_t parts[2] = {x->relay->id_prefix, x->id};
	for (unsigned i = 0; i < CORRELATION_BYTES; i++)
		out[i] = "0123456789abcdef"[parts[i / 16] >> (60 - i % 16 * 4) & 15];
	out[CORRELATION_BYTES] = 0;
}

const char *exchange_step_name(unsigned step)
{
	return step < STEP_COUNT ? steps[step].name : "?";
}
