#include "bench/floor_worker.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, ACCEPTS = 64 };

static void exchange_close(struct floor_worker *w, struct floor_conn *c)
{
	struct floor_conn *peer = c->peer;
	floor_conn_close(w, c);
	if (peer)
		floor_conn_close(w, peer);
}

static void connect_upstream(struct floor_worker *w, struct floor_conn *client)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	if (fd < 0)
		floor_die("no socket for a connection to upstream (raise ulimit -n)");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&w->upstream, sizeof(w->upstream)) != 0 && errno != EINPROGRESS)
		floor_die("connect to upstream");
	struct floor_conn *c = floor_conn_new(w, fd, FLOOR_UPSTREAM, EPOLLOUT);
	c->ssl = floor_tls_connect(w);
	c->peer = client;
	client->peer = c;
}

static void lease_upstream(struct floor_worker *w, struct floor_conn *client)
{
	struct list *newest = list_first(&w->idle);
	if (!newest) {
		connect_upstream(w, client);
		return;
	}
	struct floor_conn *c = container_of(newest, struct floor_conn, link);
	list_remove(newest);
	c->peer = client;
	client->peer = c;
}

/* Bytes of head and body together; -1: there is no Content-Length. */
static long message_bytes(const char *head, size_t head_bytes)
{
	static const char name[] = "content-length:";
	const char *end = head + head_bytes;
	for (const char *line = head; line < end;) {
		if ((line[0] | 0x20) == 'c' && (size_t)(end - line) > sizeof(name) &&
		    strncasecmp(line, name, sizeof(name) - 1) == 0)
			return (long)head_bytes + strtol(line + sizeof(name) - 1, NULL, 10);
		line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
	}
	return -1;
}

static bool begin_message(struct floor_worker *w, struct floor_conn *c, const char *bytes, size_t head_bytes)
{
	long length = message_bytes(bytes, head_bytes);
	if (length < 0 && c->side == FLOOR_CLIENT)
		length = (long)head_bytes; /* a GET */
	if (length < (long)head_bytes)
		return false;
	c->expected = (uint64_t)length;
	if (c->side == FLOOR_CLIENT)
		lease_upstream(w, c);
	return true;
}

static void answer_complete(struct floor_worker *w, struct floor_conn *upstream)
{
	struct floor_conn *client = upstream->peer;
	if (client->expected > 0 || upstream->unsent) { /* answered before it heard all */
		exchange_close(w, upstream);
		return;
	}
	client->peer = upstream->peer = NULL;
	floor_conn_watch(w, upstream, EPOLLIN);
	list_push_front(&w->idle, &upstream->link);
}

static bool forward(struct floor_worker *w, struct floor_conn *c, const char *bytes, size_t n)
{
	if (n > c->expected) /* pipelined: not understood */
		return false;
	c->expected -= n;
	struct floor_conn *to = c->peer;
	if (to->side == FLOOR_UPSTREAM && !to->ready) {
		floor_conn_watch(w, c, 0);
		return floor_conn_hold(to, bytes, n);
	}
	if (!floor_conn_send(w, to, bytes, n))
		return false;
	if (c->side == FLOOR_UPSTREAM && c->expected == 0)
		answer_complete(w, c);
	return true;
}

static bool relay(struct floor_worker *w, struct floor_conn *c, const char *bytes, size_t n)
{
	if (c->expected > 0)
		return forward(w, c, bytes, n);
	if ((c->side == FLOOR_CLIENT) == (c->peer != NULL)) /* pipelined, or an answer without a question */
		return false;
	if (c->held) {
		if (!floor_conn_hold(c, bytes, n))
			return false;
		bytes = c->held;
		n = c->held_bytes;
	}
	const char *end = memmem(bytes, n, "\r\n\r\n", 4);
	if (!end)
		return n <= FLOOR_HEAD_BYTES && (c->held || floor_conn_hold(c, bytes, n));
	bool ok = begin_message(w, c, bytes, (size_t)(end - bytes) + 4) && forward(w, c, bytes, n);
	if (ok && c->fd >= 0)
		floor_conn_let_go(c);
	return ok;
}

