/* deny list, add, lift: who is kept out whatever the list says. */
#include "core/ops/admin_change.h"
#include "core/ops/admin_who.h"
#include "proto/authlist_doc.h"

#include <time.h>

void admin_run_deny_list(struct admin_call *c)
{
	const struct authlist_rows *rows;
	if (!admin_base(c, &rows))
		return;
	json_t *o = json_object(), *all = json_array();
	for (size_t i = 0; i < rows->denial_count; i++)
		json_array_append_new(all, admin_denial_json(&rows->denials[i]));
	if (!json_array_size(all))
		admin_say(c, "nobody is denied");
	admin_set(o, "denials", all);
	admin_done(c, o);
}

static const struct authlist_denial *denial_of(const struct authlist_rows *rows, const struct authlist_object *o)
{
	for (size_t i = 0; i < rows->denial_count; i++)
		if (authlist_object_compare(&rows->denials[i].object, o) == 0)
			return &rows->denials[i];
	return NULL;
}

/* What the object is: the directory says it, or who denies it, or an entry of the list. Without any of them the node has to ask the directory who is in
 * it, and until that has answered a denial puts off everybody: nobody shall do that without knowing it. false: the call has ended with an error. */
static bool kind_of(struct admin_call *c, const struct authlist_rows *rows, enum authlist_kind *out)
{
	char words[ADMIN_WHO_BYTES];
	bool given;
	enum authlist_kind kind = AUTHLIST_KIND_UNKNOWN;
	const struct authlist_object *o = &c->who.object;
	const struct authlist_entry *entry = admin_entry_of(rows, o);
	if (!admin_kind_read(c, &kind, &given) || (given && !admin_kind_agrees(c, kind)))
		return false;
	if (!given)
		kind = c->who.kind != AUTHLIST_KIND_UNKNOWN || !entry ? c->who.kind : entry->kind;
	*out = kind;
	if (given || kind != AUTHLIST_KIND_UNKNOWN || c->who.looked_up || c->who.gone || o->principal)
		return true;
	admin_fail(
	        c, EX_UNAVAILABLE,
	        "say what it is: --kind user, computer, gmsa or group need no answer of the directory (Get-ADObject "
	        "-Filter 'objectSid -eq \"SID\"' shows it); with --kind unknown it is denied all the same, and until "
	        "the directory has told who is in it, every caller is told to try again later",
	        "%s cannot be looked up: %s", admin_object_words(o, words), c->who.problem);
	return false;
}

static void warn(struct admin_call *c, const struct authlist_denial *d)
{
	if (c->who.problem[0])
		admin_say(c, "Warning: it was not looked up: %s", c->who.problem);
	if (!c->who.looked_up && !c->who.gone && authlist_denial_need(d) == MEMBERS_MUST)
		admin_say(c, "Warning: until the directory has told who is in it, every caller is told to try again "
		             "later.");
}

static void deny_found(struct admin_call *c)
{
	char words[ADMIN_WHO_BYTES];
	const char *until = admin_text(c, "until"), *why = admin_text(c, "why");
	struct authlist_denial d = {.object = c->who.object, .why = (char *)(uintptr_t)why};
	const struct authlist_rows *rows;
	if (!admin_base(c, &rows))
		return;
	if (until)
		authlist_time_read(slice_str(until), &d.until_s);
	if (denial_of(rows, &d.object)) {
		admin_fail(c, EX_DATAERR, "lift that first to change it", "%s is denied already",
		           admin_object_words(&d.object, words));
		return;
	}
	if (!kind_of(c, rows, &d.kind))
		return;
	warn(c, &d);
	admin_change(c, &(struct admin_edit){.deny = &d}, json_object());
}

/* Takes names of entries too: who is on the list need not be looked up to be kept out. */
void admin_run_deny_add(struct admin_call *c)
{
	int64_t until_s;
	const char *until = admin_text(c, "until"), *why = admin_text(c, "why");
	const char *wrong = why ? authlist_text_wrong(slice_str(why)) : NULL;
	const struct authlist_rows *rows;
	enum authlist_kind kind;
	bool given;
	if (!admin_kind_read(c, &kind, &given))
		return;
	if (until && (!authlist_time_read(slice_str(until), &until_s) || until_s <= time(NULL)))
		admin_fail(c, EX_DATAERR, "for instance 2030-12-24T18:00:00Z, which is UTC",
		           "--until wants a time that is still to come, and not %.60s", until);
	else if (wrong)
		admin_fail(c, EX_DATAERR, "", "the reason %s", wrong);
	else if (admin_base(c, &rows))
		admin_who_find(c, admin_text(c, "who"), WHOM_DIRECTORY_FIRST, deny_found);
}

static void lift_found(struct admin_call *c)
{
	char words[ADMIN_WHO_BYTES];
	const struct authlist_rows *rows;
	if (!admin_base(c, &rows))
		return;
	const struct authlist_denial *d = denial_of(rows, &c->who.object);
	if (d)
		admin_change(c, &(struct admin_edit){.lift = d}, json_object());
	else
		admin_fail(c, EX_DATAERR, "rms-connectorctl deny list shows who is", "%s is not denied",
		           admin_object_words(&c->who.object, words));
}

void admin_run_deny_lift(struct admin_call *c)
{
	const struct authlist_rows *rows;
	if (admin_base(c, &rows))
		admin_who_find(c, admin_text(c, "who"), WHOM_ROWS_FIRST, lift_found);
}
