/* servers list, show, export, remove, search: what is on the list of authorized servers, and what the directory has. */
#include "core/ops/admin_change.h"
#include "core/ops/admin_who.h"
#include "core/relay/authlist_sync.h"
#include "proto/authlist_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool admin_role_read(struct admin_call *c, enum authlist_role *out)
{
	if (authlist_role_read(slice_str(admin_text(c, "role")), out))
		return true;
	admin_fail(c, EX_DATAERR, "", "a role is exchange, sharepoint or fci, and not %.60s", admin_text(c, "role"));
	return false;
}

void admin_run_servers_list(struct admin_call *c)
{
	enum authlist_role role = AUTHLIST_ROLE_COUNT;
	const struct authlist_rows *rows;
	if (!admin_base(c, &rows) || (admin_text(c, "role") && !admin_role_read(c, &role)))
		return;
	json_t *o = json_object(), *all = json_array();
	for (size_t i = 0; i < rows->entry_count; i++)
		if (role == AUTHLIST_ROLE_COUNT || rows->entries[i].role == role)
			json_array_append_new(all, admin_entry_json(&rows->entries[i]));
	if (!json_array_size(all))
		admin_say(c, rows->entry_count ? "no entry has that role" : "the list is empty: nobody is let in");
	admin_set(o, "entries", all);
	admin_done(c, o);
}

void admin_run_servers_export(struct admin_call *c)
{
	const struct authlist *list = admin_list(c);
	size_t len;
	if (!list)
		return;
	char *text = authlist_doc_write(authlist_rows_of(list), &len);
	json_t *o = text ? json_object() : NULL;
	if (o)
		admin_set(o, "document", json_string(text));
	free(text);
	admin_done(c, o);
}

/* ---- one entry ---- */

/* Of whom was meant; NULL: the call has ended with an error. */
static const struct authlist_entry *the_entry(struct admin_call *c)
{
	char words[ADMIN_WHO_BYTES];
	const struct authlist_rows *rows;
	if (!admin_base(c, &rows))
		return NULL;
	const struct authlist_entry *e = admin_entry_of(rows, &c->who.object);
	if (!e)
		admin_fail(c, EX_DATAERR, "rms-connectorctl servers list shows what there is", "%s is not on the list",
		           admin_object_words(&c->who.object, words));
	return e;
}

/* Names of rows first; what was renamed in the directory is found by its new name, too. */
static void find_entry(struct admin_call *c, void (*found)(struct admin_call *c))
{
	const char *who = admin_text(c, "who");
	const struct authlist_rows *rows;
	if (!admin_base(c, &rows))
		return;
	const struct authlist_entry *computer = admin_computer_of(rows, who);
	if (computer)
		admin_fail(c, EX_DATAERR, "the name of a computer account ends with $",
		           "no entry is called %.200s; did you mean %.200s?", who, computer->object.name);
	else
		admin_who_find(c, who, WHOM_ROWS_FIRST, found);
}

/* The answer about the entry's SID: what it is called now, or that it is no more. */
static void say_directory(struct admin_call *c, const struct authlist_entry *e, const json_t *answer, json_t *into)
{
	const json_t *objects = json_object_get(answer, "objects");
	const char *now = json_string_value(json_object_get(json_array_get(objects, 0), "name"));
	bool told = admin_told_well(answer), there = told && json_array_size(objects) == 1;
	const char *hint = json_string_value(json_object_get(answer, "hint"));
	admin_set(into, "directory", there ? admin_found_json(json_array_get(objects, 0)) : json_null());
	admin_set(into, "directory_problem",
	          there  ? json_null()
	          : told ? admin_string(hint ? hint : "the directory does not have it")
	                 : admin_string(admin_told_error(answer)));
	if (told && !there)
		admin_set(into, "gone", json_true());
	if (there && now && e->object.name && strcasecmp(now, e->object.name))
		admin_set(into, "renamed_to", admin_string(now));
}

