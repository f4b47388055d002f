/* Finding and showing rows of the list of authorized servers for administration. Main thread. */
#pragma once
#include "core/ops/admin_call.h"
#include "store/authlist.h"

/* The list in force; NULL: the call has ended with an error. */
const struct authlist *admin_list(struct admin_call *c);
bool admin_object_is(const struct authlist_object *o, const char *who);

/* What somebody wrote, as an object: a SID, or a principal of a realm without directory. false: the call has ended with an error, which says how to
 * write what was meant. out: to be ended with authlist_object_done(). */
bool admin_object_read(struct admin_call *c, const char *who, struct authlist_object *out);

json_t *admin_entry_json(const struct authlist_entry *e);
json_t *admin_denial_json(const struct authlist_denial *d);
/* As they stand in the document. */
json_t *admin_entry_line(const struct authlist_entry *e);
json_t *admin_denial_line(const struct authlist_denial *d);