static bool upstream_ready(struct floor_worker *w, struct floor_conn *c)
{
	c->ready = true;
	if (!floor_conn_send(w, c, c->held, c->held_bytes))
		return false;
	floor_conn_let_go(c);
	if (c->peer && !c->unsent)
		floor_conn_watch(w, c->peer, c->peer->watched | EPOLLIN);
	return true;
}

static bool handshake(struct floor_worker *w, struct floor_conn *c)
{
	int verdict = floor_tls_handshake(w, c->ssl);
	if (!floor_conn_flush_tls(w, c) || verdict < 0)
		return false;
	if (verdict == 0)
		return true;
	if (c->side == FLOOR_UPSTREAM)
		return upstream_ready(w, c);
	c->ready = true;
	return true;
}

static bool on_readable(struct floor_worker *w, struct floor_conn *c)
{
	ssize_t n = recv(c->fd, c->ssl ? w->cipher : w->plain, FLOOR_READ_BYTES, 0);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	if (c->ssl) {
		w->in = w->cipher;
		w->in_bytes = (size_t)n;
		if (!c->ready && !handshake(w, c))
			return false;
		if (!c->ready)
			return true;
		n = floor_tls_read(w, c->ssl);
		if (n < 0 || !floor_conn_flush_tls(w, c))
			return false;
	}
	if (n > 0 && !relay(w, c, w->plain, (size_t)n))
		return false;
	/* It may have said goodbye in the same bytes; nothing would tell of it later. */
	return c->fd < 0 || !c->ssl || !(SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN);
}

static bool on_writable(struct floor_worker *w, struct floor_conn *c)
{
	if (c->connected)
		return !c->unsent || floor_conn_send_rest(w, c);
	int error = 0;
	socklen_t size = sizeof(error);
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		errno = error;
		floor_die("connect to upstream");
	}
	c->connected = true;
	floor_conn_watch(w, c, EPOLLIN);
	return handshake(w, c);
}

static void on_acceptable(struct floor_worker *w)
{
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(w->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0)
			floor_die("accept (raise ulimit -n?)");
		struct floor_conn *c = floor_conn_new(w, fd, FLOOR_CLIENT, EPOLLIN);
		c->connected = true;
		c->ready = w->server == NULL;
		if (w->server)
			c->ssl = floor_tls_accept(w);
	}
}

static void on_event(struct floor_worker *w, struct floor_conn *c, uint32_t events)
{
	if (c->side == FLOOR_LISTENER) {
		on_acceptable(w);
		return;
	}
	bool alive = c->fd >= 0;
	if (alive && (events & EPOLLOUT))
		alive = on_writable(w, c) || (exchange_close(w, c), false);
	if (!alive || c->fd < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	/* Not reading: then only an end is news. */
	if (!((c->watched & EPOLLIN) ? on_readable(w, c) : !(events & (EPOLLHUP | EPOLLERR))))
		exchange_close(w, c);
}

void floor_relay_run(struct floor_worker *w, int listener)
{
	struct epoll_event events[EVENTS] = {{.events = EPOLLIN, .data.ptr = &w->listener}};
	w->listener.fd = listener;
	w->listener.side = FLOOR_LISTENER;
	list_init(&w->idle);
	list_init(&w->closed);
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->cipher = malloc(FLOOR_READ_BYTES);
	w->plain = malloc(FLOOR_PLAIN_BYTES);
	w->out = malloc(FLOOR_OUT_BYTES);
	if (w->epoll < 0 || !w->cipher || !w->plain || !w->out)
		floor_die("start of a worker");
	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, listener, &events[0]) != 0)
		floor_die("epoll_ctl");
	for (;;) {
		int n = epoll_wait(w->epoll, events, EVENTS, -1);
		if (n < 0 && errno != EINTR)
			floor_die("epoll_wait");
		for (int i = 0; i < n; i++)
			on_event(w, events[i].data.ptr, events[i].events);
		floor_conn_sweep(w);
	}
}
