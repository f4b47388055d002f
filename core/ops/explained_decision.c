#include "core/ops/explained_decision.h"

#include "core/crypto/crypto.h"
#include "store/decisions.h"

#include <stdio.h>
#include <string.h>

/* ---- finding ---- */

bool explained_decision_find(struct admin_call *c, struct explained *x, uint64_t id)
{
	struct decisions *all = c->source->decisions;
	const struct decision_record *r = all ? decisions_find(all, id) : NULL;
	char text[DECISION_ID_TEXT_BYTES];
	x->by_id = true;
	if (r) {
		x->then = *r;
		return true;
	}
	decision_id_print(id, text);
	admin_fail(
	        c, EX_DATAERR,
	        "each node keeps its own: ask the one that has it in its request log; rms-connectorctl explain ACCOUNT "
	        "says what would be decided now",
	        "this node does not know the decision %s: it keeps its own last %d%s, and has %zu", text,
	        DECISIONS_KEPT,
	        c->source->settings->node_state_directory[0]
	                ? ""
	                : ", not over a restart, because node.state_directory is not set",
	        all ? decisions_count(all) : (size_t)0);
	return false;
}

void explained_decision_last(const struct admin_call *c, struct explained *x)
{
	const struct decision_record *r = NULL;
	if (c->source->decisions)
		r = decisions_last(c->source->decisions, x->id);
	if (r)
		x->then = *r;
}

/* ---- comparing ---- */

const char *explained_decision_row(const struct explained *x)
{
	return x->then.denial[0] ? x->then.denial : x->then.entry;
}

bool explained_decision_differs(const struct explained *x)
{
	char id[AUTHLIST_ID_BYTES] = "";
	const struct decision *d = &x->decision;
	enum verdict then = decision_row(x->then.reason)->verdict;
	explained_row(x, id);
	return d->verdict != then || (then == VERDICT_YES && d->role != x->then.role) ||
	       strcmp(id, explained_decision_row(x)) != 0;
}

void explained_decision_change(const struct explained *x, char out[static EXPLAINED_CHANGE_BYTES])
{
	enum verdict then = decision_row(x->then.reason)->verdict;
	if (then == VERDICT_LATER)
		snprintf(out, EXPLAINED_CHANGE_BYTES, "rms-connectorctl policy refresh");
	else if (x->then.denial[0])
		snprintf(out, EXPLAINED_CHANGE_BYTES, "rms-connectorctl deny lift %.*s", AUTHLIST_ID_BYTES - 1,
		         x->then.denial);
	else if (then == VERDICT_YES)
		snprintf(out, EXPLAINED_CHANGE_BYTES, "rms-connectorctl servers remove %.*s", AUTHLIST_ID_BYTES - 1,
		         x->then.entry);
	else
		snprintf(out, EXPLAINED_CHANGE_BYTES, "rms-connectorctl servers add %s ROLE", x->id);
}

/* ---- sentences ---- */

/* What the list calls a row now; NULL: it has no name, or is on the list no more: *there. */
static const char *name_now(const struct explained *x, bool is_denial, const char *id, bool *there)
{
	size_t count = is_denial ? x->rows->denial_count : x->rows->entry_count;
	for (size_t i = 0; i < count; i++) {
		const struct authlist_object *o = is_denial ? &x->rows->denials[i].object : &x->rows->entries[i].object;
		char text[AUTHLIST_ID_BYTES];
		*there = strcmp(authlist_object_id(o, text), id) == 0;
		if (*there)
			return o->name;
	}
	*there = false;
	return NULL;
}

static void say_row(struct admin_call *c, const struct explained *x)
{
	const struct decision_record *r = &x->then;
	bool is_denial = r->denial[0], there;
	const char *id = explained_decision_row(x), *name;
	if (!*id)
		return;
	name = name_now(x, is_denial, id, &there);
	admin_say(c, "The %s that counted was %s%s%s%s%s%s.", is_denial ? "denial" : "entry", id, name ? ", " : "",
	          name ? name : "", is_denial ? "" : ", with the role ", is_denial ? "" : authlist_role_word(r->role),
	          there ? "" : "; it is not on the list any more");
	if (json_array_size(x->path_then))
		explained_say_path(c, x->path_then);
	else if (x->path_then)
		admin_say(c, "The directory says that the account is not in it now.");
}

