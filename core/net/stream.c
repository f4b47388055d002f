#include "core/net/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
	READS_PER_EVENT = 8,      /* then other connections get their turn; level triggering brings us back */
	GATHER_BYTES = 48 * 1024, /* larger pieces are sent at once: gathering them only spoils the cache */
};

struct waiting_write { /* what the kernel did not take */
	uv_write_t request;
	struct stream *stream;
	size_t len;
	char bytes[];
};

struct connecting {
	uv_connect_t request;
	struct stream *stream;
	struct tls_client *tls;
};

void stream_init(struct stream *s, struct loop *l, const struct stream_events *events)
{
	*s = (struct stream){.loop = l, .events = events, .fd = -1};
}

static void gone(struct stream *s, struct err why)
{
	if (s->gone || s->state >= STREAM_CLOSING)
		return;
	s->gone = true;
	uv_read_stop((uv_stream_t *)&s->tcp);
	s->events->on_gone(s, why);
}

static void on_readable(struct stream *s);

/* ---- writing ---- */

static void count_waiting(struct stream *s, ptrdiff_t n)
{
	s->waiting_bytes += (size_t)n;
	s->loop->waiting_bytes += (size_t)n;
}

static void on_written(uv_write_t *request, int status)
{
	struct waiting_write *w = container_of(request, struct waiting_write, request);
	struct stream *s = w->stream;
	size_t n = w->len;
	free(w);
	if (s->state >= STREAM_CLOSING) /* which counted it already */
		return;
	count_waiting(s, -(ptrdiff_t)n);
	if (status < 0) {
		on_readable(s); /* an answer that came before the other side closed is worth more than the error */
		gone(s, ERR_OF(NETWORK, .sys = status));
		return;
	}
	if (s->waiting_bytes == 0 && s->blocked_told) {
		s->blocked_told = false;
		if (s->events->on_drained)
			s->events->on_drained(s);
	}
}

/* An exact copy waits in libuv. A connection that is already broken reports through the same callback, later: never from inside a write. */
static void wait_for_kernel(struct stream *s, const char *bytes, size_t n)
{
	struct waiting_write *w = malloc(sizeof(*w) + n);
	if (!w) { /* nothing can be kept: the connection must not go on with a hole in it */
		stream_reset(s);
		shutdown(s->fd, SHUT_RDWR);
		return;
	}
	w->stream = s;
	w->len = n;
	memcpy(w->bytes, bytes, n);
	uv_buf_t piece = uv_buf_init(w->bytes, (unsigned)n);
	count_waiting(s, (ptrdiff_t)n);
	int failed = uv_write(&w->request, (uv_stream_t *)&s->tcp, &piece, 1, on_written);
	if (failed) {
		count_waiting(s, -(ptrdiff_t)n);
		free(w);
		shutdown(s->fd, SHUT_RDWR); /* reading then reports the end */
		return;
	}
	if (!s->blocked_told) {
		s->blocked_told = true;
		if (s->events->on_blocked)
			s->events->on_blocked(s);
	}
}

static void send_now(struct stream *s, const char *bytes, size_t n)
{
	if (n)
		s->sent = true;
	if (s->waiting_bytes == 0 && n > 0) {
		ssize_t sent;
		do
			sent = send(s->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		while (sent < 0 && errno == EINTR);
		if (sent > 0) {
			bytes += sent;
			n -= (size_t)sent;
		}
	}
	if (n)
		wait_for_kernel(s, bytes, n);
}

void stream_flush_all(struct loop *l)
{
	/* Callbacks may only pause a producer, so nothing is noted while this runs. */
	for (size_t i = 0; i < l->note_count; i++) {
		struct write_note *note = &l->notes[i];
		note->stream->note = 0;
		send_now(note->stream, l->out + note->at, note->len);
	}
	l->note_count = 0;
	l->out_len = 0;
}

/* Appends to the gathered bytes. One note for each connection, in one piece: a second, separate piece sends all the earlier first. */
static void gather(struct stream *s, const char *bytes, size_t n)
{
	struct loop *l = s->loop;
	bool extends = s->note && s->note == l->note_count;
	if (l->out_len + n > LOOP_OUT_BYTES || (s->note && !extends) || (!extends && l->note_count == LOOP_NOTES)) {
		stream_flush_all(l);
		extends = false;
	}
	if (!extends) {
		l->notes[l->note_count++] = (struct write_note){s, l->out_len, 0};
		s->note = (uint16_t)l->note_count;
	}
	memcpy(l->out + l->out_len, bytes, n);
	l->out_len += n;
	l->notes[s->note - 1].len += n;
}

void stream_tls_output(struct stream *s, const char *bytes, size_t n)
{
	while (n > 0) {
		size_t piece = n < LOOP_OUT_BYTES ? n : LOOP_OUT_BYTES;
		gather(s, bytes, piece);
		bytes += piece;
		n -= piece;
	}
}

void stream_write(struct stream *s, const char *bytes, size_t n)
{
	if (s->state != STREAM_OPEN || s->ended || n == 0)
		return;
	if (s->tls) {
		s->loop->turn = s;
		if (!tls_conn_write(s->tls, bytes, n))
			shutdown(s->fd, SHUT_RDWR);
		if (s->note && s->loop->notes[s->note - 1].len > GATHER_BYTES)
			stream_flush_all(s->loop);
	} else if (n > GATHER_BYTES) {
		stream_flush_all(s->loop);
		send_now(s, bytes, n);
	} else {
		gather(s, bytes, n);
	}
}

void stream_take_back(struct stream *s)
{
	if (s->note)
		s->loop->notes[s->note - 1].len = 0;
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
	free(request);
}

void stream_end(struct stream *s)
{
	if (s->state != STREAM_OPEN || s->ended)
		return;
	if (s->tls) {
		s->loop->turn = s;
		tls_conn_end(s->tls);
	}
	s->ended = true;
	if (s->note)
		stream_flush_all(s->loop);
	uv_shutdown_t *request = malloc(sizeof(*request));
	if (!request || uv_shutdown(request, (uv_stream_t *)&s->tcp, on_shutdown))
		free(request);
}

void stream_reset(struct stream *s)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	if (s->fd >= 0)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	/* No buffer: libuv then reads nothing and tells us that there is something (documented for uv_alloc_cb). Our own recv saves 5 %. */
	*out = uv_buf_init(NULL, 0);
}

