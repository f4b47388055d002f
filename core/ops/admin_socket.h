/* The socket of administration as a name in the file system: made with mode 0660 and its group, never stolen from a node that listens there. Main
 * thread. It narrows the umask for a moment, so a file that another thread makes meanwhile may get fewer rights, never more. */
#pragma once
#include "core/base/err.h"
#include "core/ops/admin_peer.h"

#include <sys/stat.h>

/* *fd: bound, not listening yet, the caller's. *st: of the name, by which its maker knows it again. On failure err.what (until the next call) says why. */
struct err admin_socket_bind(const char *path, const struct admin_roles *roles, int *fd, struct stat *st);