static void say_ages(struct admin_call *c, const struct explained *x)
{
	const struct decision_record *r = &x->then;
	char members[96] = "", standing[96] = "";
	if (r->members_age_s != UINT32_MAX)
		snprintf(members, sizeof(members), "; who is in that group had been told %u s before",
		         r->members_age_s);
	if (r->standing_age_s != UINT32_MAX)
		snprintf(standing, sizeof(standing), "; the directory had been asked about the account %u s before",
		         r->standing_age_s);
	if (r->generation == 0)
		admin_say(c, "There was no list then.");
	else
		admin_say(c,
		          "The list of generation %llu had been confirmed %u s before%s%s; %u SID%s of the account and "
		          "its "
		          "groups counted.",
		          (unsigned long long)r->generation, r->list_age_s, members, standing, r->group_count,
		          r->group_count == 1 ? "" : "s");
}

static void say_then(struct admin_call *c, const struct explained *x)
{
	static const char *const words[] = {[VERDICT_LATER] = "was told to try again later",
	                                    [VERDICT_NO] = "was refused",
	                                    [VERDICT_YES] = "was let in"};
	const struct decision_record *r = &x->then;
	char at[32];
	clock_format((usec_t)r->at_s * 1000000, at);
	admin_say(c, "At %.19sZ %s, from %s, %s: %s.", at, x->words, r->address,
	          words[decision_row(r->reason)->verdict], decision_row(r->reason)->text);
	say_row(c, x);
	say_ages(c, x);
}

/* Of somebody who asks about an account, only what does not fit. */
static void say_if_other(struct admin_call *c, const struct explained *x)
{
	static const char *const words[] = {[VERDICT_LATER] = "told it to try again later",
	                                    [VERDICT_NO] = "refused it",
	                                    [VERDICT_YES] = "let it in"};
	char id[DECISION_ID_TEXT_BYTES], at[32];
	if (!x->then.id || !explained_is_known(x) || !explained_decision_differs(x))
		return;
	decision_id_print(x->then.id, id);
	clock_format((usec_t)x->then.at_s * 1000000, at);
	admin_say(c, "This node decided otherwise at %.19sZ, and %s: rms-connectorctl explain %s says why.", at,
	          words[decision_row(x->then.reason)->verdict], id);
}

void explained_decision_say(struct admin_call *c, const struct explained *x)
{
	if (!x->by_id) {
		say_if_other(c, x);
		return;
	}
	say_then(c, x);
	if (x->gone)
		return; /* which is said next */
	if (!explained_is_known(x))
		admin_say(c, "What would be decided now cannot be said without its groups.");
	else if (explained_decision_differs(x))
		admin_say(c, "Now it would be decided otherwise:");
	else
		admin_say(c, "Now the same would be decided:");
}

/* ---- for programs ---- */

static json_t *age_json(uint32_t age_s)
{
	return age_s == UINT32_MAX ? json_null() : json_integer(age_s);
}

json_t *explained_decision_json(const struct explained *x)
{
	const struct decision_record *r = &x->then;
	const struct decision_row *row = decision_row(r->reason);
	char id[DECISION_ID_TEXT_BYTES], sid[SID_TEXT_BYTES], hash[2 * AUTHLIST_HASH_BYTES + 1];
	if (!r->id)
		return json_null();
	decision_id_print(r->id, id);
	sid_print(&r->sid, sid);
	crypto_hex(r->hash, sizeof(r->hash), hash);
	json_t *o = json_object();
	admin_set(o, "id", json_string(id));
	admin_set(o, "at", admin_time((int64_t)r->at_s));
	admin_set(o, "until", admin_time((int64_t)r->until_s));
	admin_set(o, "account", admin_string(r->account));
	admin_set(o, "sid", sid_is_none(&r->sid) ? json_null() : json_string(sid));
	admin_set(o, "address", admin_string(r->address));
	admin_set(o, "verdict", json_string(explained_verdict_word(row->verdict)));
	admin_set(o, "reason", json_string(row->name));
	admin_set(o, "role", row->verdict == VERDICT_YES ? json_string(authlist_role_word(r->role)) : json_null());
	admin_set(o, "entry", r->entry[0] ? admin_string(r->entry) : json_null());
	admin_set(o, "denial", r->denial[0] ? admin_string(r->denial) : json_null());
	admin_set(o, "sids", json_integer(r->group_count));
	admin_set(o, "list_generation", json_integer((json_int_t)r->generation));
	admin_set(o, "list_sha256", r->generation ? json_string(hash) : json_null());
	admin_set(o, "list_age_s", r->generation ? json_integer(r->list_age_s) : json_null());
	admin_set(o, "members_age_s", age_json(r->members_age_s));
	admin_set(o, "standing_age_s", age_json(r->standing_age_s));
	admin_set(o, "path", x->path_then ? json_incref(x->path_then) : json_null());
	return o;
}
