#include "core/net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct err listener_parse(const char *address, struct sockaddr_storage *out)
{
	static const struct err wrong = {
	        ERR_SETTINGS, 0,
	        "an address is written HOST:PORT with a numeric host: 0.0.0.0:80, [::]:443 or 127.0.0.1:8080"};
	char host[64];
	const char *colon = strrchr(address, ':');
	if (!colon || (size_t)(colon - address) >= sizeof(host) || !colon[1])
		return wrong;
	char *end;
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (*end || port > 65535 || colon[1] < '0' || colon[1] > '9')
		return wrong;
	size_t len = (size_t)(colon - address);
	memcpy(host, address, len);
	host[len] = 0;
	*out = (struct sockaddr_storage){0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = 0;
		if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1)
			return wrong;
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		return OK;
	}
	if (len == 0 || strcmp(host, "*") == 0)
		v4->sin_addr.s_addr = INADDR_ANY;
	else if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
		return wrong;
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	return OK;
}

/* As inet_ntop, without its printf: each request's log line has one. */
static void ipv4_text(const uint8_t bytes[static 4], char *out)
{
	for (int i = 0; i < 4; i++) {
		unsigned n = bytes[i];
		if (n >= 100)
			*out++ = (char)('0' + n / 100);
		if (n >= 10)
			*out++ = (char)('0' + n / 10 % 10);
		*out++ = (char)('0' + n % 10);
		*out++ = i < 3 ? '.' : 0;
	}
}

const char *address_text(const struct sockaddr_storage *a, char out[static 64])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
	memcpy(out, "?", 2);
	if (a->ss_family == AF_INET)
		ipv4_text((const uint8_t *)&v4->sin_addr, out);
	else if (a->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		ipv4_text(&v6->sin6_addr.s6_addr[12], out);
	else if (a->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, out, 64);
	return out;
}

bool address_is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
	if (a->sa_family == AF_INET6) {
		const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
		return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
	}
	return false;
}

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
