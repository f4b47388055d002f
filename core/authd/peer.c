#include "core/authd/peer.h"

#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct err peers_init(struct peers *p, const char *name)
{
	*p = (struct peers){.node = (uid_t)-1, .node_group = (gid_t)-1};
	if (!*name)
		return OK;
	char *end;
	unsigned long number = strtoul(name, &end, 10);
	if (name[0] >= '0' && name[0] <= '9' && !*end && number < (uid_t)-1) {
		const struct passwd *known = getpwuid((uid_t)number);
		p->node = (uid_t)number;
		p->node_group = known ? known->pw_gid : (gid_t)-1;
		return OK;
	}
	const struct passwd *user = getpwnam(name);
	if (!user)
		return ERR_OF(SETTINGS, .what = "there is no such user on this machine");
	p->node = user->pw_uid;
	p->node_group = user->pw_gid;
	return OK;
}

bool peers_allow(const struct peers *p, int fd, uid_t *who)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	*who = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || len != sizeof(peer) || peer.uid == (uid_t)-1)
		return false;
	*who = peer.uid;
	return peer.uid == 0 || peer.uid == geteuid() || peer.uid == p->node;
}
