#include "core/ops/admin_peer.h"
#include "core/base/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAMES_BYTES = 4 * 1024 * 1024, PEER_GROUPS_MAX = 65536 /* NGROUPS_MAX */ };

/* ---- names ---- */

static bool read_id(struct slice text, uint32_t *out)
{
	uint64_t id = 0;
	if (text.len == 0 || text.len > 10)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		id = id * 10 + (uint64_t)(text.at[i] - '0');
	}
	if (id >= UINT32_MAX) /* -1 means "none" to the kernel */
		return false;
	*out = (uint32_t)id;
	return true;
}

/* The next line of the file as its name and id; false at the end. Lines that are no such line give an empty name. */
static bool next_row(struct slice *file, struct slice *name, uint32_t *id)
{
	*name = (struct slice){0};
	if (file->len == 0)
		return false;
	struct slice line = slice_until(*file, slice_find(*file, '\n'));
	*file = slice_from(*file, line.len + 1);
	size_t first = slice_find(line, ':');
	struct slice rest = slice_from(line, first + 1);
	rest = slice_from(rest, slice_find(rest, ':') + 1);
	if (read_id(slice_until(rest, slice_find(rest, ':')), id))
		*name = slice_until(line, first);
	return true;
}

bool admin_id_of(struct slice file, struct slice name, uint32_t *id)
{
	struct slice have;
	uint32_t value;
	while (name.len && next_row(&file, &have, &value))
		if (slice_equal(have, name)) {
			*id = value;
			return true;
		}
	return false;
}

bool admin_name_of(struct slice file, uint32_t id, char out[static ADMIN_NAME_BYTES])
{
	struct slice name;
	uint32_t have;
	out[0] = 0;
	while (next_row(&file, &name, &have))
		if (name.len && have == id && name.len < ADMIN_NAME_BYTES) {
			memcpy(out, name.at, name.len);
			out[name.len] = 0;
			return true;
		}
	return false;
}

char *admin_read_names(const char *path, size_t *len)
{
	*len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = malloc(NAMES_BYTES);
	while (fd >= 0 && text && *len < NAMES_BYTES) {
		ssize_t n = read(fd, text + *len, NAMES_BYTES - *len);
		if (n <= 0)
			break;
		*len += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* ---- roles ---- */

static struct err unknown_group(const char *setting, struct slice name)
{
	static _Thread_local char text[256];
	snprintf(text, sizeof(text),
	         "%s: /etc/group has no group %.*s; name one that is there, or give its number when it comes from a "
	         "directory",
	         setting, (int)(name.len < 64 ? name.len : 64), name.at);
	return ERR_OF(SETTINGS, .what = text);
}

static struct err read_groups(const char *setting, const char *list, struct slice group_file, struct admin_groups *out)
{
	struct slice rest = slice_str(list);
	*out = (struct admin_groups){0};
	while (rest.len) {
		struct slice name = slice_trim(slice_until(rest, slice_find(rest, ',')));
		rest = slice_from(rest, slice_find(rest, ',') + 1);
		uint32_t id;
		if (!read_id(name, &id) && !admin_id_of(group_file, name, &id))
			return unknown_group(setting, name);
		if (out->count == ADMIN_GROUPS_MAX)
			return ERR_OF(SETTINGS, .what = "a list of groups in section admin has more than 32 members");
		out->at[out->count++] = id;
	}
	return OK;
}

struct err admin_roles_read(const struct settings *s, struct slice group_file, uint32_t own_uid,
                            struct admin_roles *out)
{
	struct admin_groups socket_group;
	*out = (struct admin_roles){.own_uid = own_uid};
	TRY(read_groups("admin.viewers", s->admin_viewers, group_file, &out->groups[ADMIN_VIEWER]));
	TRY(read_groups("admin.operators", s->admin_operators, group_file, &out->groups[ADMIN_OPERATOR]));
	TRY(read_groups("admin.security_admins", s->admin_security_admins, group_file, &out->groups[ADMIN_SECURITY]));
	TRY(read_groups("admin.group", s->admin_group, group_file, &socket_group));
	if (socket_group.count > 1)
		return ERR_OF(SETTINGS, .what = "admin.group: a socket has one group");
	out->has_socket_group = socket_group.count == 1;
	out->socket_group = socket_group.at[0];
	return OK;
}

static bool has(const struct admin_groups *g, uint32_t id)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->at[i] == id)
			return true;
	return false;
}

enum admin_role admin_role_of(const struct admin_roles *r, uint32_t uid, const uint32_t *groups, size_t count)
{
	if (uid == 0 || uid == r->own_uid)
		return ADMIN_SECURITY;
	for (enum admin_role role = ADMIN_SECURITY; role > ADMIN_NOBODY; role--)
		for (size_t i = 0; i < count; i++)
			if (has(&r->groups[role], groups[i]))
				return role;
	return ADMIN_NOBODY;
}

/* ---- the peer ---- */

/* malloc'd: the peer's groups, the primary one last; NULL: not told. */
static uint32_t *peer_groups(int fd, uint32_t primary, size_t *count)
{
	_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "SO_PEERGROUPS fills gid_t");
	socklen_t bytes = 0;
	uint32_t *groups = NULL;
	/* First with no room: the kernel says how many bytes it takes. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) == 0)
		bytes = 0;
	if (bytes > PEER_GROUPS_MAX * sizeof(gid_t))
		return NULL;
	groups = malloc(bytes + sizeof(gid_t));
	if (groups && bytes && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes)) {
		free(groups);
		return NULL;
	}
	*count = bytes / sizeof(gid_t);
	if (groups)
		groups[(*count)++] = primary;
	return groups;
}

bool admin_peer_read(int fd, const struct admin_roles *r, struct admin_peer *out)
{
	struct ucred who;
	socklen_t n = sizeof(who);
	size_t count = 0, len;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) || n != sizeof(who))
		return false;
	uint32_t *groups = peer_groups(fd, who.gid, &count);
	if (!groups)
		return false;
	*out = (struct admin_peer){
	        .uid = who.uid, .pid = (uint32_t)who.pid, .role = admin_role_of(r, who.uid, groups, count)};
	free(groups);
	char *names = admin_read_names("/etc/passwd", &len);
	if (names)
		admin_name_of(slice_of(names, len), who.uid, out->name);
	free(names);
	return true;
}
