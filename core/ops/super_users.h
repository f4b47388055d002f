/* Watches the groups that have the role exchange, whose members use the super-user credential: at each list.refresh_s, and when the list changes, authd is
 * asked who is in them; who was not there before makes event 4045. What was seen last is kept in node.state_directory/super-users.json, so that what
 * happened while the node was down shows, too. Accounts that leave are no event. Main thread. */
#pragma once
#include "core/base/settings.h"
#include "core/relay/authlist_sync.h"

struct super_users;

enum { SUPER_USER_GROUPS_MAX = 64, SUPER_USER_FILE_BYTES = 64 * 1024 * 1024 };

struct super_users_options { /* all borrowed; asks may end first */
	struct loop *loop;
	const struct settings *settings;
	const struct authlist_sync *list;
	struct authd_ask *asks;
};

/* ERR_NO_MEMORY. */
struct err super_users_open(const struct super_users_options *o, struct super_users **out);
/* Frees itself over the next turns of the loop. NULL is fine. */
void super_users_close(struct super_users *s);
