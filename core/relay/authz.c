#include "core/relay/authz.h"

#include "core/base/log.h"
#include "core/relay/accounts.h"
#include "core/relay/ntlm_callers.h"
#include "core/relay/this_host.h"
#include "core/relay/authz_record.h"
#include "core/relay/recall.h"

#include <stdio.h>

/* A decision that is asked for so often is made anew after its time: what it rests on may have changed in a way that nobody foresaw. */
static void bound(struct decision *d)
{
	usec_t until = clock_now() + (d->verdict == VERDICT_YES ? DECISION_YES_S : DECISION_NO_S) * 1000000ull;
	if (until < d->good_until)
		d->good_until = until;
}

/* C18: the winner is always the same one, but an administrator may have meant another. */
static void warn_about_conflict(const struct relay *r, const struct principal *who)
{
	const struct decision *d = &who->decision;
	const struct authlist_rows *rows = authlist_rows_of(r->list);
	const struct authlist_entry *won = &rows->entries[d->entry];
	char text[ACCOUNT_CONFLICT_BYTES] = "", id[AUTHLIST_ID_BYTES], other[AUTHLIST_ID_BYTES] = "";
	const char *role = "";
	if (d->matches > 1 && d->rival != AUTHLIST_NO_ROW) {
		authlist_object_id(&rows->entries[d->rival].object, other);
		role = authlist_role_word(rows->entries[d->rival].role);
	}
	if (d->matches > 1)
		snprintf(text, sizeof(text),
		         "%u entries are about it; the one that counts is %s%s%s, with the role %s%s%s%s%s", d->matches,
		         authlist_object_id(&won->object, id), won->object.name ? ", " : "",
		         won->object.name ? won->object.name : "", authlist_role_word(won->role),
		         *other ? "; another role has, among others, " : "", other, *other ? ": " : "", role);
	account_conflicts(who->seen, text);
}

static void decide(struct exchange *x, struct principal *who)
{
	struct relay *r = x->relay;
	struct decision before = who->decision;
	struct authlist_caller caller = {.account = sid_is_none(&who->sid) ? NULL : &who->sid,
	                                 .groups = &who->groups,
	                                 .principal = slice_str(who->principal)};
	who->decision = authlist_decide(r->list, &caller, clock_now(), (int64_t)(clock_wall() / 1000000));
	bound(&who->decision);
	metric_add(r->metrics, METRIC_decisions, who->decision.reason, 0, 1);
	who->up = NULL;
	if (who->decision.verdict == VERDICT_YES) {
		const struct authlist_object *o = &authlist_rows_of(r->list)->entries[who->decision.entry].object;
		who->up = upstreams_find(&r->upstreams, who->decision.role, sid_is_none(&o->sid) ? NULL : &o->sid);
	}
	if (who->seen && who->decision.doubtful)
		account_doubt(who->seen);
	if (who->seen && who->decision.verdict == VERDICT_YES)
		warn_about_conflict(r, who);
	authz_record(x, who, &before);
}

static void saw(struct client_conn *c, const struct principal *who, bool let_in, const char *why)
{
	struct account_view v = {.at = clock_now(),
	                         .let_in = let_in,
	                         .https = c->tls,
	                         .role = who->decision.role,
	                         .how = who->how,
	                         .why = why};
	char address[64];
	snprintf(v.address, sizeof(v.address), "%s", client_conn_address(c, address));
	if (who->seen)
		account_saw(who->seen, &v);
	if (who->how == AUTHD_NTLM)
		ntlm_callers_used(who->account);
}

static struct err refuse(struct client_conn *c, struct principal *who, const char *why)
{
	char address[64];
	saw(c, who, false, why);
	if (who->seen)
		account_refused(who->seen, client_conn_address(c, address), why);
	return ERR_OF(NOT_AUTHORIZED, .what = why);
}

/* A server on this machine is not forbidden, but unusual: often a local proxy that hides where callers come from. */
static void warn_about_loopback(const char *address)
{
	static bool told; /* in the process */
	bool loopback = strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
	if (loopback && !__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
		event_log(EVENT_LOOPBACK_CALLER, "%s", address);
}

void authz_served(struct exchange *x)
{
	struct client_conn *c = x->client;
	struct account *a = c->proven ? c->who->seen : NULL;
	bool well = x->upstream_status == 200 || recall_word(x);
	uint32_t way = c->tls ? ACCOUNT_HTTPS : ACCOUNT_HTTP, seen = a ? account_seen(a) : 0;
	char address[64];
	if (a && (!(seen & way) || (well && !(seen & ACCOUNT_WELCOME))))
		account_used(a, c->tls, well, client_conn_address(c, address));
}

struct err authz_decide(struct exchange *x)
{
	struct relay *r = x->relay;
	struct client_conn *c = x->client;
	struct principal *who = c->who;
	msec_t now = loop_now(r->loop);
	char address[64];
	if (!who->seen)
		who->seen = accounts_find(who->sid_text, who->account);
	if (this_host_is(who->account, who->principal))
		return refuse(c, who, "same host: the caller is the computer account of this machine");
	bool good = who->list_serial == r->list_serial &&
	            (now < who->look_again || (r->list && authlist_still(r->list, &who->decision, clock_now())));
	if (!good)
		decide(x, who);
	bool look = !good || now >= who->look_again;
	if (look)
		who->look_again = now + AUTHZ_LOOK_AGAIN_MS;
	if (who->seen && who->decision.verdict == VERDICT_YES)
		account_relies(who->seen, who->decision.by_ticket);
	who->list_serial = r->list_serial;
	const char *why = decision_row(who->decision.reason)->text;
	switch (who->decision.verdict) {
	case VERDICT_YES:
		if (look)
			saw(c, who, true, why);
		if (c->entrance->behind == BEHIND_DIRECT || c->address_told)
			warn_about_loopback(client_conn_address(c, address));
		return OK;
	case VERDICT_NO:
		return refuse(c, who, why);
	default:
		return ERR_OF(LIST_UNAVAILABLE, .what = why);
	}
}
