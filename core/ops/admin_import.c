/* servers import: a whole list in the place of the one in force, shown first; whom it makes super users is counted and confirmed as in servers add. */
#include "core/ops/admin_change.h"
#include "core/ops/admin_who.h"
#include "proto/authlist_doc.h"

#include <stdlib.h>
#include <string.h>

struct importing {
	struct authlist_rows rows; /* of the file */
	size_t at;                 /* the entry that is looked at */
	uint64_t accounts;         /* that will newly be super users, as far as counted */
	size_t not_counted;
	json_t *changes;
};

static void importing_free(void *own)
{
	struct importing *m = own;
	authlist_rows_done(&m->rows);
	json_decref(m->changes);
	free(m);
}

/* ---- what would change ---- */

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_entry(const struct authlist_entry *a, const struct authlist_entry *b)
{
	return a->role == b->role && a->kind == b->kind && a->added_s == b->added_s &&
	       same_text(a->object.name, b->object.name);
}

static const struct authlist_denial *denial_of(const struct authlist_rows *rows, const struct authlist_object *o)
{
	for (size_t i = 0; i < rows->denial_count; i++)
		if (authlist_object_compare(&rows->denials[i].object, o) == 0)
			return &rows->denials[i];
	return NULL;
}

static void add_change(json_t *changes, const char *change, const char *role, const struct authlist_object *o)
{
	char id[AUTHLIST_ID_BYTES];
	json_t *row = json_object();
	admin_set(row, "change", json_string(change));
	admin_set(row, "role", json_string(role));
	admin_set(row, "name", admin_string(o->name));
	admin_set(row, "id", admin_string(authlist_object_id(o, id)));
	json_array_append_new(changes, row);
}

static json_t *changes_between(const struct authlist_rows *old, const struct authlist_rows *new)
{
	json_t *all = json_array();
	for (size_t i = 0; i < new->entry_count; i++) {
		const struct authlist_entry *e = &new->entries[i], *was = admin_entry_of(old, &e->object);
		if (!was || !same_entry(was, e))
			add_change(all, was ? "changed" : "added", authlist_role_word(e->role), &e->object);
	}
	for (size_t i = 0; i < old->entry_count; i++)
		if (!admin_entry_of(new, &old->entries[i].object))
			add_change(all, "removed", authlist_role_word(old->entries[i].role), &old->entries[i].object);
	for (size_t i = 0; i < new->denial_count; i++) {
		const struct authlist_denial *d = &new->denials[i], *was = denial_of(old, &d->object);
		if (!was || was->until_s != d->until_s || !same_text(was->why, d->why))
			add_change(all, was ? "changed" : "added", "denied", &d->object);
	}
	for (size_t i = 0; i < old->denial_count; i++)
		if (!denial_of(new, &old->denials[i].object))
			add_change(all, "removed", "denied", &old->denials[i].object);
	return all;
}

/* ---- the end ---- */

static void show(struct admin_call *c, struct importing *m)
{
	json_t *o = json_object();
	admin_say(c, "The file is right: %zu entries, %zu denials. Nothing is changed yet; it would change %zu rows.",
	          m->rows.entry_count, m->rows.denial_count, json_array_size(m->changes));
	if (admin_owns_list(c))
		admin_say(c, "To do it: rms-connectorctl servers import FILE --apply");
	else
		admin_say(c, "To do it: put the file in the place of %s, there and on every other node.",
		          c->source->settings->list_file);
	admin_set(o, "changed", json_false());
	admin_set(o, "changes", json_incref(m->changes));
	admin_done(c, o);
}

static void apply(struct admin_call *c)
{
	struct importing *m = c->own;
	json_t *o = json_object(), *after = json_object();
	admin_set(after, "changes", json_incref(m->changes));
	admin_set(o, "changes", json_incref(m->changes));
	admin_change_all(c, &m->rows, json_object(), after, o);
}

