#include "core/ctl/ctl_client.h"
#include "core/ops/admin_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

enum { ANSWER_BYTES = 64 * 1024 * 1024, FIRST_BYTES = 64 * 1024, WAIT_S = 180 };

static int say(int code, const char *path, const char *what, const char *mend)
{
	fprintf(stderr, "rms-connectorctl: %s (%s)\n%s%s", what, path, mend, *mend ? "\n" : "");
	return code;
}

static int connect_failed(const char *path, int error)
{
	char what[128];
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
	case ENOTDIR:
		return say(
		        EX_UNAVAILABLE, path, "no node listens there",
		        "Is it running (systemctl status rms-connectord)? If its admin.socket is elsewhere, name its "
		        "configuration with -c FILE, or the socket with --socket PATH.");
	case EACCES:
	case EPERM:
		return say(EX_NOPERM, path, "you may not talk to that socket",
		           "Be in its group (ls -l shows it; setting admin.group), and log in anew after that; or use "
		           "sudo.");
	default:
		snprintf(what, sizeof(what), "the socket cannot be used: %s", strerror(error));
		return say(EX_OSERR, path, what, "");
	}
}

static int send_all(int fd, const char *path, const char *text, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		/* The node may have refused us and closed already: its words are there to be read. */
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0;
		if (sent < 0)
			return say(EX_IOERR, path, strerror(errno), "");
		text += sent;
		n -= (size_t)sent;
	}
	return 0;
}

/* *text: malloc'd, one line without its end. */
static int read_line(int fd, const char *path, char **text, size_t *len)
{
	size_t used = 0, room = 0;
	char *bytes = NULL;
	for (;;) {
		if (used == room) {
			room = room ? room * 2 : FIRST_BYTES;
			char *more = room <= ANSWER_BYTES ? realloc(bytes, room) : NULL;
			if (!more) {
				free(bytes);
				return say(EX_SOFTWARE, path, "the answer is longer than any answer should be", "");
			}
			bytes = more;
		}
		ssize_t n = recv(fd, bytes + used, room - used, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(bytes);
			return n == 0 || errno == ECONNRESET
			               ? say(EX_UNAVAILABLE, path, "the node closed the connection without an answer",
			                     "Is it stopping, or is it of another release?")
			               : say(EX_TEMPFAIL, path, "the node does not answer in time", "Try again.");
		}
		char *end = memchr(bytes + used, '\n', (size_t)n);
		used += (size_t)n;
		if (end) {
			*text = bytes;
			*len = (size_t)(end - bytes);
			return 0;
		}
	}
}

int ctl_ask(const char *socket_path, const json_t *request, json_t **answer)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t path_len = strlen(socket_path), n, len = 0;
	char *line = NULL, *text;
	if (path_len >= sizeof(address.sun_path))
		return say(EX_USAGE, socket_path, "a socket's path has at most 107 bytes", "");
	memcpy(address.sun_path, socket_path, path_len + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval wait = {.tv_sec = WAIT_S};
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int failed = connect_failed(socket_path, errno);
		if (fd >= 0)
			close(fd);
		return failed;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	text = json_dumps(request, JSON_COMPACT);
	n = text ? strlen(text) : 0;
	if (text)
		text[n] = '\n';
	int failed = text ? send_all(fd, socket_path, text, n + 1) : say(EX_OSERR, socket_path, "out of memory", "");
	if (!failed)
		failed = read_line(fd, socket_path, &line, &len);
	if (!failed && !(*answer = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL)))
		failed = say(EX_PROTOCOL, socket_path, "the answer is not JSON: is this a node's socket?", "");
	free(text);
	free(line);
	close(fd);
	return failed;
}
