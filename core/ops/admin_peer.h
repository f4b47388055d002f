/* Who is at the other end of the administration socket, as the kernel says (SO_PEERCRED, SO_PEERGROUPS), and which role that gives. Names come from
 * /etc/passwd and /etc/group only: a name service module could bring another TLS library into the process. Main thread. */
#pragma once
#include "core/base/err.h"
#include "core/base/settings.h"
#include "core/base/slice.h"
#include "core/ops/admin_rows.h"

enum { ADMIN_NAME_BYTES = 65, ADMIN_GROUPS_MAX = 32 };

struct admin_peer {
	uint32_t uid, pid;
	char name[ADMIN_NAME_BYTES]; /* "": /etc/passwd does not know it */
	enum admin_role role;
};

struct admin_groups {
	uint32_t at[ADMIN_GROUPS_MAX];
	size_t count;
};

/* Who has which role; root and the node's own user are security-admin in any case. */
struct admin_roles {
	struct admin_groups groups[ADMIN_SECURITY + 1]; /* by role */
	uint32_t own_uid;
	bool has_socket_group;
	uint32_t socket_group;
};

/* From the settings and the text of /etc/group. ERR_SETTINGS: err.what (until the next call) names the setting and the group. */
struct err admin_roles_read(const struct settings *s, struct slice group_file, uint32_t own_uid,
                            struct admin_roles *out);
/* groups: the peer's, its primary one too. */
enum admin_role admin_role_of(const struct admin_roles *r, uint32_t uid, const uint32_t *groups, size_t count);

/* false: the kernel does not tell. */
bool admin_peer_read(int fd, const struct admin_roles *r, struct admin_peer *out);

/* "NAME:x:ID:..." lines of either file. */
bool admin_id_of(struct slice file, struct slice name, uint32_t *id);
bool admin_name_of(struct slice file, uint32_t id, char out[static ADMIN_NAME_BYTES]);
/* malloc'd; "" when it cannot be read. */
char *admin_read_names(const char *path, size_t *len);