static void confirm(struct admin_call *c)
{
	struct importing *m = c->own;
	uint32_t confirmed;
	if (!admin_number(c, "confirm_members", UINT32_MAX, 0, UINT32_MAX - 1, &confirmed))
		return;
	if (m->not_counted && !admin_flag(c, "force"))
		admin_fail(c, EX_DATAERR, "see what was said about each; --force takes them as they are",
		           "%zu entries with the role exchange are no security groups, or could not be counted",
		           m->not_counted);
	else if ((m->accounts || confirmed != UINT32_MAX) && confirmed != m->accounts)
		admin_fail(c, EX_DATAERR, "check that these are servers, then say --confirm-members and this number",
		           "%llu accounts will newly use the super-user credential, which opens every protected "
		           "document of the tenant",
		           (unsigned long long)m->accounts);
	else
		apply(c);
}

/* ---- counting super users ---- */

static void count_next(struct admin_call *c);

static void not_counted(struct admin_call *c, const char *why)
{
	struct importing *m = c->own;
	char words[ADMIN_WHO_BYTES];
	m->not_counted++;
	admin_say(c, "%s: %s", admin_object_words(&m->rows.entries[m->at].object, words), why);
	m->at++;
	count_next(c);
}

static void on_members(struct admin_call *c, const json_t *answer)
{
	struct importing *m = c->own;
	char words[ADMIN_WHO_BYTES];
	if (!admin_told_well(answer) || json_is_true(json_object_get(answer, "truncated"))) {
		not_counted(c, admin_told_well(answer) ? "has too many members" : admin_told_error(answer));
		return;
	}
	size_t count = json_array_size(json_object_get(answer, "members"));
	admin_say(c, "%s: %zu accounts", admin_object_words(&m->rows.entries[m->at].object, words), count);
	m->accounts += count;
	m->at++;
	count_next(c);
}

static void on_found(struct admin_call *c)
{
	char sid[SID_TEXT_BYTES];
	if (!c->who.looked_up)
		not_counted(c, c->who.problem[0] ? c->who.problem : "is no object of a directory");
	else if (c->who.kind == AUTHLIST_KIND_DISTRIBUTION)
		admin_fail(c, EX_DATAERR, "use a security group, such as Exchange Servers",
		           "%s is a distribution group: who may edit it for mail could make himself a super user",
		           c->who.object.name ? c->who.object.name : c->asked_for);
	else if (c->who.kind != AUTHLIST_KIND_GROUP)
		not_counted(c, "is a single account");
	else {
		sid_print(&c->who.object.sid, sid);
		admin_ask(c, admin_question("members", "sid", sid), on_members);
	}
}

/* Only rows that newly have the role. */
static void count_next(struct admin_call *c)
{
	struct importing *m = c->own;
	const struct authlist_rows *base;
	char id[AUTHLIST_ID_BYTES];
	if (!admin_base(c, &base))
		return;
	for (; m->at < m->rows.entry_count; m->at++) {
		const struct authlist_entry *e = &m->rows.entries[m->at], *was = admin_entry_of(base, &e->object);
		if (e->role == AUTHLIST_ROLE_EXCHANGE && !(was && was->role == e->role))
			break;
	}
	if (m->at == m->rows.entry_count)
		confirm(c);
	else if (m->rows.entries[m->at].object.principal)
		not_counted(c, "is a single account");
	else
		admin_who_find(c, authlist_object_id(&m->rows.entries[m->at].object, id), WHOM_DIRECTORY, on_found);
}

void admin_run_servers_import(struct admin_call *c)
{
	const char *text = admin_text(c, "file");
	char problem[AUTHLIST_DOC_PROBLEM_BYTES];
	const struct authlist_rows *base;
	struct importing *m = calloc(1, sizeof(*m));
	c->own = m;
	c->own_done = importing_free;
	if (!m) {
		c->own_done = NULL;
		admin_fail(c, EX_OSERR, "", "the node is out of memory");
		return;
	}
	struct err e = authlist_doc_read(slice_str(text), &m->rows, problem);
	if (e.code) {
		admin_fail(c, EX_DATAERR, "mend the file; nothing was changed", "the file %s", problem);
		return;
	}
	if (!admin_base(c, &base))
		return;
	m->changes = changes_between(base, &m->rows);
	if (!admin_flag(c, "apply"))
		show(c, m);
	else if (!admin_owns_list(c))
		admin_fail(c, EX_CONFIG, "put the file there, or set list.source: local",
		           "this node's list is the file %s, which is put on every node",
		           c->source->settings->list_file);
	else
		count_next(c);
}
