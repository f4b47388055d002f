#include "core/ops/explained.h"

#include "core/ops/explained_decision.h"
#include "core/relay/authlist_sync.h"

#include <stdio.h>

static bool is_about(const struct explained *x, const struct authlist_object *o)
{
	if (sid_is_none(&x->who.sid) || sid_is_none(&o->sid))
		return authlist_object_compare(&x->who, o) == 0;
	return sid_compare(&x->who.sid, &o->sid) == 0 || sid_set_has(&x->groups, &o->sid) ||
	       sid_set_has(&o->members, &x->who.sid);
}

static json_t *matches_json(const struct explained *x)
{
	json_t *all = json_array();
	for (uint32_t i = 0; i < x->rows->entry_count; i++) {
		if (!is_about(x, &x->rows->entries[i].object))
			continue;
		json_t *o = admin_entry_json(&x->rows->entries[i]);
		admin_set(o, "wins", json_boolean(i == x->decision.entry));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *denials_json(const struct explained *x)
{
	json_t *all = json_array();
	for (uint32_t i = 0; i < x->rows->denial_count; i++) {
		if (!is_about(x, &x->rows->denials[i].object))
			continue;
		json_t *o = admin_denial_json(&x->rows->denials[i]);
		admin_set(o, "decides", json_boolean(i == x->decision.denial));
		json_array_append_new(all, o);
	}
	return all;
}

const char *explained_row(const struct explained *x, char out[static AUTHLIST_ID_BYTES])
{
	const struct decision *d = &x->decision;
	out[0] = 0;
	if (d->denial != AUTHLIST_NO_ROW)
		authlist_object_id(&x->rows->denials[d->denial].object, out);
	else if (d->entry != AUTHLIST_NO_ROW)
		authlist_object_id(&x->rows->entries[d->entry].object, out);
	return out;
}

bool explained_is_known(const struct explained *x)
{
	enum decision_reason r = x->decision.reason;
	if (x->gone)
		return false;
	return x->groups_from != GROUPS_NONE || sid_is_none(&x->who.sid) || r == DECIDED_NEVER_LOADED ||
	       r == DECIDED_TOO_OLD || r == DECIDED_LIST_EMPTY || r == DECIDED_DENIED_ACCOUNT ||
	       r == DECIDED_ACCOUNT_DISABLED || r == DECIDED_ACCOUNT_GONE;
}

const char *explained_verdict_word(enum verdict v)
{
	static const char *const words[] = {[VERDICT_LATER] = "later", [VERDICT_NO] = "no", [VERDICT_YES] = "yes"};
	return words[v];
}

void explained_change(const struct explained *x, char out[static EXPLAINED_CHANGE_BYTES])
{
	char id[AUTHLIST_ID_BYTES];
	const struct decision *d = &x->decision;
	explained_row(x, id);
	if (d->verdict == VERDICT_LATER)
		snprintf(out, EXPLAINED_CHANGE_BYTES, "rms-connectorctl policy refresh");
	else if (d->denial != AUTHLIST_NO_ROW)
		snprintf(out, EXPLAINED_CHANGE_BYTES, "rms-connectorctl deny lift %s", id);
	else if (d->verdict == VERDICT_YES)
		snprintf(out, EXPLAINED_CHANGE_BYTES, "rms-connectorctl servers remove %s", id);
	else
		snprintf(out, EXPLAINED_CHANGE_BYTES, "rms-connectorctl servers add %s ROLE", x->id);
}

void explained_say_path(struct admin_call *c, const json_t *path)
{
	char text[1024] = "";
	size_t i, n = 0;
	json_t *name;
	json_array_foreach(path, i, name) if (n < sizeof(text)) n += (size_t)snprintf(
	        text + n, sizeof(text) - n, "%s%s", i ? ", which is in " : "", json_string_value(name));
	if (n)
		admin_say(c, "%s.", text);
}

static void say_groups(struct admin_call *c, const struct explained *x)
{
	if (x->groups_from == GROUPS_TOLD)
		admin_say(c,
		          "The directory says that it is in %u group%s now; a ticket that is older may show others, "
		          "until "
		          "its service or machine is restarted.",
		          x->groups.count, x->groups.count == 1 ? "" : "s");
	else if (x->gone)
		admin_say(c,
		          "The directory has it no more; an account that was made anew has another SID, and needs an "
		          "entry of its own.");
	else if (x->groups_from == GROUPS_NONE && !sid_is_none(&x->who.sid))
		admin_say(c,
		          "Its groups could not be looked at (%s): give them with --groups (whoami /groups on its "
		          "machine shows them).",
		          x->groups_problem);
}

static void say_verdict(struct admin_call *c, const struct explained *x)
{
	static const char *const words[] = {[VERDICT_LATER] = "is told to try again later",
	                                    [VERDICT_NO] = "is refused",
	                                    [VERDICT_YES] = "is let in"};
	char id[AUTHLIST_ID_BYTES];
	const struct decision *d = &x->decision;
	admin_say(c, "%s %s: %s.", x->words, words[d->verdict], decision_row(d->reason)->text);
	if (d->verdict == VERDICT_YES) {
		const struct authlist_object *o = &x->rows->entries[d->entry].object;
		admin_say(c, "The entry that counts is %s%s%s, with the role %s.", authlist_object_id(o, id),
		          o->name ? ", " : "", o->name ? o->name : "", authlist_role_word(d->role));
	}
	if (d->rival != AUTHLIST_NO_ROW)
		admin_say(c,
		          "Warning: %u entries are about this account, with different roles. An entry of the account "
		          "itself "
		          "comes before groups, and among groups the oldest wins.",
		          d->matches);
	explained_say_path(c, x->path);
}

static void say_it(struct admin_call *c, const struct explained *x, const struct authlist_facts *f, const char *change)
{
	explained_decision_say(c, x);
	if (!x->by_id || explained_is_known(x))
		say_verdict(c, x);
	if (x->disabled)
		admin_say(c,
		          "The directory has this account disabled: it gets no tickets, and is refused from the next "
		          "refresh on.");
	say_groups(c, x);
	if (!f->loaded) {
		admin_say(c, "There is no list of authorized servers now%s%s. To change this: %s",
		          f->problem[0] ? ": " : "", f->problem, change);
		return;
	}
	admin_say(c, "The list was confirmed %llu s ago (generation %llu)%s. To change this: %s",
	          (unsigned long long)(f->age / 1000000), (unsigned long long)f->generation,
	          f->problem[0] ? ", and cannot be read now" : "", change);
}

json_t *explained_json(struct admin_call *c, const struct explained *x)
{
	struct authlist_facts facts = {0};
	char change[EXPLAINED_CHANGE_BYTES];
	const struct decision *d = &x->decision;
	if (c->source->list)
		authlist_sync_facts(c->source->list, &facts);
	if (x->by_id && !explained_is_known(x))
		explained_decision_change(x, change);
	else
		explained_change(x, change);
	say_it(c, x, &facts, change);
	json_t *o = json_object();
	admin_set(o, "account", json_string(x->id));
	admin_set(o, "verdict", json_string(explained_verdict_word(d->verdict)));
	admin_set(o, "reason", json_string(decision_row(d->reason)->name));
	admin_set(o, "role", d->verdict == VERDICT_YES ? json_string(authlist_role_word(d->role)) : json_null());
	static const char *const from[] = {"none", "given", "directory"};
	admin_set(o, "name", admin_string(x->who.name));
	admin_set(o, "groups", json_integer((json_int_t)x->groups.count));
	admin_set(o, "groups_from", json_string(from[x->groups_from]));
	admin_set(o, "groups_problem", x->groups_problem[0] ? admin_string(x->groups_problem) : json_null());
	admin_set(o, "disabled", json_boolean(x->disabled));
	admin_set(o, "gone", json_boolean(x->gone));
	admin_set(o, "path", x->path ? json_incref(x->path) : json_null());
	admin_set(o, "conflict", json_boolean(d->rival != AUTHLIST_NO_ROW));
	admin_set(o, "list_generation", json_integer((json_int_t)facts.generation));
	admin_set(o, "list_age_s", json_integer((json_int_t)(facts.age / 1000000)));
	admin_set(o, "list_sha256", facts.loaded ? json_string(facts.hash) : json_null());
	admin_set(o, "change", admin_string(change));
	admin_set(o, "decision", explained_decision_json(x));
	admin_set(o, "differs",
	          x->then.id && explained_is_known(x) ? json_boolean(explained_decision_differs(x)) : json_null());
	admin_set(o, "entries", matches_json(x));
	admin_set(o, "denials", denials_json(x));
	return o;
}
