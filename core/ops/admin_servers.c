/* servers ..., policy refresh: the list of authorized servers. Its source is a file that is put on every node, so what changes it prints the lines for
 * that file. */
#include "core/ops/admin_list.h"
#include "core/relay/authlist_sync.h"
#include "proto/authlist_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool read_role(struct admin_call *c, enum authlist_role *out)
{
	if (authlist_role_read(slice_str(admin_text(c, "role")), out))
		return true;
	admin_fail(c, EX_DATAERR, "", "a role is exchange, sharepoint or fci, and not %.60s", admin_text(c, "role"));
	return false;
}

void admin_run_servers_list(struct admin_call *c)
{
	enum authlist_role role = AUTHLIST_ROLE_COUNT;
	const struct authlist *list = admin_list(c);
	if (!list || (admin_text(c, "role") && !read_role(c, &role)))
		return;
	const struct authlist_rows *rows = authlist_rows_of(list);
	json_t *o = json_object(), *all = json_array();
	for (size_t i = 0; i < rows->entry_count; i++)
		if (role == AUTHLIST_ROLE_COUNT || rows->entries[i].role == role)
			json_array_append_new(all, admin_entry_json(&rows->entries[i]));
	if (!json_array_size(all))
		admin_say(c, rows->entry_count ? "no entry has that role" : "the list is empty: nobody is let in");
	admin_set(o, "entries", all);
	admin_done(c, o);
}

/* ---- one entry ---- */

struct found {
	size_t count;
	const struct authlist_entry *entry; /* the first */
};

static struct found find_entry(const struct authlist_rows *rows, const char *who)
{
	struct found f = {0};
	for (size_t i = 0; i < rows->entry_count; i++)
		if (admin_object_is(&rows->entries[i].object, who) && f.count++ == 0)
			f.entry = &rows->entries[i];
	return f;
}

/* NULL: the call has ended with an error. */
static const struct authlist_entry *the_entry(struct admin_call *c, const struct authlist *list, const char *who)
{
	char computer[AUTHLIST_TEXT_MAX + 2];
	const struct authlist_rows *rows = authlist_rows_of(list);
	struct found f = find_entry(rows, who);
	if (f.count == 1)
		return f.entry;
	snprintf(computer, sizeof(computer), "%.*s$", AUTHLIST_TEXT_MAX, who);
	if (f.count > 1) {
		for (size_t i = 0; i < rows->entry_count; i++) {
			char id[AUTHLIST_ID_BYTES];
			const struct authlist_object *o = &rows->entries[i].object;
			if (admin_object_is(o, who))
				admin_say(c, "%s  %s", authlist_object_id(o, id), o->name);
		}
		admin_fail(c, EX_DATAERR, "give the SID", "%zu entries are called %.200s", f.count, who);
	} else if (find_entry(rows, computer).count) {
		admin_fail(c, EX_DATAERR, "the name of a computer account ends with $",
		           "no entry is called %.200s; did you mean %.200s?", who, computer);
	} else {
		admin_fail(c, EX_DATAERR, "rms-connectorctl servers list shows what there is",
		           "no entry has the SID, principal or name %.200s", who);
	}
	return NULL;
}

