#include "core/relay/authz.h"

#include "core/base/log.h"

static void decide(struct relay *r, struct principal *who)
{
	struct authlist_caller caller = {.account = sid_is_none(&who->sid) ? NULL : &who->sid,
	                                 .groups = &who->groups,
	                                 .principal = slice_str(who->principal)};
	who->decision = authlist_decide(r->list, &caller, clock_now(), (int64_t)(clock_wall() / 1000000));
	metric_add(r->metrics, METRIC_decisions, who->decision.reason, 0, 1);
}

struct err authz_decide(struct exchange *x)
{
	struct relay *r = x->relay;
	struct client_conn *c = x->client;
	struct principal *who = c->who;
	msec_t now = loop_now(r->loop);
	char address[64];
	bool good = who->list_serial == r->list_serial &&
	            (now < who->look_again || (r->list && authlist_still(r->list, &who->decision, clock_now())));
	if (!good)
		decide(r, who);
	if (!good || now >= who->look_again)
		who->look_again = now + AUTHZ_LOOK_AGAIN_MS;
	who->list_serial = r->list_serial;
	const char *why = decision_row(who->decision.reason)->text;
	switch (who->decision.verdict) {
	case VERDICT_YES:
		return OK;
	case VERDICT_NO:
		event_log(EVENT_NOT_AUTHORIZED, "%s %s from %s: %s", who->account, who->sid_text,
		          client_conn_address(c, address), why);
		return ERR_OF(NOT_AUTHORIZED, .what = why);
	default:
		return ERR_OF(LIST_UNAVAILABLE, .what = why);
	}
}
