#include "core/ops/explained.h"

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

void explained_change(const struct explained *x, char out[static EXPLAINED_CHANGE_BYTES])
{
	char id[AUTHLIST_ID_BYTES];
	const struct decision *d = &x->decision;
	if (d->verdict == VERDICT_LATER)
		snprintf(out, EXPLAINED_CHANGE_BYTES, "rms-connectorctl policy refresh");
	else if (d->denial != AUTHLIST_NO_ROW)
		snprintf(out, EXPLAINED_CHANGE_BYTES, "rms-connectorctl deny lift %s",
		         authlist_object_id(&x->rows->denials[d->denial].object, id));
	else if (d->verdict == VERDICT_YES)
		snprintf(out, EXPLAINED_CHANGE_BYTES, "rms-connectorctl servers remove %s",
		         authlist_object_id(&x->rows->entries[d->entry].object, id));
	else
		snprintf(out, EXPLAINED_CHANGE_BYTES, "rms-connectorctl servers add %s ROLE", x->id);
}

static void say_path(struct admin_call *c, const struct explained *x)
{
	char text[1024] = "";
	size_t i, n = 0;
	json_t *name;
	json_array_foreach(x->path, i, name) if (n < sizeof(text)) n += (size_t)snprintf(
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

static void say_it(struct admin_call *c, const struct explained *x, const struct authlist_facts *f, const char *change)
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
	say_path(c, x);
	if (x->disabled)
		admin_say(c,
		          "The directory has this account disabled: it gets no tickets, and is refused from the next "
		          "refresh on.");
	say_groups(c, x);
	admin_say(c, "The list was confirmed %llu s ago (generation %llu)%s. To change this: %s",
	          (unsigned long long)(f->age / 1000000), (unsigned long long)f->generation,
	          f->problem[0] ? ", and cannot be read now" : "", change);
}

json_t *explained_json(struct admin_call *c, const struct explained *x)
{
	static const char *const verdicts[] = {[VERDICT_LATER] = "later", [VERDICT_NO] = "no", [VERDICT_YES] = "yes"};
	struct authlist_facts facts;
	char change[EXPLAINED_CHANGE_BYTES];
	const struct decision *d = &x->decision;
	authlist_sync_facts(c->source->list, &facts);
	explained_change(x, change);
	say_it(c, x, &facts, change);
	json_t *o = json_object();
	admin_set(o, "account", json_string(x->id));
	admin_set(o, "verdict", json_string(verdicts[d->verdict]));
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
	admin_set(o, "list_sha256", json_string(facts.hash));
	admin_set(o, "change", admin_string(change));
	admin_set(o, "entries", matches_json(x));
	admin_set(o, "denials", denials_json(x));
	return o;
}
