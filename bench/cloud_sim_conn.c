#include "bench/cloud_sim_conn.h"

#include "bench/cloud_sim_worker.h"

#include <stdlib.h>

enum {
	PIECE_BYTES = 256 * 1024,
	CONTENT_MAX =
	        32 * 1024 * 1024, /* of a body that is kept to answer it; longer ones are hashed and answered 413 */
	HELD_MAX = 1024 * 1024,   /* bytes of later requests while one is answered */
};

static void consume(struct sim_conn *c);
static void send_on(struct sim_conn *c);

static struct sim_seen *seen_of(struct sim_conn *c)
{
	return &c->w->sim->seen;
}

/* ---- the answer ---- */

static void finish(struct sim_conn *c)
{
	bool closes = c->reply.closes || (c->rule && c->rule->early && c->rule->early_then == SIM_THEN_CLOSE);
	bool close_after = c->rule && c->rule->has_close_after;
	uint32_t close_after_ms = close_after ? c->rule->close_after_ms : 0;
	struct sim_script *script = &c->w->sim->script;
	if (!c->request_whole && !closes)
		return; /* an early answer: the rest of the request is still read, or deliberately not */
	sim_conn_end_exchange(c, false);
	if (closes || (close_after && !close_after_ms)) {
		sim_conn_end_in_order(c, SIM_LINGER_MS);
		return;
	}
	pthread_mutex_lock(&script->lock);
	uint32_t idle_ms = script->connections.idle_ms;
	pthread_mutex_unlock(&script->lock);
	if (close_after)
		sim_conn_end_later(c, close_after_ms);
	else if (idle_ms)
		sim_conn_end_later(c, idle_ms);
	c->idle_alarm = !close_after && idle_ms;
}

static void on_time_to_send(struct sim_alarm *a)
{
	struct sim_conn *c = container_of(a, struct sim_conn, answer_alarm);
	send_on(c);
	if (!c->answering)
		consume(c);
}

/* Sends what may be sent now. When all is sent the exchange may be over; the caller of this function then goes on with what waits in c->in. */
static void send_on(struct sim_conn *c)
{
	const struct sim_rule *rule = c->rule;
	size_t end = c->reply.wire.len;
	bool acts = rule && rule->has_at;
	if (acts && rule->at < end)
		end = rule->at;
	while (c->sent < end) {
		if (stream_is_blocked(&c->io) || !stream_is_open(&c->io))
			return; /* on_drained, or the end */
		size_t n = end - c->sent, most = rule && rule->piece_bytes ? rule->piece_bytes : PIECE_BYTES;
		if (n > most)
			n = most;
		stream_write(&c->io, c->reply.wire.at + c->sent, n);
		c->sent += n;
		if (c->sent < end && rule && rule->piece_bytes) {
			sim_alarm_set(&c->answer_alarm, &c->w->clock, rule->pause_ms, on_time_to_send);
			return;
		}
	}
	if (stream_is_blocked(&c->io) && acts)
		return;
	c->answering = false;
	c->answer_sent = c->sent == c->reply.wire.len;
	if (acts)
		sim_conn_act_soon(c);
	else
		finish(c);
}

static void begin_answer(struct sim_conn *c)
{
	const struct sim_rule *rule = c->rule;
	uint32_t delay_ms = c->w->sim->options->delay_ms + (rule ? rule->delay_ms : 0);
	sim_reply_make(&c->reply, &c->w->answers, &c->question, rule, text_slice(&c->content));
	sim_seen_answer(seen_of(c), c->record, c->reply.status);
	c->answering = true;
	if (delay_ms)
		sim_alarm_set(&c->answer_alarm, &c->w->clock, delay_ms, on_time_to_send);
	else
		send_on(c);
}

/* ---- the request ---- */

static void refuse(struct sim_conn *c, enum guard_reason why)
{
	struct text wire = {0};
	sim_seen_refused(seen_of(c), why);
	text_format(&wire,
	            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: "
	            "close\r\n\r\n%s",
	            strlen(guard_reason_text(why)), guard_reason_text(why));
	if (!c->mute)
		stream_write(&c->io, wire.at, wire.len);
	text_free(&wire);
	sim_conn_end_exchange(c, false);
	c->used = c->in.len;
	sim_conn_end_in_order(c, SIM_LINGER_MS);
}

