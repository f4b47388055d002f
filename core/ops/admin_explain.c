/* explain, servers test: what the list in force decides about somebody, by the code that decides about callers. Groups of an account are what the
 * directory says now (or --groups), and what the list has expanded; a caller's ticket may be older. explain also takes the id of a decision that was made,
 * and shows it beside what would be decided now. */
#include "core/ops/admin_change.h"
#include "core/ops/admin_who.h"
#include "core/ops/explained_decision.h"
#include "core/relay/authlist_sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* ---- from turn to turn ---- */

static void explained_free(void *own)
{
	struct explained *x = own;
	sid_set_done(&x->groups);
	json_decref(x->path);
	json_decref(x->path_then);
	free(x);
}

static void decide(struct admin_call *c, struct explained *x)
{
	struct authlist_caller caller = {
	        .account = sid_is_none(&x->who.sid) ? NULL : &x->who.sid,
	        .groups = &x->groups,
	        .principal = x->who.principal ? slice_str(x->who.principal) : (struct slice){0},
	};
	authlist_object_id(&x->who, x->id);
	admin_object_words(&x->who, x->words);
	x->decision = authlist_decide(x->list, &caller, clock_now(), time(NULL));
}

/* For scripts: 0 only when it would be let in. */
static void end_test(struct admin_call *c, struct explained *x)
{
	char id[AUTHLIST_ID_BYTES], change[EXPLAINED_CHANGE_BYTES];
	const struct decision *d = &x->decision;
	explained_change(x, change);
	if (x->gone) {
		admin_fail(c, EX_DATAERR,
		           "an account that was made anew has another SID: take the entry out, and add it again",
		           "%s would be refused: the directory has it no more", x->words);
	} else if (x->groups_from == GROUPS_NONE && !sid_is_none(&x->who.sid)) {
		admin_fail(c, EX_UNAVAILABLE, "", "%s cannot be tested without its groups: %s", x->words,
		           x->groups_problem);
	} else if (x->disabled) {
		admin_fail(c, EX_DATAERR, "enable it in the directory", "%s would be refused: the account is disabled",
		           x->words);
	} else if (d->verdict != VERDICT_YES) {
		admin_fail(c, EX_DATAERR, change, "%s would be %s: %s", x->words,
		           d->verdict == VERDICT_NO ? "refused" : "told to try again later",
		           decision_row(d->reason)->text);
	} else {
		const struct authlist_entry *e = &x->rows->entries[d->entry];
		json_t *o = json_object();
		admin_say(c, "%s would be let in as %s, by the entry %s%s%s.", x->words, authlist_role_word(d->role),
		          authlist_object_id(&e->object, id), e->object.name ? ", " : "",
		          e->object.name ? e->object.name : "");
		admin_set(o, "account", admin_string(x->id));
		admin_set(o, "role", json_string(authlist_role_word(d->role)));
		admin_set(o, "reason", json_string(decision_row(d->reason)->name));
		admin_set(o, "entry", admin_entry_json(e));
		admin_done(c, o);
	}
}

/* The list may be another one than a turn ago, so it is decided here. What was decided once is explained without any list, too. */
static bool decide_now(struct admin_call *c, struct explained *x)
{
	static const struct authlist_rows none;
	x->list = x->by_id ? c->source->list ? authlist_sync_current(c->source->list) : NULL : admin_list(c);
	if (!x->list && !x->by_id)
		return false;
	x->rows = x->list ? authlist_rows_of(x->list) : &none;
	decide(c, x);
	if (!x->by_id)
		explained_decision_last(c, x);
	return true;
}

static void answer_it(struct admin_call *c)
{
	struct explained *x = c->own;
	if (!decide_now(c, x))
		return;
	if (c->command == ADMIN_COMMAND_servers_test)
		end_test(c, x);
	else
		admin_done(c, explained_json(c, x));
}

static void end(struct admin_call *c);

/* ---- by which groups: for people. Whatever comes of it, the decision stands ---- */

static json_t *names_of(const json_t *answer)
{
	const json_t *one;
	size_t i;
	json_t *names = json_array();
	json_array_foreach(json_object_get(answer, "path"), i, one) if (json_is_string(one))
	        json_array_append_new(names, json_string(json_string_value(one)));
	return names;
}

static bool may_be_in(const struct explained *x, const char *row)
{
	return x->groups_from == GROUPS_TOLD && strncmp(row, "S-1-", 4) == 0 && strcmp(row, x->id) != 0;
}

static void ask_for_way(struct admin_call *c, const char *group,
                        void (*told)(struct admin_call *c, const json_t *answer))
{
	const struct explained *x = c->own;
	json_t *question = admin_question("path", "sid", x->id);
	admin_set(question, "group", json_string(group));
	admin_ask(c, question, told);
}

