/* Changes of the list of authorized servers. Where the list is a file that is put on every node, the line for that file is printed. Where the node owns
 * it (list.source local), the change is written into the record of changes, then made: synced, in force, or told why not. Main thread; blocks as long
 * as the disk takes. */
#pragma once
#include "core/ops/admin_list.h"

/* One row in or out; all borrowed, NULL but for one. */
struct admin_edit {
	const struct authlist_entry *add, *remove; /* remove, lift: the row as it is in the list */
	const struct authlist_denial *deny, *lift;
};

/* What changes begin with: the rows in force, borrowed until the next turn; of a node that owns its list and has none yet, no rows. The first look of a
 * call also notes which list it was: a change that is based on an older one is refused. false: the call has ended with an error. */
bool admin_base(struct admin_call *c, const struct authlist_rows **out);
/* Ends the call. result: taken; gets the members "line", "changed", and of the new list "generation" and "sha256". */
void admin_change(struct admin_call *c, const struct admin_edit *e, json_t *result);
/* The whole list at once, sorted. before, after: for the record; taken. */
void admin_change_all(struct admin_call *c, const struct authlist_rows *rows, json_t *before, json_t *after,
                      json_t *result);
/* Whether this node owns its list. */
bool admin_owns_list(const struct admin_call *c);