/* When the directory last said who is in it, since 1970; 0: it never did, or needs not. */
static int64_t members_told_s(const struct admin_call *c, const struct authlist_object *o)
{
	const struct authlist *list = authlist_sync_current(c->source->list);
	const struct authlist_rows *rows = list ? authlist_rows_of(list) : NULL;
	for (uint32_t i = 0; rows && i < rows->entry_count; i++) {
		int64_t at = authlist_object_compare(&rows->entries[i].object, o) == 0
		                     ? authlist_members_at(list, false, i)
		                     : AUTHLIST_NEVER;
		if (at != AUTHLIST_NEVER)
			return (int64_t)(clock_wall() / 1000000) - ((int64_t)clock_now() - at) / 1000000;
	}
	return 0;
}

static void show(struct admin_call *c, const json_t *answer)
{
	const struct authlist_rows *rows;
	const struct authlist_entry *e = the_entry(c);
	if (!e || !admin_base(c, &rows))
		return;
	json_t *o = admin_entry_json(e), *denials = json_array();
	for (size_t i = 0; i < rows->denial_count; i++)
		if (authlist_object_compare(&rows->denials[i].object, &e->object) == 0)
			json_array_append_new(denials, admin_denial_json(&rows->denials[i]));
	admin_set(o, "line", admin_entry_line(e));
	int64_t told_s = members_told_s(c, &e->object);
	admin_set(o, "accounts_expanded", told_s ? json_integer(e->object.members.count) : json_null());
	admin_set(o, "expanded", admin_time(told_s));
	if (answer)
		say_directory(c, e, answer, o);
	admin_set(o, "denials", denials);
	admin_done(c, o);
}

static void show_found(struct admin_call *c)
{
	char sid[SID_TEXT_BYTES];
	const struct authlist_entry *e = the_entry(c);
	if (!e)
		return;
	if (sid_is_none(&e->object.sid)) {
		show(c, NULL);
		return;
	}
	sid_print(&e->object.sid, sid);
	admin_ask(c, admin_question("find", "text", sid), show);
}

void admin_run_servers_show(struct admin_call *c)
{
	find_entry(c, show_found);
}

static void remove_found(struct admin_call *c)
{
	const struct authlist_entry *e = the_entry(c);
	if (e)
		admin_change(c, &(struct admin_edit){.remove = e}, json_object());
}

void admin_run_servers_remove(struct admin_call *c)
{
	find_entry(c, remove_found);
}

/* ---- the directory ---- */

static void on_searched(struct admin_call *c, const json_t *answer)
{
	const json_t *objects = json_object_get(answer, "objects");
	const char *hint = json_string_value(json_object_get(answer, "hint"));
	bool truncated = json_is_true(json_object_get(answer, "truncated"));
	size_t i;
	json_t *one, *all = json_array(), *o = json_object();
	if (!admin_told_well(answer)) {
		json_decref(all);
		json_decref(o);
		admin_fail_told(c, answer, "the directory cannot be searched");
		return;
	}
	json_array_foreach(objects, i, one) json_array_append_new(all, admin_found_json(one));
	if (!json_array_size(all))
		admin_say(c, "nothing has such a name (sAMAccountName, cn and displayName were looked at)");
	if (truncated)
		admin_say(c, "There are more than these: say more of the name, or --limit up to 500.");
	if (hint)
		admin_say(c, "Warning: %s", hint);
	admin_set(o, "objects", all);
	if (truncated)
		admin_set(o, "truncated", json_true());
	admin_done(c, o);
}

void admin_run_servers_search(struct admin_call *c)
{
	uint32_t limit;
	if (!admin_number(c, "limit", 50, 1, 500, &limit))
		return;
	json_t *question = admin_question("search", "pattern", admin_text(c, "pattern"));
	admin_set(question, "limit", json_integer(limit));
	admin_ask(c, question, on_searched);
}
