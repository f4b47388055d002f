#include "bench/cloud_sim_fixed.h"

#include "bench/cloud_sim_worker.h"
#include "proto/http_parse.h"

#include <stdlib.h>

enum {
	PIECE_BYTES = 256 * 1024, /* longer answers go out in such pieces, as the caller takes them */
	PIECES_PER_TURN = 8,
	HEAD_ROOM = 256,
};

struct fixed_conn {
	struct sim_peer peer;
	struct stream io;
	struct sim_worker *w;
	struct http_body body;
	bool in_body, wants_close;
	struct text held; /* the beginning of a head */
	size_t scanned;
	uint64_t answer_bytes; /* of the request being read or answered */
	uint64_t left;         /* of a long answer */
	bool answering;
	struct sim_alarm alarm;
};

/* ---- answers ---- */

static const char start[] =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<soap:Envelope "
        "xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">"
        "<soap:Body><AcquireLicenseResponse xmlns=\"http://microsoft.com/DRM/LicensingService\"/></soap:Body><!--";
static const char end[] = "--></soap:Envelope>";

/* Neighbouring stretches differ, so that a proxy which moves or repeats bytes is found out. */
static void fill(char *to, size_t n)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < n; i++)
		to[i] = letters[(i ^ i >> 6 ^ i >> 12) & 63];
}

void sim_fixed_init(struct sim_fixed *f)
{
	*f = (struct sim_fixed){.filler = malloc(PIECE_BYTES)};
	CHECK(f->filler);
	fill(f->filler, PIECE_BYTES);
}

void sim_fixed_done(struct sim_fixed *f)
{
	for (size_t i = 0; i < f->count; i++)
		text_free(&f->answers[i].wire);
	free(f->filler);
	*f = (struct sim_fixed){0};
}

static void add_head(struct text *wire, uint64_t bytes)
{
	text_format(wire,
	            "HTTP/1.1 200 OK\r\nCache-Control: private, max-age=0\r\nContent-Type: text/xml; charset=utf-8\r\n"
	            "Content-Length: %llu\r\n\r\n",
	            (unsigned long long)bytes);
}

/* A whole answer with a body of that size, up to PIECE_BYTES; valid until the next call. */
static struct slice fixed_answer(struct sim_fixed *f, uint64_t bytes)
{
	for (size_t i = 0; i < f->count; i++) {
		if (f->answers[i].bytes == bytes)
			return text_slice(&f->answers[i].wire);
	}
	struct fixed_answer *a = &f->answers[f->next];
	f->next = (f->next + 1) % ARRAY_COUNT(f->answers);
	if (f->count < ARRAY_COUNT(f->answers))
		f->count++;
	a->bytes = bytes;
	text_clear(&a->wire);
	add_head(&a->wire, bytes);
	size_t frame = sizeof start - 1 + sizeof end - 1;
	if (bytes >= frame) {
		text_add_str(&a->wire, start);
		fill(text_grow(&a->wire, bytes - frame), bytes - frame);
		text_add_str(&a->wire, end);
	} else if (bytes) {
		fill(text_grow(&a->wire, bytes), bytes);
	}
	return text_slice(&a->wire);
}

/* "... answer=8192" in the User-Agent: the one thing a caller can say through the node. */
static uint64_t bytes_asked(const struct http_head *head, uint64_t otherwise)
{
	struct slice agent = http_head_get(head, HDR_USER_AGENT);
	const char *at = agent.len ? memmem(agent.at, agent.len, "answer=", 7) : NULL;
	if (!at)
		return otherwise;
	uint64_t n = 0;
	for (at += 7; at < agent.at + agent.len && *at >= '0' && *at <= '9' && n < 1u << 30; at++)
		n = n * 10 + (uint64_t)(*at - '0');
	return n <= 1u << 30 ? n : 1u << 30;
}

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* ---- one connection ---- */

static void finish(struct fixed_conn *c)
{
	c->answering = false;
	if (c->wants_close)
		stream_end(&c->io);
}

static void on_time_to_go_on(struct sim_alarm *a);
static void on_time_to_answer(struct sim_alarm *a);

static void send_on(struct fixed_conn *c)
{
	for (int i = 0; c->left && !stream_is_blocked(&c->io) && stream_is_open(&c->io); i++) {
		if (i == PIECES_PER_TURN) {
			sim_alarm_set(&c->alarm, &c->w->clock, 0, on_time_to_go_on);
			return;
		}
		size_t n = c->left < PIECE_BYTES ? (size_t)c->left : PIECE_BYTES;
		stream_write(&c->io, c->w->fixed.filler, n);
		c->left -= n;
	}
	if (!c->left)
		finish(c);
}

static void answer(struct fixed_conn *c)
{
	struct sim_fixed *f = &c->w->fixed;
	count(&f->answer_bytes, c->answer_bytes);
	if (c->answer_bytes <= PIECE_BYTES) {
		struct slice wire = fixed_answer(f, c->answer_bytes);
		stream_write(&c->io, wire.at, wire.len);
		finish(c);
		return;
	}
	struct text head = {0};
	add_head(&head, c->answer_bytes);
	stream_write(&c->io, head.at, head.len);
	text_free(&head);
	c->left = c->answer_bytes;
	send_on(c);
}

