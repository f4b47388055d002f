/* Whether a caller may use the node: its principal and the list of authorized servers make a decision, in memory. The decision stays with the
 * principal, for all connections that share it, until the list changes or a second has passed; then it is looked at again. */
#pragma once
#include "core/relay/exchange.h"
#include "core/relay/principal.h"

enum { AUTHZ_LOOK_AGAIN_MS = 1000 };

/* client->who is allowed, by this list, and that was seen a moment ago: what most requests of a known caller cost. */
static inline bool authz_is_fresh(const struct exchange *x)
{
	const struct principal *who = x->client->who;
	return who->list_serial == x->relay->list_serial && loop_now(x->relay->loop) < who->look_again &&
	       who->decision.verdict == VERDICT_YES;
}

/* OK: allowed. Else the answer to give. */
struct err authz_decide(struct exchange *x);
/* An authorized exchange ended: what is new about its account becomes an event. Most read a number and go. */
void authz_served(struct exchange *x);
