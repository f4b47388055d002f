#include "core/relay/flight.h"

#include "core/relay/authn.h"
#include "core/relay/exchange_lease.h"
#include "core/relay/pump.h"

#include <stdio.h>
#include <stdlib.h>

static struct flight *find(struct relay *r, const uint8_t key[static CACHED_KEY_BYTES])
{
	list_for_each_safe (link, &r->flights) {
		struct flight *f = container_of(link, struct flight, link);
		if (memcmp(f->key, key, CACHED_KEY_BYTES) == 0)
			return f;
	}
	return NULL;
}

bool flight_join(struct exchange *x)
{
	struct recall *q = x->recall;
	struct flight *f = find(x->relay, q->facts.key);
	if (f) {
		q->flight = f;
		q->from_flight = true;
		list_push_back(&f->others, &q->waiting);
		return true;
	}
	f = malloc(sizeof(*f));
	if (!f)
		return false;
	*f = (struct flight){.first = x};
	memcpy(f->key, q->facts.key, sizeof(f->key));
	list_init(&f->others);
	list_push_back(&x->relay->flights, &f->link);
	q->flight = f;
	return false;
}

/* The next of the others, who waits no longer; NULL: there is none. */
static struct exchange *next_of(struct flight *f)
{
	struct list *link = list_first(&f->others);
	if (!link)
		return NULL;
	list_remove(link);
	struct recall *q = container_of(link, struct recall, waiting);
	q->flight = NULL;
	return q->exchange;
}

static struct flight *led_by(const struct exchange *x)
{
	struct flight *f = x->recall->flight;
	return f && f->first == x ? f : NULL;
}

bool flight_is_shared(const struct exchange *x)
{
	const struct flight *f = led_by(x);
	return f && !list_empty(&f->others);
}

static void end(struct flight *f)
{
	f->first->recall->flight = NULL;
	list_remove(&f->link);
	free(f);
}

void flight_landed(struct exchange *x, struct cached *answer)
{
	struct flight *f = led_by(x);
	if (!f)
		return;
	for (struct exchange *other; (other = next_of(f));) {
		other->recall->found = cached_ref(answer);
		metric_add(x->relay->metrics, METRIC_cache_shared, x->op->id, 0, 1);
		exchange_run_later(other, EV_FLIGHT);
	}
	end(f);
}

void flight_in_vain(struct exchange *x)
{
	struct flight *f = led_by(x);
	if (!f)
		return;
	for (struct exchange *other; (other = next_of(f));)
		exchange_run_later(other, EV_FLIGHT);
	end(f);
}

/* What the cloud or the way to it did is the same for all; what happened to the first alone is not. */
static bool is_shared(enum err_code why)
{
	return (why >= ERR_UPSTREAM_NAME && why <= ERR_UPSTREAM_THROTTLED) && why != ERR_UPSTREAM_BUSY;
}

void flight_failed(struct exchange *x)
{
	struct flight *f = led_by(x);
	if (!f || !is_shared(x->failure.code))
		return; /* who waits goes on when x ends */
	for (struct exchange *other; (other = next_of(f));) {
		other->recall->shared = x->failure;
		other->retry_after_s = x->retry_after_s;
		exchange_run_later(other, EV_FLIGHT);
	}
	end(f);
}

/* ---- the first leaves ---- */

/* The question was asked, and all that came of the answer so far is there for somebody else. */
static bool can_pass_on(const struct exchange *x)
{
	return x->leased && x->head_sent && x->body_sent && !x->replacement && !x->reply.complete &&
	       (!x->reply_begun || x->recall->kept.bytes);
}

/* How the rest of an answer that began for somebody else comes to this caller. */
static void begin_answer(struct exchange *x)
{
	struct relay *r = x->relay;
	const struct kept *k = &x->recall->kept;
	char frame[64] = "Transfer-Encoding: chunked\r\n";
	bool until_close = x->reply.framing == BODY_CHUNKED && x->http10;
	x->reply_framing = until_close ? BODY_UNTIL_CLOSE : x->reply.framing;
	x->close_after = until_close || !x->keep_alive || r->draining;
	if (until_close)
		frame[0] = 0;
	else if (x->reply.framing == BODY_LENGTH)
		snprintf(frame, sizeof(frame), "Content-Length: %llu\r\n",
		         (unsigned long long)(x->reply.seen + x->reply.left));
	struct slice line = authn_line(x), ends = x->close_after ? SLICE("Connection: close\r\n\r\n") : SLICE("\r\n");
	stream_write(&x->client->io, k->bytes, k->head_len);
	stream_write(&x->client->io, frame, strlen(frame));
	stream_write(&x->client->io, line.at, line.len);
	struct input content = {k->bytes + k->head_len, k->len - k->head_len, false};
	pump_send(&x->client->io, ends, content, x->reply_framing == BODY_CHUNKED, false);
	x->client_sent += k->head_len + strlen(frame) + line.len + ends.len + content.n;
	x->status = 200;
	x->answered = true;
}

/* From here on `to` is in RELAY, as if it had asked. This is the one place that moves an exchange on from outside a turn of its own: the connection
 * may speak again before any turn of it. */
static void pass_on(struct exchange *from, struct exchange *to)
{
	struct recall *q = to->recall;
	struct upstream_conn *c = from->leased;
	from->leased = NULL;
	exchange_take_lease(to, c);
	to->step = STEP_RELAY;
	to->head_sent = to->body_sent = true;
	to->retried = from->retried;
	/* Its own copy of the question, if that must be asked again. */
	to->sent = to->held;
	to->sent_len = to->held_len;
	to->sent_cap = to->held_cap;
	to->held = NULL;
	to->held_len = to->held_cap = 0;
	to->reply = from->reply;
	from->reply = (struct http_body){0};
	to->reply_held = from->reply_held;
	from->reply_held = NULL;
	to->reply_scanned = from->reply_scanned;
	to->reply_begun = from->reply_begun;
	to->reply_bytes = from->reply_bytes;
	to->upstream_status = from->upstream_status;
	to->interim = from->interim;
	to->up_keeps = from->up_keeps;
	to->at_sent = from->at_sent;
	to->at_first = from->at_first;
	q->purges = from->recall->purges;
	q->kept = from->recall->kept;
	q->from_flight = false;
	from->recall->kept = (struct kept){0};
	if (to->reply_begun)
		begin_answer(to);
	bool blocked = stream_is_blocked(&to->client->io);
	if (blocked)
		stream_pause(&c->io);
	else
		stream_resume(&c->io);
	client_conn_wait(to->client, blocked ? WAIT_CLIENT : to->reply_bytes ? WAIT_ANSWER : WAIT_FIRST_BYTE);
}

/* The next who may have the answer; who may not any more learns it in its own turn. */
static struct exchange *next_authorized(struct flight *f)
{
	struct exchange *next;
	while ((next = next_of(f)) && !recall_may_have(next))
		exchange_run_later(next, EV_FLIGHT);
	return next;
}

void flight_leave(struct exchange *x)
{
	struct flight *f = x->recall->flight;
	list_remove(&x->recall->waiting);
	if (!f || f->first != x)
		return;
	struct exchange *next = next_authorized(f);
	if (!next) {
		end(f);
		return;
	}
	f->first = next;
	next->recall->flight = f;
	x->recall->flight = NULL;
	if (can_pass_on(x))
		pass_on(x, next);
	else
		exchange_run_later(next, EV_FLIGHT); /* found nothing: it asks */
}
