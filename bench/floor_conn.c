#include "bench/floor_worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void floor_die(const char *what)
{
	fprintf(stderr, "rms-floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

struct floor_conn *floor_conn_new(struct floor_worker *w, int fd, enum floor_side side, uint32_t events)
{
	struct floor_conn *c = calloc(1, sizeof(*c));
	if (!c)
		floor_die("no memory for a connection");
	c->fd = fd;
	c->side = (uint8_t)side;
	c->watched = events;
	list_init(&c->link);
	struct epoll_event e = {.events = events, .data.ptr = c};
	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		floor_die("epoll_ctl");
	return c;
}

void floor_conn_close(struct floor_worker *w, struct floor_conn *c)
{
	if (c->fd < 0)
		return;
	close(c->fd);
	c->fd = -1;
	if (c->peer)
		c->peer->peer = NULL;
	c->peer = NULL;
	SSL_free(c->ssl);
	c->ssl = NULL;
	floor_conn_let_go(c);
	free(c->unsent);
	c->unsent = NULL;
	list_remove(&c->link);
	list_push_back(&w->closed, &c->link);
}

void floor_conn_sweep(struct floor_worker *w)
{
	list_for_each_safe (link, &w->closed) {
		list_remove(link);
		free(container_of(link, struct floor_conn, link));
	}
}

void floor_conn_watch(struct floor_worker *w, struct floor_conn *c, uint32_t events)
{
	if (c->watched == events)
		return;
	struct epoll_event e = {.events = events, .data.ptr = c};
	if (epoll_ctl(w->epoll, EPOLL_CTL_MOD, c->fd, &e) != 0)
		floor_die("epoll_ctl");
	c->watched = events;
}

static bool append(char **to, size_t *to_bytes, const char *bytes, size_t n)
{
	char *grown = realloc(*to, *to_bytes + n);
	if (!grown)
		return false;
	memcpy(grown + *to_bytes, bytes, n);
	*to = grown;
	*to_bytes += n;
	return true;
}

bool floor_conn_hold(struct floor_conn *c, const char *bytes, size_t n)
{
	return append(&c->held, &c->held_bytes, bytes, n);
}

void floor_conn_let_go(struct floor_conn *c)
{
	free(c->held);
	c->held = NULL;
	c->held_bytes = 0;
}

/* What the kernel does not take waits here, and the other side is not read meanwhile. */
static bool send_wire(struct floor_worker *w, struct floor_conn *c, const char *bytes, size_t n)
{
	size_t sent = 0;
	if (!c->unsent) {
		ssize_t part = send(c->fd, bytes, n, MSG_NOSIGNAL);
		if (part < 0 && errno != EAGAIN)
			return false;
		sent = part > 0 ? (size_t)part : 0;
	}
	if (sent == n)
		return true;
	if (!append(&c->unsent, &c->unsent_bytes, bytes + sent, n - sent))
		return false;
	floor_conn_watch(w, c, c->watched | EPOLLOUT);
	if (c->peer)
		floor_conn_watch(w, c->peer, c->peer->watched & ~(uint32_t)EPOLLIN);
	return true;
}

bool floor_conn_flush_tls(struct floor_worker *w, struct floor_conn *c)
{
	size_t n = w->out_bytes;
	w->out_bytes = 0;
	return n == 0 || send_wire(w, c, w->out, n);
}

bool floor_conn_send(struct floor_worker *w, struct floor_conn *c, const char *bytes, size_t n)
{
	if (!c->ssl)
		return send_wire(w, c, bytes, n);
	return floor_tls_write(w, c->ssl, bytes, n) && floor_conn_flush_tls(w, c);
}

bool floor_conn_send_rest(struct floor_worker *w, struct floor_conn *c)
{
	ssize_t part = send(c->fd, c->unsent, c->unsent_bytes, MSG_NOSIGNAL);
	if (part < 0)
		return errno == EAGAIN;
	c->unsent_bytes -= (size_t)part;
	if (c->unsent_bytes > 0) {
		memmove(c->unsent, c->unsent + part, c->unsent_bytes);
		return true;
	}
	free(c->unsent);
	c->unsent = NULL;
	floor_conn_watch(w, c, c->watched & ~(uint32_t)EPOLLOUT);
	if (c->peer)
		floor_conn_watch(w, c->peer, c->peer->watched | EPOLLIN);
	return true;
}
