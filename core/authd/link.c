#include "core/authd/link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_ROOM = 16 * 1024, KEPT_ROOM = 256 * 1024 };

/* false: no memory. */
static bool grow(char **at, size_t *room, size_t needed)
{
	size_t more = *room ? *room : IN_ROOM;
	while (more < needed)
		more *= 2;
	if (more == *room)
		return true;
	char *bytes = realloc(*at, more);
	if (!bytes)
		return false;
	*at = bytes;
	*room = more;
	return true;
}

int link_read(struct link *l)
{
	/* Whole messages were taken out before, so what is left is less than one. */
	if (l->in_at) {
		memmove(l->in, l->in + l->in_at, l->in_len - l->in_at);
		l->in_len -= l->in_at;
		l->in_at = 0;
		if (l->in_len == 0 && l->in_room > KEPT_ROOM) {
			free(l->in);
			l->in = NULL;
			l->in_room = 0;
		}
	}
	if (l->in_len == l->in_room && !grow(&l->in, &l->in_room, l->in_len + IN_ROOM))
		return -1;
	ssize_t n = recv(l->fd, l->in + l->in_len, l->in_room - l->in_len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	l->in_len += (size_t)n;
	return 1;
}

struct slice link_read_bytes(const struct link *l)
{
	return slice_of(l->in + l->in_at, l->in_len - l->in_at);
}

void link_consume(struct link *l, size_t used)
{
	CHECK(used <= l->in_len - l->in_at);
	l->in_at += used;
}

bool link_append(struct link *l, const struct authd_msg *m)
{
	size_t n = authd_msg_bytes(m);
	if (l->out_sent == l->out_len)
		l->out_sent = l->out_len = 0;
	if (n == 0 || l->out_len + n > LINK_OUT_MAX || !grow(&l->out, &l->out_room, l->out_len + n))
		return false;
	authd_msg_write(m, l->out + l->out_len);
	l->out_len += n;
	return true;
}

bool link_write(struct link *l)
{
	while (l->out_sent < l->out_len) {
		ssize_t n = send(l->fd, l->out + l->out_sent, l->out_len - l->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		l->out_sent += (size_t)n;
	}
	if (l->out_room > KEPT_ROOM) {
		free(l->out);
		l->out = NULL;
		l->out_len = l->out_room = l->out_sent = 0;
	}
	return true;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	close(l->fd);
	free(l->in);
	free(l->out);
	free(l);
}
