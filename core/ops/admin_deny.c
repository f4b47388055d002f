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
	if (c->who.problem[0])
		admin_say(c, "Warning: it was not looked up: %s", c->who.problem);
	admin_change(c, &(struct admin_edit){.deny = &d}, json_object());
}

/* Takes names of entries too: who is on the list need not be looked up to be kept out. */
void admin_run_deny_add(struct admin_call *c)
{
	int64_t until_s;
	const char *until = admin_text(c, "until"), *why = admin_text(c, "why");
	const char *wrong = why ? authlist_text_wrong(slice_str(why)) : NULL;
	const struct authlist_rows *rows;
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
