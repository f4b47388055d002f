/* core/net/stream.h and resolver.h without a network: a unit test that includes this says what the kernel takes, what comes, and when.
 * One test program includes it once; its functions stand in for those of stream.c and resolver.c.
 *
 *   wire_bytes(w, ...) on_bytes      wire_take(w) what was sent so far      wire_fill(w) the peer reads no more      wires_end_turn()
 */
#pragma once
#include "core/base/check.h"
#include "core/net/resolver.h"
#include "core/net/stream.h"

#include <stdlib.h>
#include <string.h>

enum { WIRES_MAX = 64, WIRE_BYTES = 1024 * 1024 };

struct wire {
	struct stream *stream; /* NULL when it was closed */
	char *out;             /* WIRE_BYTES: what was written, from the first byte on */
	size_t out_len, taken; /* taken: what wire_take() has handed out */
	size_t unsent;         /* written in this turn */
	bool full, was_reset, was_ended;
};

static struct {
	struct wire all[WIRES_MAX];
	unsigned count;
	struct stream *closing[WIRES_MAX];
	unsigned closing_count;
	char block[LOOP_HEADROOM + LOOP_PLAIN_BYTES + LOOP_TAILROOM];
	resolved_fn *asked;
	void *asked_context;
} wires;

static struct wire *wire_of(const struct stream *s)
{
	CHECK(s->fd >= 0);
	return &wires.all[s->fd];
}

static void wire_new(struct stream *s, enum stream_state state)
{
	CHECK(wires.count < WIRES_MAX);
	s->fd = (int)wires.count++;
	s->state = state;
	*wire_of(s) = (struct wire){.stream = s, .out = malloc(WIRE_BYTES)};
	CHECK(wire_of(s)->out);
}

/* ---- what stream.h declares ---- */

void stream_init(struct stream *s, struct loop *l, const struct stream_events *events)
{
	*s = (struct stream){.loop = l, .events = events, .fd = -1};
}

struct err stream_accept(struct stream *s, uv_stream_t *listening, struct tls_server *tls)
{
	wire_new(s, tls ? STREAM_HANDSHAKE : STREAM_OPEN);
	return OK;
}

struct err stream_accept_preface(struct stream *s, uv_stream_t *listening)
{
	wire_new(s, STREAM_PREFACE);
	return OK;
}

struct err stream_begin(struct stream *s, struct tls_server *tls)
{
	s->state = STREAM_OPEN;
	return OK;
}

struct err stream_connect(struct stream *s, const struct sockaddr *address, struct tls_client *tls)
{
	wire_new(s, STREAM_CONNECTING);
	return OK;
}

struct err stream_secure(struct stream *s, struct tls_client *tls)
{
	s->state = STREAM_HANDSHAKE;
	return OK;
}

void stream_close(struct stream *s)
{
	if (s->state >= STREAM_CLOSING)
		return;
	s->state = STREAM_CLOSING;
	s->loop->waiting_bytes -= s->waiting_bytes;
	s->waiting_bytes = 0;
	wire_of(s)->stream = NULL;
	wires.closing[wires.closing_count++] = s;
}

void stream_write(struct stream *s, const char *bytes, size_t n)
{
	if (s->state != STREAM_OPEN || s->ended || n == 0)
		return;
	struct wire *w = wire_of(s);
	CHECK(w->out_len + n <= WIRE_BYTES);
	memcpy(w->out + w->out_len, bytes, n);
	w->out_len += n;
	w->unsent += n;
}

void stream_take_back(struct stream *s)
{
	struct wire *w = wire_of(s);
	w->out_len -= w->unsent;
	w->unsent = 0;
}

void stream_end(struct stream *s)
{
	s->ended = wire_of(s)->was_ended = true;
}