static void begin_request(struct sim_conn *c, const struct http_head *head, size_t head_bytes)
{
	sim_question_read(&c->question, head, c->w->sim->options, &c->w->sim->login);
	c->in_request = true;
	c->request_bytes = head_bytes;
	c->record = sim_seen_head(seen_of(c), head, c->question.op, c->number, c->resumed);
	struct slice credential = http_head_get(head, HDR_AUTHORIZATION);
	struct sim_asked asked = {.op = c->question.op,
	                          .path = head->path,
	                          .user_agent = http_head_get(head, HDR_USER_AGENT),
	                          .scheme = slice_until(credential, slice_find(credential, ' ')),
	                          .connection = c->number};
	c->rule = c->mute ? NULL : sim_script_match(&c->w->sim->script, &asked, clock_now());
	http_body_start(&c->body, head);
	crypto_sha256_start(&c->hash);
	if (head->expect_continue && !c->mute && !(c->rule && c->rule->early))
		stream_write(&c->io, "HTTP/1.1 100 Continue\r\n\r\n", 25);
}

/* false: more is needed, or the connection is done for. */
static bool take_head(struct sim_conn *c)
{
	static const struct guard_limits limits = {.head_bytes = 256 * 1024, .plain_bytes = 256 * 1024};
	enum guard_reason why = GUARD_FINE;
	struct http_head head;
	long n = http_guard_request(c->in.at + c->used, c->in.len - c->used, &c->scanned, &limits, &why);
	if (n == 0)
		return false;
	c->scanned = 0;
	if (n < 0 || !http_parse_request(c->in.at + c->used, (size_t)n, &head, &why)) {
		refuse(c, why);
		return false;
	}
	c->used += (size_t)n;
	begin_request(c, &head, (size_t)n);
	return true;
}

static void request_is_whole(struct sim_conn *c)
{
	uint8_t digest[CRYPTO_SHA256_BYTES];
	c->request_whole = true;
	c->question.too_large = c->body.seen > CONTENT_MAX;
	crypto_sha256_end(&c->hash, digest);
	sim_seen_whole(seen_of(c), c->record, c->body.seen, digest);
	if (c->stalled)
		return;
	if (c->mute)
		sim_conn_end_exchange(c, false);
	else if (!c->answering && !c->answer_sent)
		begin_answer(c);
	else if (c->answer_sent)
		finish(c);
}

/* How many bytes may be looked at before the rule's byte of the request. */
static size_t room_before_action(const struct sim_conn *c)
{
	if (!c->rule || !c->rule->has_at_request || c->mute)
		return SIZE_MAX;
	return c->rule->at_request > c->request_bytes ? c->rule->at_request - c->request_bytes : 0;
}

/* false: more is needed, or the connection is done for. */
static bool take_body(struct sim_conn *c)
{
	enum guard_reason why = GUARD_FINE;
	size_t n = c->in.len - c->used, room = room_before_action(c);
	if (room == 0) {
		sim_conn_act_soon(c);
		return false;
	}
	struct http_taken got = http_body_take(&c->body, c->in.at + c->used, n < room ? n : room, &why);
	if (!got.ok) {
		refuse(c, why);
		return false;
	}
	c->used += got.used;
	c->request_bytes += got.used;
	crypto_sha256_add(&c->hash, got.data, got.data_len);
	if (c->body.seen <= CONTENT_MAX)
		text_add(&c->content, slice_of(got.data, got.data_len));
	else
		text_free(&c->content);
	if (!c->mute && room_before_action(c) == 0) {
		sim_conn_act_soon(c);
		return false;
	}
	if (c->rule && c->rule->early && !c->mute && !c->answering && !c->answer_sent &&
	    (c->body.seen >= c->rule->early_after || c->body.complete)) {
		if (c->rule->early_then == SIM_THEN_STOP)
			sim_conn_hold_back(c);
		begin_answer(c);
		if (!c->in_request || c->held_back)
			return false;
	}
	if (c->body.complete) {
		request_is_whole(c);
		return true;
	}
	return got.used > 0 && c->used < c->in.len;
}

/* Works off what has come, until more is needed or an answer must end first. */
static void consume(struct sim_conn *c)
{
	bool more = true;
	if (c->deaf)
		c->used = c->in.len;
	while (more && stream_is_open(&c->io)) {
		if (!c->in_request) {
			if (c->used == c->in.len)
				break;
			more = take_head(c);
		} else if (!c->request_whole) {
			more = take_body(c);
		} else {
			break;
		}
	}
	if (c->used == c->in.len)
		text_clear(&c->in);
	else if (c->used)
		memmove(c->in.at, c->in.at + c->used, c->in.len -= c->used);
	c->used = 0;
	if (c->in.len > HELD_MAX && !c->stalled)
		stream_pause(&c->io);
	else if (!c->held_back)
		stream_resume(&c->io);
}

