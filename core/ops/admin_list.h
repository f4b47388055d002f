/* Finding and showing rows of the list of authorized servers for administration. Main thread. */
#pragma once
#include "core/ops/admin_call.h"
#include "store/authlist.h"

/* The list in force; NULL: the call has ended with an error. */
const struct authlist *admin_list(struct admin_call *c);
bool admin_object_is(const struct authlist_object *o, const char *who);

/* The argument "role". false: the call has ended with an error. */
bool admin_role_read(struct admin_call *c, enum authlist_role *out);
/* NULL: that object has no entry. */
const struct authlist_entry *admin_entry_of(const struct authlist_rows *rows, const struct authlist_object *o);
/* The entry that would be meant if who ended with a dollar, and is not without it; NULL: none. */
const struct authlist_entry *admin_computer_of(const struct authlist_rows *rows, const char *who);

json_t *admin_entry_json(const struct authlist_entry *e);
json_t *admin_denial_json(const struct authlist_denial *d);
/* As they stand in the document. */
json_t *admin_entry_line(const struct authlist_entry *e);
json_t *admin_denial_line(const struct authlist_denial *d);