void stream_flush_all(struct loop *l)
{
	for (unsigned i = 0; i < wires.count; i++) {
		struct wire *w = &wires.all[i];
		struct stream *s = w->stream;
		if (!s || !w->unsent)
			continue;
		s->sent = true;
		s->waiting_bytes += w->full ? w->unsent : 0;
		l->waiting_bytes += w->full ? w->unsent : 0;
		w->unsent = 0;
		if (s->waiting_bytes && !s->blocked_told) {
			s->blocked_told = true;
			s->events->on_blocked(s);
		}
	}
}

void stream_reset(struct stream *s)
{
	wire_of(s)->was_reset = true;
}

void stream_pause(struct stream *s)
{
	s->paused = true;
}

void stream_resume(struct stream *s)
{
	s->paused = false;
}

bool stream_peer(const struct stream *s, struct sockaddr_storage *out)
{
	return false;
}

struct slice stream_end_point(const struct stream *s)
{
	return SLICE("");
}

bool stream_resumed(const struct stream *s)
{
	return false;
}

void stream_tls_output(struct stream *s, const char *bytes, size_t n)
{
	CHECK(false);
}

/* ---- what resolver.h declares ---- */

struct err resolver_new(struct loop *l, const char *servers, struct resolver **out)
{
	*out = NULL;
	return OK;
}

void resolver_lookup(struct resolver *r, const char *name, uint16_t port, resolved_fn *done, void *context)
{
	wires.asked = done;
	wires.asked_context = context;
}

void resolver_forget(struct resolver *r, const char *name)
{
}

void resolver_close(struct resolver *r)
{
}

/* ---- the world's acts ---- */

/* The name that was asked for is 127.0.0.1. */
static void wires_resolve(void)
{
	struct resolved answer = {.count = 1};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&answer.address[0];
	v4->sin_family = AF_INET;
	v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	resolved_fn *done = wires.asked;
	CHECK(done);
	wires.asked = NULL;
	done(wires.asked_context, OK, &answer);
}

static void wire_connected(struct wire *w)
{
	w->stream->state = STREAM_OPEN;
	w->stream->events->on_ready(w->stream);
}

/* False: nobody reads there now, so the bytes stay in the kernel. */
static bool wire_bytes(struct wire *w, const char *bytes, size_t n)
{
	if (!w->stream || w->stream->paused || w->stream->gone || w->stream->state != STREAM_OPEN)
		return false;
	CHECK(n <= LOOP_PLAIN_BYTES);
	char *at = wires.block + LOOP_HEADROOM;
	memcpy(at, bytes, n);
	w->stream->events->on_bytes(w->stream, at, n);
	return true;
}

static void wire_gone(struct wire *w, enum err_code code)
{
	w->stream->gone = true;
	w->stream->events->on_gone(w->stream, (struct err){.code = code});
}

/* From now on the kernel takes nothing for this one, as its peer does not read. */
[[maybe_unused]] static void wire_fill(struct wire *w)
{
	w->full = true;
}

/* The peer reads again, and has read all. */
[[maybe_unused]] static void wire_drain(struct wire *w)
{
	w->full = false;
	w->stream->loop->waiting_bytes -= w->stream->waiting_bytes;
	w->stream->waiting_bytes = 0;
	w->stream->blocked_told = false;
	w->stream->events->on_drained(w->stream);
}

/* What was written since the last call, as text. */
static const char *wire_take(struct wire *w)
{
	CHECK(w->out_len < WIRE_BYTES);
	w->out[w->out_len] = 0;
	const char *new = w->out + w->taken;
	w->taken = w->out_len;
	return new;
}

/* What closed in this turn is gone. */
static void wires_deliver_closed(void)
{
	while (wires.closing_count) {
		struct stream *s = wires.closing[--wires.closing_count];
		s->state = STREAM_CLOSED;
		s->events->on_closed(s); /* may free s */
	}
}

static void wires_free(void)
{
	for (unsigned i = 0; i < wires.count; i++)
		free(wires.all[i].out);
	memset(&wires, 0, sizeof(wires));
}
