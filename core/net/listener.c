#include "core/net/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_listening(uv_stream_t *handle, int status)
{
	struct listener *l = container_of((uv_tcp_t *)handle, struct listener, tcp);
	if (status == 0)
		l->on_connection(l);
}

static struct err refused(const char *what)
{
	return ERR_OF(NETWORK, .sys = -errno, .what = what);
}

struct err listener_open(struct listener *l, struct loop *loop, const struct sockaddr *address, bool shared,
                         int backlog)
{
	l->loop = loop;
	int on = 1;
	/* libuv 1.44 has no flag for SO_REUSEPORT, so the socket is ours. */
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refused("no socket could be made");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	/* Accepted connections inherit it: one call less for each. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	socklen_t len = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	if (address->sa_family == AF_INET6) /* [::] means IPv6 only, so that 0.0.0.0 may stand beside it */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, address, len) < 0) {
		struct err why = refused(errno == EADDRINUSE ? "the address is in use by another program"
		                         : errno == EACCES ? "ports below 1024 need the capability CAP_NET_BIND_SERVICE"
		                         : errno == EADDRNOTAVAIL ? "this machine does not have that address"
		                                                  : "the address cannot be used");
		close(fd);
		return why;
	}
	int failed = uv_tcp_init(&loop->uv, &l->tcp);
	if (failed) {
		close(fd);
		return ERR_OF(NETWORK, .sys = failed);
	}
	failed = uv_tcp_open(&l->tcp, fd);
	if (failed)
		close(fd);
	else
		failed = uv_listen((uv_stream_t *)&l->tcp, backlog, on_listening);
	if (failed) {
		listener_close(l);
		return ERR_OF(NETWORK, .sys = failed,
		              .what = failed == UV_EADDRINUSE ? "the address is in use by another program"
		                                              : "cannot listen on the address");
	}
	return OK;
}

uint16_t listener_port(const struct listener *l)
{
	struct sockaddr_storage a;
	int len = sizeof(a);
	if (uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&a, &len))
		return 0;
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
	                                     : ((struct sockaddr_in *)&a)->sin_port);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct listener *l = container_of((uv_tcp_t *)handle, struct listener, tcp);
	if (l->on_closed)
		l->on_closed(l);
}

void listener_close(struct listener *l)
{
	if (!uv_is_closing((uv_handle_t *)&l->tcp))
		uv_close((uv_handle_t *)&l->tcp, on_handle_closed);
}