/* False: do not read on. bytes: in l->cipher. */
static bool decrypt(struct stream *s, const char *bytes, size_t n)
{
	struct loop *l = s->loop;
	struct err why = OK;
	l->turn = l->input_of = s;
	l->input = bytes;
	l->input_len = n;
	if (s->state == STREAM_HANDSHAKE) {
		int done = tls_conn_handshake(s->tls, &why);
		if (done == 0)
			return true;
		if (done < 0) {
			gone(s, why);
			return false;
		}
		s->state = STREAM_OPEN;
		if (s->events->on_ready)
			s->events->on_ready(s);
		if (s->state != STREAM_OPEN)
			return false;
	}
	size_t got = 0;
	long end = 0;
	l->turn = s;
	while (got < LOOP_PLAIN_BYTES && (l->input_len || tls_conn_has_pending(s->tls))) {
		end = tls_conn_read(s->tls, l->plain + got, LOOP_PLAIN_BYTES - got, &why);
		if (end <= 0)
			break;
		got += (size_t)end;
	}
	l->input_of = NULL;
	if (got)
		s->events->on_bytes(s, l->plain, got);
	if (s->state != STREAM_OPEN)
		return false;
	if (end < 0) {
		gone(s, end == -1 ? ERR_OF(CLOSED) : why);
		return false;
	}
	return true;
}

/* Once a connection, of those that have a preface; what stands behind it in the same bytes goes where it belongs. */
static void read_preface(struct stream *s, char *bytes, size_t n)
{
	size_t used = s->events->on_preface(s, bytes, n);
	CHECK(used <= n);
	if (s->state == STREAM_PREFACE || s->state >= STREAM_CLOSING || used == n)
		return;
	if (s->tls) {
		decrypt(s, bytes + used, n - used);
		return;
	}
	memcpy(s->loop->plain, bytes + used, n - used);
	s->events->on_bytes(s, s->loop->plain, n - used);
}

static void on_readable(struct stream *s)
{
	struct loop *l = s->loop;
	for (int i = 0; i < READS_PER_EVENT; i++) {
		char *to = s->tls || s->state == STREAM_PREFACE ? l->cipher : l->plain;
		ssize_t n = recv(s->fd, to, LOOP_READ_BYTES, 0);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN)
				gone(s, s->state == STREAM_HANDSHAKE
				                ? ERR_OF(TLS, .sys = UV_ECONNRESET,
				                         .what = "the connection was reset during the TLS handshake")
				                : ERR_OF(NETWORK, .sys = -errno));
			return;
		}
		if (n == 0) {
			if (s->state == STREAM_HANDSHAKE)
				gone(s, ERR_OF(TLS, .sys = UV_EOF,
				               .what = "the connection was closed during the TLS handshake"));
			else
				gone(s, s->tls ? ERR_OF(TRUNCATED) : ERR_OF(CLOSED));
			return;
		}
		if (s->state == STREAM_PREFACE) {
			read_preface(s, to, (size_t)n);
		} else if (s->tls) {
			if (!decrypt(s, to, (size_t)n))
				return;
		} else {
			s->events->on_bytes(s, to, (size_t)n);
		}
		if (n < LOOP_READ_BYTES || s->state >= STREAM_CLOSING || s->paused || s->gone)
			return;
	}
}

static void on_read(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
	struct stream *s = container_of((uv_tcp_t *)handle, struct stream, tcp);
	if (n == UV_ENOBUFS)
		on_readable(s);
	else if (n < 0)
		gone(s, ERR_OF(NETWORK, .sys = (int)n));
}

void stream_pause(struct stream *s)
{
	if (s->paused || s->state >= STREAM_CLOSING)
		return;
	s->paused = true;
	uv_read_stop((uv_stream_t *)&s->tcp);
}

void stream_resume(struct stream *s)
{
	if (!s->paused || s->state >= STREAM_CLOSING)
		return;
	s->paused = false;
	if (!s->gone)
		uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read);
}

