/* The role exchange opens every protected document of the tenant (super user): whom it is given to is counted, shown and confirmed. Main thread. */
#pragma once
#include "core/ops/admin_who.h"

/* c->who, of that kind, may get the role: a security group whose accounts were counted and confirmed with --confirm-members, or a single account with
 * --force. Then yes(c, accounts), at once or later; accounts: whom it is about, an array for tables, to be taken; NULL: not counted. Else the call has
 * ended with an error. c is not to be touched after this. */
void admin_exchange_check(struct admin_call *c, enum authlist_kind kind,
                          void (*yes)(struct admin_call *c, json_t *accounts));