static void on_path(struct admin_call *c, const json_t *answer)
{
	struct explained *x = c->own;
	x->path = names_of(answer);
	answer_it(c);
}

static void ask_for_path(struct admin_call *c, struct explained *x)
{
	char row[AUTHLIST_ID_BYTES];
	explained_row(x, row);
	if (!may_be_in(x, row)) {
		answer_it(c);
	} else if (x->path_then && strcmp(row, explained_decision_row(x)) == 0) {
		x->path = json_incref(x->path_then);
		answer_it(c);
	} else {
		ask_for_way(c, row, on_path);
	}
}

static void on_path_then(struct admin_call *c, const json_t *answer)
{
	struct explained *x = c->own;
	if (admin_told_well(answer))
		x->path_then = names_of(answer);
	if (decide_now(c, x))
		ask_for_path(c, x);
}

static void on_groups(struct admin_call *c, const json_t *answer)
{
	struct explained *x = c->own;
	const json_t *account = json_object_get(answer, "account"), *one;
	size_t i;
	if (!admin_told_well(answer)) {
		const char *code = json_string_value(json_object_get(answer, "code"));
		snprintf(x->groups_problem, sizeof(x->groups_problem), "%s", admin_told_error(answer));
		x->gone = code && strcmp(code, "gone") == 0;
		end(c);
		return;
	}
	json_array_foreach(json_object_get(answer, "groups"), i, one)
	{
		struct sid sid;
		const char *text = json_string_value(one);
		if (text && sid_parse(slice_str(text), &sid) && !sid_set_add(&x->groups, &sid))
			break;
	}
	sid_set_seal(&x->groups);
	x->groups_from = GROUPS_TOLD;
	x->disabled = json_is_true(json_object_get(account, "disabled"));
	end(c);
}

static void end(struct admin_call *c)
{
	struct explained *x = c->own;
	if (c->command == ADMIN_COMMAND_servers_test)
		answer_it(c);
	else if (!decide_now(c, x))
		return;
	else if (x->by_id && may_be_in(x, explained_decision_row(x)))
		ask_for_way(c, explained_decision_row(x), on_path_then);
	else
		ask_for_path(c, x);
}

static void explain_found(struct admin_call *c)
{
	struct explained *x = c->own;
	char sid[SID_TEXT_BYTES];
	/* The directory has no name for it any more, or is away. */
	if (x->by_id && !sid_is_none(&c->who.object.sid) && !c->who.object.name &&
	    !authlist_text_wrong(slice_str(x->then.account)))
		c->who.object.name = strdup(x->then.account);
	x->who = c->who.object;
	if (sid_is_none(&x->who.sid) || x->groups_from == GROUPS_GIVEN) {
		end(c);
		return;
	}
	sid_print(&x->who.sid, sid);
	admin_ask(c, admin_question("groups", "sid", sid), on_groups);
}

/* The account of that time: by its SID, whatever it is called now. */
static void find_decided(struct admin_call *c, const struct decision_record *then)
{
	char sid[SID_TEXT_BYTES];
	if (!sid_is_none(&then->sid)) {
		sid_print(&then->sid, sid);
		admin_who_find(c, sid, WHOM_DIRECTORY_FIRST, explain_found);
		return;
	}
	c->who.object.principal = strdup(then->account);
	if (c->who.object.principal)
		explain_found(c);
	else
		admin_fail(c, EX_OSERR, "", "the node is out of memory");
}

static void find_who(struct admin_call *c)
{
	const struct explained *x = c->own;
	if (x->by_id)
		find_decided(c, &x->then);
	else if (admin_list(c))
		admin_who_find(c, admin_text(c, "who"), WHOM_DIRECTORY_FIRST, explain_found);
}

/* Everything that is kept is made anew: the list is read again, and with it go the decisions of the workers. */
static void begin(struct admin_call *c, bool fresh)
{
	uint64_t id;
	struct explained *x = calloc(1, sizeof(*x));
	c->own = x;
	c->own_done = explained_free;
	if (!x) {
		admin_fail(c, EX_OSERR, "", "the node is out of memory");
		return;
	}
	if (admin_text(c, "groups")) {
		x->groups_from = GROUPS_GIVEN;
		if (!read_groups(c, &x->groups))
			return;
	}
	if (c->command == ADMIN_COMMAND_explain && decision_id_read(slice_str(admin_text(c, "who")), &id) &&
	    !explained_decision_find(c, x, id))
		return;
	if (fresh && c->source->list)
		admin_refresh_list(c, find_who);
	else
		find_who(c);
}

void admin_run_explain(struct admin_call *c)
{
	begin(c, admin_flag(c, "fresh"));
}

void admin_run_servers_test(struct admin_call *c)
{
	begin(c, false);
}