/* ---- beginning and end ---- */

static struct err begin(struct stream *s)
{
	uv_os_fd_t fd;
	int failed = uv_fileno((uv_handle_t *)&s->tcp, &fd);
	if (!failed) {
		s->fd = fd;
		failed = uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read);
	}
	return failed ? ERR_OF(NETWORK, .sys = failed) : OK;
}

static struct err take(struct stream *s, uv_stream_t *listening)
{
	int failed = uv_tcp_init(&s->loop->uv, &s->tcp);
	if (failed)
		return ERR_OF(NETWORK, .sys = failed);
	s->loop->open_streams++;
	s->state = STREAM_OPEN;
	failed = uv_accept(listening, (uv_stream_t *)&s->tcp);
	return failed ? ERR_OF(NETWORK, .sys = failed) : OK;
}

struct err stream_begin(struct stream *s, struct tls_server *tls)
{
	s->state = STREAM_OPEN;
	if (tls) {
		TRY(tls_conn_accept(tls, s->loop, &s->tls));
		s->state = STREAM_HANDSHAKE;
	}
	return OK;
}

struct err stream_accept(struct stream *s, uv_stream_t *listening, struct tls_server *tls)
{
	TRY(take(s, listening));
	TRY(stream_begin(s, tls));
	return begin(s);
}

struct err stream_accept_preface(struct stream *s, uv_stream_t *listening)
{
	TRY(take(s, listening));
	s->state = STREAM_PREFACE;
	return begin(s);
}

/* Our hello; the other side's answers drive it on. */
static struct err say_hello(struct stream *s)
{
	struct err failed = OK;
	s->loop->turn = s;
	s->loop->input_len = 0;
	return tls_conn_handshake(s->tls, &failed) >= 0 ? OK : failed;
}

struct err stream_secure(struct stream *s, struct tls_client *tls)
{
	TRY(tls_conn_connect(tls, s->loop, &s->tls));
	s->state = STREAM_HANDSHAKE;
	return say_hello(s);
}

static void on_connected(uv_connect_t *request, int status)
{
	struct connecting *c = container_of(request, struct connecting, request);
	struct stream *s = c->stream;
	struct tls_client *tls = c->tls;
	free(c);
	if (s->state >= STREAM_CLOSING)
		return;
	if (status < 0) {
		gone(s, ERR_OF(NETWORK, .sys = status, .what = uv_strerror(status)));
		return;
	}
	uv_tcp_nodelay(&s->tcp, 1);
	struct err failed = tls ? tls_conn_connect(tls, s->loop, &s->tls) : OK;
	s->state = tls ? STREAM_HANDSHAKE : STREAM_OPEN;
	if (!failed.code)
		failed = begin(s);
	if (!failed.code && tls)
		failed = say_hello(s);
	if (failed.code)
		gone(s, failed);
	else if (!tls && s->events->on_ready)
		s->events->on_ready(s);
}

struct err stream_connect(struct stream *s, const struct sockaddr *address, struct tls_client *tls)
{
	struct connecting *c = malloc(sizeof(*c));
	if (!c)
		return ERR_OF(NO_MEMORY);
	c->stream = s;
	c->tls = tls;
	int failed = uv_tcp_init(&s->loop->uv, &s->tcp);
	if (failed) {
		free(c);
		return ERR_OF(NETWORK, .sys = failed);
	}
	s->loop->open_streams++;
	s->state = STREAM_CONNECTING;
	failed = uv_tcp_connect(&c->request, &s->tcp, address, on_connected);
	if (failed) {
		free(c);
		return ERR_OF(NETWORK, .sys = failed, .what = uv_strerror(failed));
	}
	return OK;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct stream *s = container_of((uv_tcp_t *)handle, struct stream, tcp);
	tls_conn_free(s->tls);
	s->tls = NULL;
	s->state = STREAM_CLOSED;
	s->loop->open_streams--;
	s->events->on_closed(s); /* may free s */
}

void stream_close(struct stream *s)
{
	if (s->state >= STREAM_CLOSING)
		return;
	if (s->state == STREAM_NEW) { /* never had a handle */
		s->state = STREAM_CLOSED;
		s->events->on_closed(s);
		return;
	}
	if (s->note)
		stream_flush_all(s->loop);
	s->state = STREAM_CLOSING;
	count_waiting(s, -(ptrdiff_t)s->waiting_bytes); /* libuv frees it before this turn ends */
	if (s->loop->input_of == s)
		s->loop->input_of = NULL;
	uv_close((uv_handle_t *)&s->tcp, on_handle_closed);
}

bool stream_peer(const struct stream *s, struct sockaddr_storage *out)
{
	int len = sizeof(*out);
	return s->fd >= 0 && uv_tcp_getpeername(&s->tcp, (struct sockaddr *)out, &len) == 0;
}

bool stream_resumed(const struct stream *s)
{
	return s->tls && tls_conn_resumed(s->tls);
}

struct slice stream_end_point(const struct stream *s)
{
	return s->tls ? tls_conn_end_point(s->tls) : SLICE("");
}