/* ---- the stream ---- */

static void on_ready(struct stream *io)
{
	struct sim_conn *c = container_of(io, struct sim_conn, io);
	struct sim_worker *w = c->w;
	const struct tls_counts *counts = tls_server_counts(w->tls[c->listener]);
	c->ready = true;
	c->resumed = counts->resumed != w->resumed[c->listener];
	w->resumed[c->listener] = counts->resumed;
	sim_seen_count(seen_of(c), &seen_of(c)->connections.handshakes, 1);
	if (c->resumed)
		sim_seen_count(seen_of(c), &seen_of(c)->connections.resumed, 1);
}

static void on_bytes(struct stream *io, char *bytes, size_t n)
{
	struct sim_conn *c = container_of(io, struct sim_conn, io);
	/* An idle connection is no longer idle; one that is to close after its answer closes all the same. */
	if (c->idle_alarm)
		sim_alarm_stop(&c->end_alarm);
	c->idle_alarm = false;
	if (c->stalled && c->request_whole)
		sim_seen_count(seen_of(c), &seen_of(c)->connections.bytes_after_fault, (int64_t)n);
	text_add(&c->in, slice_of(bytes, n));
	consume(c);
}

static void on_drained(struct stream *io)
{
	struct sim_conn *c = container_of(io, struct sim_conn, io);
	if (c->answering && !sim_alarm_is_set(&c->answer_alarm)) {
		send_on(c);
		if (!c->answering)
			consume(c);
	}
}

static void on_gone(struct stream *io, struct err why)
{
	sim_conn_gone(container_of(io, struct sim_conn, io), why.code);
}

static void on_closed(struct stream *io)
{
	struct sim_conn *c = container_of(io, struct sim_conn, io);
	sim_conn_end_exchange(c, true);
	sim_alarm_stop(&c->answer_alarm);
	sim_alarm_stop(&c->end_alarm);
	if (c->counted_open)
		sim_seen_count(seen_of(c), &seen_of(c)->connections.open, -1);
	list_remove(&c->peer.link);
	text_free(&c->in);
	text_free(&c->content);
	text_free(&c->reply.wire);
	sim_worker_connection_closed(c->w);
	free(c);
}

static const struct stream_events events = {
        .on_ready = on_ready,
        .on_bytes = on_bytes,
        .on_drained = on_drained,
        .on_gone = on_gone,
        .on_closed = on_closed,
};

static bool is_idle(struct sim_peer *p)
{
	return !container_of(p, struct sim_conn, peer)->in_request;
}

static void close_peer(struct sim_peer *p, enum sim_action how)
{
	struct sim_conn *c = container_of(p, struct sim_conn, peer);
	if (c->io.state < STREAM_CLOSING)
		sim_conn_act(c, how, SLICE("garbage\r\n"));
}

void sim_conn_accept(struct sim_worker *w, struct sim_listener *l, enum sim_action what)
{
	struct sim_conn *c = calloc(1, sizeof *c);
	CHECK(c);
	c->w = w;
	c->listener = l->index;
	c->number = __atomic_add_fetch(&w->sim->connections, 1, __ATOMIC_RELAXED);
	c->peer.is_idle = is_idle;
	c->peer.close = close_peer;
	list_push_back(&w->connections, &c->peer.link);
	sim_alarm_init(&c->answer_alarm);
	sim_alarm_init(&c->end_alarm);
	stream_init(&c->io, &w->loop, &events);
	struct err e = stream_accept(&c->io, (uv_stream_t *)&l->base.tcp, w->tls[l->index]);
	struct sim_seen_connections *counts = &w->sim->seen.connections;
	sim_seen_count(&w->sim->seen, &counts->accepted, 1);
	sim_seen_count(&w->sim->seen, &counts->open, 1);
	c->counted_open = true;
	if (e.code || what == SIM_CLOSE || what == SIM_RESET) {
		sim_seen_count(&w->sim->seen, &counts->closed_at_once, 1);
		if (what == SIM_RESET)
			stream_reset(&c->io);
		stream_close(&c->io);
	} else if (what == SIM_STALL) {
		sim_conn_hold_back(c);
	}
}
