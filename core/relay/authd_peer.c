#include "core/relay/authd_peer.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool authd_peer_may(const char *path, uid_t who, uid_t own)
{
	char folder[CHANNEL_PATH_BYTES];
	struct stat st;
	if (who == 0 || who == own)
		return true;
	snprintf(folder, sizeof(folder), "%s", path);
	char *slash = strrchr(folder, '/');
	if (!slash)
		return false;
	slash[slash == folder] = 0;
	return lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == who && !(st.st_mode & 0002);
}

bool authd_peer_is_trusted(const struct channel *c, uid_t who)
{
	return authd_peer_may(c->path, who, geteuid());
}