static void request_is_whole(struct fixed_conn *c)
{
	uint32_t delay_ms = c->w->sim->options->delay_ms;
	count(&c->w->fixed.requests, 1);
	count(&c->w->fixed.request_bytes, c->body.seen);
	http_body_done(&c->body);
	c->in_body = false;
	c->answering = true;
	if (delay_ms)
		sim_alarm_set(&c->alarm, &c->w->clock, delay_ms, on_time_to_answer);
	else
		answer(c);
}

/* Bytes of a head understood, 0: more is needed, -1: refused. */
static long take_head(struct fixed_conn *c, char *bytes, size_t n)
{
	static const struct guard_limits limits = {.head_bytes = 128 * 1024, .plain_bytes = 128 * 1024};
	enum guard_reason why = GUARD_FINE;
	struct http_head head;
	long used = http_guard_request(bytes, n, &c->scanned, &limits, &why);
	if (used == 0)
		return 0;
	c->scanned = 0;
	if (used < 0 || !http_parse_request(bytes, (size_t)used, &head, &why)) {
		sim_seen_refused(&c->w->sim->seen, why);
		return -1;
	}
	c->answer_bytes = bytes_asked(&head, c->w->sim->options->answer_bytes);
	c->wants_close = !head.keep_alive;
	http_body_start(&c->body, &head);
	c->in_body = true;
	if (head.expect_continue)
		stream_write(&c->io, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	return used;
}

static void refuse(struct fixed_conn *c)
{
	static const char no[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	stream_write(&c->io, no, sizeof no - 1);
	stream_flush_all(&c->w->loop);
	stream_close(&c->io);
}

static void take(struct fixed_conn *c, char *bytes, size_t n)
{
	while (stream_is_open(&c->io)) {
		if (c->answering ||
		    (!n && !c->in_body)) /* a caller that does not wait for its answer: what it sent waits here */
			break;
		if (!c->in_body) {
			long used = take_head(c, bytes, n);
			if (used < 0) {
				refuse(c);
				return;
			}
			if (used == 0)
				break;
			bytes += used;
			n -= (size_t)used;
		}
		enum guard_reason why = GUARD_FINE;
		struct http_taken got = http_body_take(&c->body, bytes, n, &why);
		if (!got.ok) {
			sim_seen_refused(&c->w->sim->seen, why);
			refuse(c);
			return;
		}
		bytes += got.used;
		n -= got.used;
		if (!c->body.complete)
			return;
		request_is_whole(c);
	}
	if (n && c->held.len + n < 1 << 20)
		text_add(&c->held, slice_of(bytes, n));
	else if (n)
		stream_close(&c->io);
}

static void take_held(struct fixed_conn *c)
{
	struct text held = c->held;
	c->held = (struct text){0};
	take(c, held.at, held.len);
	text_free(&held);
}

/* Requests that came while one was answered. */
static void next(struct fixed_conn *c)
{
	if (!c->answering && c->held.len)
		take_held(c);
}

static void on_time_to_answer(struct sim_alarm *a)
{
	struct fixed_conn *c = container_of(a, struct fixed_conn, alarm);
	answer(c);
	next(c);
}

static void on_time_to_go_on(struct sim_alarm *a)
{
	struct fixed_conn *c = container_of(a, struct fixed_conn, alarm);
	send_on(c);
	next(c);
}

static void on_bytes(struct stream *io, char *bytes, size_t n)
{
	struct fixed_conn *c = container_of(io, struct fixed_conn, io);
	if (!c->held.len) {
		take(c, bytes, n);
		return;
	}
	text_add(&c->held, slice_of(bytes, n));
	take_held(c);
}

static void on_drained(struct stream *io)
{
	struct fixed_conn *c = container_of(io, struct fixed_conn, io);
	if (c->left && !sim_alarm_is_set(&c->alarm)) {
		send_on(c);
		next(c);
	}
}

static void on_ready(struct stream *io)
{
	struct fixed_conn *c = container_of(io, struct fixed_conn, io);
	sim_seen_count(&c->w->sim->seen, &c->w->sim->seen.connections.handshakes, 1);
}

static void on_gone(struct stream *io, struct err why)
{
	stream_close(io);
}

static void on_closed(struct stream *io)
{
	struct fixed_conn *c = container_of(io, struct fixed_conn, io);
	sim_seen_count(&c->w->sim->seen, &c->w->sim->seen.connections.open, -1);
	sim_alarm_stop(&c->alarm);
	list_remove(&c->peer.link);
	http_body_done(&c->body);
	text_free(&c->held);
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
	const struct fixed_conn *c = container_of(p, struct fixed_conn, peer);
	return !c->in_body && !c->answering;
}

static void close_peer(struct sim_peer *p, enum sim_action how)
{
	struct fixed_conn *c = container_of(p, struct fixed_conn, peer);
	if (how == SIM_RESET)
		stream_reset(&c->io);
	stream_close(&c->io);
}

void sim_fixed_accept(struct sim_worker *w, struct sim_listener *l)
{
	struct fixed_conn *c = calloc(1, sizeof *c);
	CHECK(c);
	c->w = w;
	c->peer.is_idle = is_idle;
	c->peer.close = close_peer;
	list_push_back(&w->connections, &c->peer.link);
	sim_alarm_init(&c->alarm);
	stream_init(&c->io, &w->loop, &events);
	sim_seen_count(&w->sim->seen, &w->sim->seen.connections.accepted, 1);
	sim_seen_count(&w->sim->seen, &w->sim->seen.connections.open, 1);
	if (stream_accept(&c->io, (uv_stream_t *)&l->base.tcp, w->tls[l->index]).code)
		stream_close(&c->io);
}
