/* Who may speak to authd: root, authd's own user, and the user that the node runs as. Main thread. */
#pragma once
#include "core/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct peers {
	uid_t node;       /* (uid_t)-1: nobody */
	gid_t node_group; /* its first group; (gid_t)-1: not known */
};

/* name: auth.node_user, a name or a number; empty: nobody besides. ERR_SETTINGS when there is no such user. */
struct err peers_init(struct peers *p, const char *name);
/* Who opened this connection; false: must not speak, or could not be told. */
bool peers_allow(const struct peers *p, int fd, uid_t *who);
