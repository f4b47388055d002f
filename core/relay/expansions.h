/* Who is in groups, as the directory said last: what rows of the list get their members from. Sorted by SID; those that the list does not name any more
 * are dropped. Owned by the directory's watch; main thread. */
#pragma once
#include "core/base/authlist_rows.h"
#include "core/base/clock.h"
#include "store/directory_record.h"

enum { EXPANSION_MEMBERS_MAX = 20000 }; /* of one group */

struct expansion {
	struct sid sid;
	struct sid_set members; /* sealed */
	int64_t at;             /* clock_now(), as authlist_object.members_at */
	bool wanted;
};

struct expansions {
	struct expansion *at; /* owned */
	size_t count, room, members;
};

void expansions_done(struct expansions *x);
/* NULL: never told. */
const struct expansion *expansions_find(const struct expansions *x, const struct sid *group);
/* Sets need, members and members_at of all rows; drops groups that no row needs. false: no memory; rows are to be ended all the same. */
bool expansions_fill(struct expansions *x, struct authlist_rows *rows);

enum expansion_change { EXPANSION_SAME, EXPANSION_CHANGED, EXPANSION_TOO_MANY, EXPANSION_NO_MEMORY };
/* Takes members, also when it fails; they are sealed here. TOO_MANY: with those of the other groups more than AUTHLIST_MEMBERS_MAX; nothing changed. */
enum expansion_change expansions_put(struct expansions *x, const struct sid *group, struct sid_set *members,
                                     int64_t at);