void admin_run_servers_show(struct admin_call *c)
{
	const struct authlist *list = admin_list(c);
	const struct authlist_entry *e = list ? the_entry(c, list, admin_text(c, "who")) : NULL;
	if (!e)
		return;
	const struct authlist_rows *rows = authlist_rows_of(list);
	json_t *o = admin_entry_json(e), *denials = json_array();
	for (size_t i = 0; i < rows->denial_count; i++)
		if (authlist_object_compare(&rows->denials[i].object, &e->object) == 0)
			json_array_append_new(denials, admin_denial_json(&rows->denials[i]));
	admin_set(o, "line", admin_entry_line(e));
	admin_set(o, "denials", denials);
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

/* ---- lines for the file ---- */

/* line: taken. */
static void done_with_line(struct admin_call *c, const char *what, json_t *line)
{
	json_t *o = line ? json_object() : NULL;
	admin_say(c, "Nothing is changed yet: the list comes from %s. %s, there and on every other node:",
	          c->source->settings->list_file, what);
	admin_say(c, "  %s", line ? json_string_value(line) : "");
	if (o)
		admin_set(o, "line", line);
	admin_done(c, o);
}

/* exchange is the role whose callers can open every protected document. false: the call has ended with an error. */
static bool exchange_may(struct admin_call *c, const struct authlist_entry *e)
{
	const char *who = admin_text(c, "who");
	if (e->role != AUTHLIST_ROLE_EXCHANGE)
		return true;
	if (e->kind == AUTHLIST_KIND_DISTRIBUTION) {
		admin_fail(c, EX_DATAERR, "use a security group, such as Exchange Servers",
		           "%.200s is a distribution group: who may edit it for mail could make himself a super user",
		           who);
		return false;
	}
	if (e->kind == AUTHLIST_KIND_GROUP || admin_flag(c, "force"))
		return true;
	if (e->kind == AUTHLIST_KIND_UNKNOWN && !e->object.principal)
		admin_fail(c, EX_USAGE,
		           "say --kind group when it is a security group; a single account needs --force besides",
		           "the role exchange is for security groups, and what %.200s is cannot be seen from its SID",
		           who);
	else
		admin_fail(c, EX_DATAERR, "use a security group, such as Exchange Servers, or say --force",
		           "%.200s is a single account, and the role exchange is for security groups", who);
	return false;
}

static bool read_entry(struct admin_call *c, struct authlist_entry *e)
{
	const char *kind = admin_text(c, "kind"), *name = admin_text(c, "name");
	const char *wrong = name ? authlist_text_wrong(slice_str(name)) : NULL;
	if (!read_role(c, &e->role))
		return false;
	if (kind && !authlist_kind_read(slice_str(kind), &e->kind)) {
		admin_fail(c, EX_DATAERR, "", "a kind is group, user, computer, gmsa or distribution, and not %.60s",
		           kind);
		return false;
	}
	if (wrong) {
		admin_fail(c, EX_DATAERR, "", "the name %s", wrong);
		return false;
	}
	if (!admin_object_read(c, admin_text(c, "who"), &e->object))
		return false;
	e->object.name = name ? strdup(name) : NULL;
	e->added_s = time(NULL);
	return exchange_may(c, e);
}

void admin_run_servers_add(struct admin_call *c)
{
	char id[AUTHLIST_ID_BYTES];
	struct authlist_entry e = {.kind = AUTHLIST_KIND_UNKNOWN};
	const struct authlist *list = admin_list(c);
	if (!list)
		return;
	if (read_entry(c, &e)) {
		const struct authlist_rows *rows = authlist_rows_of(list);
		const struct authlist_entry *there = NULL;
		for (size_t i = 0; i < rows->entry_count && !there; i++)
			if (authlist_object_compare(&rows->entries[i].object, &e.object) == 0)
				there = &rows->entries[i];
		if (there) {
			admin_fail(c, EX_DATAERR, "an object has one role; remove it first to give it another",
			           "%s is on the list already, with the role %s", authlist_object_id(&e.object, id),
			           authlist_role_word(there->role));
		} else {
			if (e.role == AUTHLIST_ROLE_EXCHANGE)
				admin_say(
				        c,
				        "Warning: every member of %s, at any depth, will use the super-user "
				        "credential, "
				        "which opens every document of the tenant. How many they are cannot be counted "
				        "without the directory.",
				        authlist_object_id(&e.object, id));
			done_with_line(c, "Put this line into its entries", admin_entry_line(&e));
		}
	}
	authlist_object_done(&e.object);
}

void admin_run_servers_remove(struct admin_call *c)
{
	const struct authlist *list = admin_list(c);
	const struct authlist_entry *e = list ? the_entry(c, list, admin_text(c, "who")) : NULL;
	if (e)
		done_with_line(c, "Take this line out of its entries", admin_entry_line(e));
}

/* ---- denials ---- */

void admin_run_deny_list(struct admin_call *c)
{
	const struct authlist *list = admin_list(c);
	if (!list)
		return;
	const struct authlist_rows *rows = authlist_rows_of(list);
	json_t *o = json_object(), *all = json_array();
	for (size_t i = 0; i < rows->denial_count; i++)
		json_array_append_new(all, admin_denial_json(&rows->denials[i]));
	if (!json_array_size(all))
		admin_say(c, "nobody is denied");
	admin_set(o, "denials", all);
	admin_done(c, o);
}

/* Takes names of entries too: who is on the list need not be looked up to be kept out. */
static bool read_denied(struct admin_call *c, const struct authlist_rows *rows, struct authlist_object *out)
{
	const char *who = admin_text(c, "who");
	struct found f = find_entry(rows, who);
	if (f.count != 1)
		return admin_object_read(c, who, out);
	const struct authlist_object *o = &f.entry->object;
	*out = (struct authlist_object){.sid = o->sid,
	                                .principal = o->principal ? strdup(o->principal) : NULL,
	                                .name = o->name ? strdup(o->name) : NULL};
	return true;
}

void admin_run_deny_add(struct admin_call *c)
{
	struct authlist_denial d = {0};
	const char *until = admin_text(c, "until"), *why = admin_text(c, "why");
	const char *wrong = why ? authlist_text_wrong(slice_str(why)) : NULL;
	const struct authlist *list = admin_list(c);
	if (!list)
		return;
	if (until && (!authlist_time_read(slice_str(until), &d.until_s) || d.until_s <= time(NULL))) {
		admin_fail(c, EX_DATAERR, "for instance 2030-12-24T18:00:00Z, which is UTC",
		           "--until wants a time that is still to come, and not %.60s", until);
		return;
	}
	if (wrong) {
		admin_fail(c, EX_DATAERR, "", "the reason %s", wrong);
		return;
	}
	if (read_denied(c, authlist_rows_of(list), &d.object)) {
		d.why = why ? strdup(why) : NULL;
		done_with_line(c, "Put this line into its deny", admin_denial_line(&d));
	}
	authlist_object_done(&d.object);
	free(d.why);
}

void admin_run_deny_lift(struct admin_call *c)
{
	const struct authlist *list = admin_list(c);
	if (!list)
		return;
	const struct authlist_rows *rows = authlist_rows_of(list);
	for (size_t i = 0; i < rows->denial_count; i++)
		if (admin_object_is(&rows->denials[i].object, admin_text(c, "who"))) {
			done_with_line(c, "Take this line out of its deny", admin_denial_line(&rows->denials[i]));
			return;
		}
	admin_fail(c, EX_DATAERR, "rms-connectorctl deny list shows who is", "%.200s is not denied",
	           admin_text(c, "who"));
}

/* ---- policy refresh ---- */

void admin_run_policy_refresh(struct admin_call *c)
{
	struct authlist_facts facts = {0};
	if (c->source->list)
		authlist_sync_facts(c->source->list, &facts);
	if (!facts.configured) {
		admin_fail(c, EX_CONFIG, "set list.file in the configuration, and restart the node",
		           "there is nothing to read: list.file is not set");
		return;
	}
	admin_wait_for_list(c);
	authlist_sync_refresh(c->source->list);
}

void admin_list_settled(struct admin_call *c)
{
	struct authlist_facts facts;
	authlist_sync_facts(c->source->list, &facts);
	if (facts.problem[0]) {
		admin_fail(c, EX_DATAERR,
		           facts.loaded ? "the list before it stays in force; mend the file" : "mend the file", "%s",
		           facts.problem);
		return;
	}
	json_t *o = json_object();
	admin_set(o, "generation", json_integer((json_int_t)facts.generation));
	admin_set(o, "entries", json_integer((json_int_t)facts.entries));
	admin_set(o, "denials", json_integer((json_int_t)facts.denials));
	admin_set(o, "sha256", json_string(facts.hash));
	admin_say(c, "the list is read: %llu entries, %llu denials, generation %llu, SHA-256 %s",
	          (unsigned long long)facts.entries, (unsigned long long)facts.denials,
	          (unsigned long long)facts.generation, facts.hash);
	admin_done(c, o);
}
