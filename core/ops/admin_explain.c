/* explain: what the list in force decides about somebody, by the code that decides about callers. Groups of an account are what --groups says, and what
 * the list has expanded; a caller's ticket may show others. */
#include "core/ops/admin_list.h"
#include "core/relay/authlist_sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct explained {
	struct authlist_object who;
	struct sid_set groups;
	const struct authlist *list;
	const struct authlist_rows *rows;
	struct decision decision;
	char id[AUTHLIST_ID_BYTES];
};

static bool read_groups(struct admin_call *c, struct sid_set *out)
{
	const char *text = admin_text(c, "groups");
	struct slice rest = slice_str(text ? text : "");
	while (rest.len) {
		struct slice one = slice_trim(slice_until(rest, slice_find(rest, ',')));
		rest = slice_from(rest, slice_find(rest, ',') + 1);
		struct sid sid;
		if (!sid_parse(one, &sid)) {
			admin_fail(c, EX_DATAERR, "whoami /groups on the caller's machine shows them",
			           "--groups wants SIDs with commas, and not %.*s", (int)(one.len < 80 ? one.len : 80),
			           one.at);
			return false;
		}
		if (!sid_set_add(out, &sid)) {
			admin_fail(c, EX_DATAERR, "", "--groups has more than %d members", SID_SET_MAX);
			return false;
		}
	}
	sid_set_seal(out);
	return true;
}

/* A SID, a principal, or what a row of the list is called. */
static bool read_who(struct admin_call *c, const struct authlist_rows *rows, struct authlist_object *out)
{
	const struct authlist_object *found = NULL;
	const char *who = admin_text(c, "who");
	size_t count = 0;
	for (size_t i = 0; i < rows->entry_count; i++)
		if (admin_object_is(&rows->entries[i].object, who) && count++ == 0)
			found = &rows->entries[i].object;
	if (count != 1)
		return admin_object_read(c, who, out);
	*out = (struct authlist_object){.sid = found->sid,
	                                .principal = found->principal ? strdup(found->principal) : NULL};
	return true;
}

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

/* The command that would turn the verdict around. */
static void change_of(const struct explained *x, char *out, size_t room)
{
	char id[AUTHLIST_ID_BYTES];
	const struct decision *d = &x->decision;
	if (d->verdict == VERDICT_LATER)
		snprintf(out, room, "rms-connectorctl policy refresh");
	else if (d->denial != AUTHLIST_NO_ROW)
		snprintf(out, room, "rms-connectorctl deny lift %s",
		         authlist_object_id(&x->rows->denials[d->denial].object, id));
	else if (d->verdict == VERDICT_YES)
		snprintf(out, room, "rms-connectorctl servers remove %s",
		         authlist_object_id(&x->rows->entries[d->entry].object, id));
	else
		snprintf(out, room, "rms-connectorctl servers add %s ROLE", x->id);
}

static void say_it(struct admin_call *c, const struct explained *x, const struct authlist_facts *f, const char *change)
{
	static const char *const words[] = {[VERDICT_LATER] = "is told to try again later",
	                                    [VERDICT_NO] = "is refused",
	                                    [VERDICT_YES] = "is let in"};
	char id[AUTHLIST_ID_BYTES];
	const struct decision *d = &x->decision;
	admin_say(c, "%s %s: %s.", x->id, words[d->verdict], decision_row(d->reason)->text);
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
	if (!sid_is_none(&x->who.sid) && !admin_text(c, "groups"))
		admin_say(c,
		          "Its groups were not looked at: give them with --groups (whoami /groups on its machine shows "
		          "them).");
	admin_say(c, "The list was confirmed %llu s ago (generation %llu)%s. To change this: %s",
	          (unsigned long long)(f->age / 1000000), (unsigned long long)f->generation,
	          f->problem[0] ? ", and cannot be read now" : "", change);
}

static json_t *explain_json(struct admin_call *c, const struct explained *x)
{
	static const char *const verdicts[] = {[VERDICT_LATER] = "later", [VERDICT_NO] = "no", [VERDICT_YES] = "yes"};
	struct authlist_facts facts;
	char change[AUTHLIST_ID_BYTES + 64];
	const struct decision *d = &x->decision;
	authlist_sync_facts(c->source->list, &facts);
	change_of(x, change, sizeof(change));
	say_it(c, x, &facts, change);
	json_t *o = json_object();
	admin_set(o, "account", json_string(x->id));
	admin_set(o, "verdict", json_string(verdicts[d->verdict]));
	admin_set(o, "reason", json_string(decision_row(d->reason)->name));
	admin_set(o, "role", d->verdict == VERDICT_YES ? json_string(authlist_role_word(d->role)) : json_null());
	admin_set(o, "groups_given", json_integer((json_int_t)x->groups.count));
	admin_set(o, "conflict", json_boolean(d->rival != AUTHLIST_NO_ROW));
	admin_set(o, "list_generation", json_integer((json_int_t)facts.generation));
	admin_set(o, "list_age_s", json_integer((json_int_t)(facts.age / 1000000)));
	admin_set(o, "list_sha256", json_string(facts.hash));
	admin_set(o, "change", admin_string(change));
	admin_set(o, "entries", matches_json(x));
	admin_set(o, "denials", denials_json(x));
	return o;
}

void admin_run_explain(struct admin_call *c)
{
	struct explained x = {.list = admin_list(c)};
	if (!x.list)
		return;
	x.rows = authlist_rows_of(x.list);
	if (read_who(c, x.rows, &x.who) && read_groups(c, &x.groups)) {
		struct authlist_caller caller = {
		        .account = sid_is_none(&x.who.sid) ? NULL : &x.who.sid,
		        .groups = &x.groups,
		        .principal = x.who.principal ? slice_str(x.who.principal) : (struct slice){0},
		};
		authlist_object_id(&x.who, x.id);
		x.decision = authlist_decide(x.list, &caller, clock_now(), time(NULL));
		admin_done(c, explain_json(c, &x));
	}
	authlist_object_done(&x.who);
	sid_set_done(&x.groups);
}
