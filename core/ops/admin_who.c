#include "core/ops/admin_who.h"
#include "core/ops/admin_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *admin_object_words(const struct authlist_object *o, char out[static ADMIN_WHO_BYTES])
{
	char id[AUTHLIST_ID_BYTES];
	authlist_object_id(o, id);
	if (o->name)
		snprintf(out, ADMIN_WHO_BYTES, "%.*s (%s)", AUTHLIST_TEXT_MAX, o->name, id);
	else
		snprintf(out, ADMIN_WHO_BYTES, "%s", id);
	return out;
}

/* ---- what the directory tells ---- */

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

bool admin_who_read(const json_t *object, struct admin_who *out)
{
	const char *name = member(object, "name");
	*out = (struct admin_who){.looked_up = true, .disabled = json_is_true(json_object_get(object, "disabled"))};
	if (!sid_parse(slice_str(member(object, "sid")), &out->object.sid) || authlist_sid_wrong(&out->object.sid))
		return false;
	if (!authlist_kind_read(slice_str(member(object, "kind")), &out->kind))
		out->kind = AUTHLIST_KIND_UNKNOWN;
	/* A directory lets in names that no list may hold; they decide nothing. */
	out->object.name = *name && !authlist_text_wrong(slice_str(name)) ? strdup(name) : NULL;
	return true;
}

bool admin_kind_read(struct admin_call *c, enum authlist_kind *out, bool *given)
{
	const char *kind = admin_text(c, "kind");
	*given = kind;
	if (!kind || authlist_kind_read(slice_str(kind), out))
		return true;
	admin_fail(c, EX_DATAERR, "", "a kind is group, user, computer, gmsa or distribution, and not %.60s", kind);
	return false;
}

bool admin_kind_agrees(struct admin_call *c, enum authlist_kind kind)
{
	char words[ADMIN_WHO_BYTES];
	if (!c->who.looked_up || kind == c->who.kind)
		return true;
	admin_fail(c, EX_DATAERR, "leave --kind out", "%s is a %s in the directory, and no %s",
	           admin_object_words(&c->who.object, words), authlist_kind_people(c->who.kind),
	           authlist_kind_people(kind));
	return false;
}

json_t *admin_found_json(const json_t *object)
{
	enum authlist_kind kind = AUTHLIST_KIND_UNKNOWN;
	json_t *o = json_object();
	authlist_kind_read(slice_str(member(object, "kind")), &kind);
	admin_set(o, "name", admin_string(member(object, "name")));
	admin_set(o, "kind", json_string(authlist_kind_word(kind)));
	admin_set(o, "sid", admin_string(member(object, "sid")));
	admin_set(o, "disabled", json_boolean(json_is_true(json_object_get(object, "disabled"))));
	return o;
}

static void say_objects(struct admin_call *c, const json_t *objects)
{
	size_t i;
	json_t *o;
	json_array_foreach(objects, i, o)
	{
		if (i == 20)
			break;
		admin_say(c, "%s  %s  %s", member(o, "sid"), member(o, "kind"), member(o, "name"));
	}
}

static void none_or_many(struct admin_call *c, const json_t *objects, const char *hint)
{
	if (json_array_size(objects) == 0) {
		admin_fail(c, EX_DATAERR, *hint ? hint : "rms-connectorctl servers search shows what there is",
		           "the directory has nothing called %s", c->asked_for);
		return;
	}
	say_objects(c, objects);
	admin_fail(c, EX_DATAERR, "write DOMAIN\\NAME, or give the SID", "%zu objects are called %s",
	           json_array_size(objects), c->asked_for);
}

/* ---- rows of the list ---- */

static bool copy_object(const struct authlist_object *from, struct authlist_object *to)
{
	*to = (struct authlist_object){.sid = from->sid,
	                               .principal = from->principal ? strdup(from->principal) : NULL,
	                               .name = from->name ? strdup(from->name) : NULL};
	return !from->principal == !to->principal;
}

/* The one object that rows call so. *count: how many; those are said when there are several. */
static const struct authlist_object *among_rows(struct admin_call *c, const struct authlist_rows *rows,
                                                const char *text, size_t *count)
{
	const struct authlist_object *found = NULL;
	char words[ADMIN_WHO_BYTES];
	*count = 0;
	for (size_t i = 0; i < rows->entry_count + rows->denial_count; i++) {
		const struct authlist_object *o =
		        i < rows->entry_count ? &rows->entries[i].object : &rows->denials[i - rows->entry_count].object;
		if (!admin_object_is(o, text) || (found && authlist_object_compare(o, found) == 0))
			continue;
		if (++*count == 1) {
			found = o;
			continue;
		}
		if (*count == 2)
			admin_say(c, "%s", admin_object_words(found, words));
		admin_say(c, "%s", admin_object_words(o, words));
	}
	return found;
}

static enum authlist_kind kind_in(const struct authlist_rows *rows, const struct authlist_object *o)
{
	for (size_t i = 0; i < rows->entry_count; i++)
		if (authlist_object_compare(&rows->entries[i].object, o) == 0)
			return rows->entries[i].kind;
	return AUTHLIST_KIND_UNKNOWN;
}

