#include "core/authd/directory_reach.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONGEST_MS = 2000 };

/* 0, or the errno of the attempt. */
static int try_one(const struct addrinfo *a, usec_t until)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	int failed = connect(fd, a->ai_addr, a->ai_addrlen) ? errno : 0;
	if (failed == EINPROGRESS) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		usec_t now = clock_now();
		usec_t left_ms = until > now ? (until - now) / 1000 : 0;
		socklen_t len = sizeof(failed);
		if (poll(&p, 1, left_ms < LONGEST_MS ? (int)left_ms : LONGEST_MS) == 1)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len);
		else
			failed = ETIMEDOUT;
	}
	close(fd);
	return failed;
}

bool directory_reach_fails(const char *host, int port, usec_t until, struct directory_problem *why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
	char service[12];
	snprintf(service, sizeof(service), "%d", port);
	int status = getaddrinfo(host, service, &hints, &found), failed = 0;
	if (status) {
		snprintf(why->what, sizeof(why->what), "%.150s: DNS has no address of it: %s", host,
		         gai_strerror(status));
		why->mend = "let this machine resolve names by the domain's DNS, or correct controllers in realms";
		return true;
	}
	for (const struct addrinfo *a = found; a; a = a->ai_next) {
		failed = try_one(a, until);
		if (!failed)
			break;
	}
	freeaddrinfo(found);
	if (!failed)
		return false;
	snprintf(why->what, sizeof(why->what), "%.150s: no TCP connection to port %d: %s", host, port,
	         strerror(failed));
	why->mend = "see whether the controller is up, and whether a firewall between lets ports 389 and 3268 through "
	            "(636 and 3269 with bind_dn)";
	return true;
}
