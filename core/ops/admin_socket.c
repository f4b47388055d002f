#include "core/ops/admin_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TEXT_BYTES = 1024 };

static _Thread_local char said[TEXT_BYTES];

static struct err system_failed(const char *path, const char *what)
{
	int failed = errno;
	snprintf(said, sizeof(said), "%s: %s: %s", path, what, strerror(failed));
	return ERR_OF(SYSTEM, .sys = -failed, .what = said);
}

/* A socket file that nobody listens at is left over from a node that was killed. */
static struct err make_room(const struct sockaddr_un *address)
{
	struct stat st;
	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? OK : system_failed(address->sun_path, "admin.socket cannot be used");
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(said, sizeof(said), "%s: admin.socket names something that is no socket; take it away",
		         address->sun_path);
		return ERR_OF(SYSTEM, .what = said);
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failed = fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) ? errno : 0;
	if (fd >= 0)
		close(fd);
	if (failed != ECONNREFUSED) {
		snprintf(said, sizeof(said),
		         "%s: another process listens there; give each node of a machine its own "
		         "admin.socket",
		         address->sun_path);
		return ERR_OF(SYSTEM, .what = said);
	}
	return unlink(address->sun_path) ? system_failed(address->sun_path, "the old socket stays") : OK;
}

/* Only who may talk to it can ever connect: the mode is there from the beginning. */
struct err admin_socket_bind(const char *path, const struct admin_roles *roles, int *out, struct stat *st)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(said, sizeof(said), "%s: admin.socket is longer than the %zu bytes that the system allows",
		         path, sizeof(address.sun_path) - 1);
		return ERR_OF(SETTINGS, .what = said);
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	TRY(make_room(&address));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return system_failed(path, "no socket");
	mode_t old = umask(0117);
	int failed = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(old);
	bool bound = failed == 0;
	if (bound)
		failed = lstat(path, st);
	if (failed == 0 && roles->has_socket_group)
		failed = chown(path, (uid_t)-1, roles->socket_group);
	if (failed == 0) {
		*out = fd;
		return OK;
	}
	struct err e = system_failed(path, errno == EPERM ? "admin.group: this user is not in that group"
	                                                  : "the socket of administration cannot be made");
	if (bound)
		unlink(path);
	close(fd);
	return e;
}