/* true: one was meant, or several, and the call goes on or has ended. */
static bool takes_row(struct admin_call *c, const char *text)
{
	size_t count = 0;
	const struct authlist_rows *rows;
	if (!admin_base(c, &rows))
		return true;
	const struct authlist_object *row = among_rows(c, rows, text, &count);
	if (count > 1) {
		admin_fail(c, EX_DATAERR, "give the SID", "%zu objects of the list are called %.200s", count, text);
	} else if (row) {
		c->who.kind = kind_in(rows, row);
		if (copy_object(row, &c->who.object))
			c->found(c);
		else
			admin_fail(c, EX_OSERR, "", "the node is out of memory");
	}
	return count > 0;
}

/* ---- answers ---- */

static void on_named(struct admin_call *c, const json_t *answer)
{
	const json_t *objects = json_object_get(answer, "objects");
	const char *hint = member(answer, "hint");
	struct admin_who who;
	if (c->rows_last && (!admin_told_well(answer) || json_array_size(objects) == 0) && takes_row(c, c->asked_for))
		return;
	if (!admin_told_well(answer)) {
		char text[sizeof(c->asked_for) + 32];
		snprintf(text, sizeof(text), "%s cannot be looked up", c->asked_for);
		admin_fail_told(c, answer, text);
	} else if (json_array_size(objects) != 1) {
		none_or_many(c, objects, hint);
	} else if (*hint) {
		/* One domain has it, and another did not answer. */
		admin_fail(c, EX_TEMPFAIL, "write DOMAIN\\NAME, or give the SID", "%s: %s", c->asked_for, hint);
	} else if (!admin_who_read(json_array_get(objects, 0), &who)) {
		admin_fail(c, EX_DATAERR, "choose an account or group of a domain", "%s is %s, %s: %s", c->asked_for,
		           member(json_array_get(objects, 0), "name"), member(json_array_get(objects, 0), "sid"),
		           "nothing that a list may hold");
	} else {
		c->who = who;
		c->found(c);
	}
}

/* A SID is what it is, whatever the directory says; what it says is kept. */
static void on_sid_told(struct admin_call *c, const json_t *answer)
{
	const json_t *objects = json_object_get(answer, "objects");
	struct admin_who who;
	if (admin_told_well(answer) && json_array_size(objects) == 1 &&
	    admin_who_read(json_array_get(objects, 0), &who)) {
		authlist_object_done(&c->who.object);
		c->who = who;
	} else {
		const char *why = admin_told_well(answer) ? member(answer, "hint") : admin_told_error(answer);
		snprintf(c->who.problem, sizeof(c->who.problem), "%s", *why ? why : "the directory does not know it");
		c->who.gone = admin_told_well(answer);
	}
	c->found(c);
}

/* ---- whom somebody means ---- */

static bool realm_is_without_directory(const struct settings *s, const char *realm)
{
	for (size_t i = 0; i < s->realm_count; i++)
		if (strcmp(s->realms[i].name, realm) == 0)
			return !s->realms[i].directory;
	return false;
}

static void find_sid(struct admin_call *c, const char *text)
{
	const char *wrong = sid_parse(slice_str(text), &c->who.object.sid) ? authlist_sid_wrong(&c->who.object.sid)
	                                                                   : "is not written as a SID is";
	if (wrong)
		admin_fail(c, EX_DATAERR, "rms-connectorctl servers search shows the SIDs of accounts and groups",
		           "%.200s %s", text, wrong);
	else
		admin_ask(c, admin_question("find", "text", text), on_sid_told);
}

static void find_principal(struct admin_call *c, const char *text)
{
	const char *wrong = authlist_principal_wrong(slice_str(text));
	if (wrong) {
		admin_fail(c, EX_DATAERR, "", "%.300s %s", text, wrong);
		return;
	}
	c->who.object.principal = strdup(text);
	if (c->who.object.principal)
		c->found(c);
	else
		admin_fail(c, EX_OSERR, "", "the node is out of memory");
}

void admin_who_find(struct admin_call *c, const char *text, enum admin_whom whom, void (*found)(struct admin_call *c))
{
	const char *at = strrchr(text, '@');
	c->found = found;
	authlist_object_done(&c->who.object);
	c->who = (struct admin_who){0};
	c->rows_last = whom == WHOM_DIRECTORY_FIRST;
	if (whom == WHOM_ROWS_FIRST && takes_row(c, text))
		return;
	if (strncasecmp(text, "S-1-", 4) == 0) {
		find_sid(c, text);
	} else if (at && realm_is_without_directory(c->source->settings, at + 1)) {
		find_principal(c, text);
	} else {
		snprintf(c->asked_for, sizeof(c->asked_for), "%.*s", (int)sizeof(c->asked_for) - 1, text);
		admin_ask(c, admin_question("find", "text", text), on_named);
	}
}
