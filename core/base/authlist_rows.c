#include "core/base/authlist_rows.h"

#include "core/base/check.h"
#include "core/base/utf8.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *word;
} roles[] = {
#define AUTHLIST_ROLE(name, word) {word},
#include "core/base/authlist_kinds.def"
};

static const struct {
	const char *word, *people;
} kinds[] = {
#define AUTHLIST_KIND(name, word, people) {word, people},
#include "core/base/authlist_kinds.def"
};

void authlist_object_done(struct authlist_object *o)
{
	free(o->principal);
	free(o->name);
	sid_set_done(&o->members);
	*o = (struct authlist_object){0};
}

void authlist_rows_done(struct authlist_rows *rows)
{
	for (size_t i = 0; i < rows->entry_count; i++)
		authlist_object_done(&rows->entries[i].object);
	for (size_t i = 0; i < rows->denial_count; i++) {
		authlist_object_done(&rows->denials[i].object);
		free(rows->denials[i].why);
	}
	free(rows->entries);
	free(rows->denials);
	*rows = (struct authlist_rows){0};
}

/* ---- copies ---- */

static bool copy_text(const char *from, char **to)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from;
}

static bool copy_object(const struct authlist_object *from, struct authlist_object *to)
{
	*to = (struct authlist_object){
	        .sid = from->sid, .expand = from->expand, .need = from->need, .members_at = from->members_at};
	return copy_text(from->principal, &to->principal) && copy_text(from->name, &to->name) &&
	       sid_set_copy(&from->members, &to->members);
}

bool authlist_rows_copy(const struct authlist_rows *rows, struct authlist_rows *out)
{
	*out = (struct authlist_rows){.entries = calloc(rows->entry_count + 1, sizeof(*out->entries)),
	                              .denials = calloc(rows->denial_count + 1, sizeof(*out->denials))};
	bool good = out->entries && out->denials;
	for (size_t i = 0; good && i < rows->entry_count; i++) {
		const struct authlist_entry *from = &rows->entries[i];
		struct authlist_entry *to = &out->entries[out->entry_count++];
		good = copy_object(&from->object, &to->object);
		to->role = from->role;
		to->kind = from->kind;
		to->added_s = from->added_s;
	}
	for (size_t i = 0; good && i < rows->denial_count; i++) {
		const struct authlist_denial *from = &rows->denials[i];
		struct authlist_denial *to = &out->denials[out->denial_count++];
		good = copy_object(&from->object, &to->object) && copy_text(from->why, &to->why);
		to->kind = from->kind;
		to->until_s = from->until_s;
	}
	return good;
}

/* ---- members ---- */

/* Nobody knows what an object of unknown kind is until the directory has said it. */
static enum authlist_members_need need_of(const struct authlist_object *o, enum authlist_kind kind)
{
	if (o->principal)
		return MEMBERS_NO_NEED;
	return o->expand || kind == AUTHLIST_KIND_DISTRIBUTION || kind == AUTHLIST_KIND_UNKNOWN ? MEMBERS_MUST
	                                                                                        : MEMBERS_NO_NEED;
}

enum authlist_members_need authlist_entry_need(const struct authlist_entry *e)
{
	return need_of(&e->object, e->kind);
}

/* A ticket that is older than a membership does not show it, and what is denied shall not wait for the next one. */
enum authlist_members_need authlist_denial_need(const struct authlist_denial *d)
{
	enum authlist_members_need need = need_of(&d->object, d->kind);
	return need == MEMBERS_NO_NEED && d->kind == AUTHLIST_KIND_GROUP ? MEMBERS_MAY : need;
}

/* ---- order ---- */

int authlist_object_compare(const struct authlist_object *a, const struct authlist_object *b)
{
	int by_sid = sid_compare(&a->sid, &b->sid);
	if (by_sid)
		return by_sid;
	return strcmp(a->principal ? a->principal : "", b->principal ? b->principal : "");
}

static int compare_entries(const void *left, const void *right)
{
	const struct authlist_entry *a = left, *b = right;
	if (a->added_s != b->added_s)
		return a->added_s < b->added_s ? -1 : 1;
	return authlist_object_compare(&a->object, &b->object);
}

static int compare_denials(const void *left, const void *right)
{
	const struct authlist_denial *a = left, *b = right;
	return authlist_object_compare(&a->object, &b->object);
}

void authlist_rows_sort(struct authlist_rows *rows)
{
	if (rows->entry_count)
		qsort(rows->entries, rows->entry_count, sizeof(*rows->entries), compare_entries);
	if (rows->denial_count)
		qsort(rows->denials, rows->denial_count, sizeof(*rows->denials), compare_denials);
}

/* ---- words ---- */

const char *authlist_object_id(const struct authlist_object *o, char out[static AUTHLIST_ID_BYTES])
{
	_Static_assert((int)SID_TEXT_BYTES <= AUTHLIST_ID_BYTES && (int)AUTHLIST_TEXT_MAX < AUTHLIST_ID_BYTES);
	if (sid_print(&o->sid, out) == 0)
		snprintf(out, AUTHLIST_ID_BYTES, "%s", o->principal ? o->principal : "");
	return out;
}

const char *authlist_role_word(enum authlist_role role)
{
	CHECK(role < AUTHLIST_ROLE_COUNT);
	return roles[role].word;
}

const char *authlist_kind_word(enum authlist_kind kind)
{
	CHECK(kind < AUTHLIST_KIND_COUNT);
	return kinds[kind].word;
}

const char *authlist_kind_people(enum authlist_kind kind)
{
	CHECK(kind < AUTHLIST_KIND_COUNT);
	return kinds[kind].people;
}

bool authlist_role_read(struct slice word, enum authlist_role *out)
{
	for (unsigned i = 0; i < AUTHLIST_ROLE_COUNT; i++)
		if (slice_equal(word, slice_str(roles[i].word))) {
			*out = (enum authlist_role)i;
			return true;
		}
	return false;
}

bool authlist_kind_read(struct slice word, enum authlist_kind *out)
{
	for (unsigned i = 0; i < AUTHLIST_KIND_COUNT; i++)
		if (slice_equal(word, slice_str(kinds[i].word))) {
			*out = (enum authlist_kind)i;
			return true;
		}
	return false;
}

/* ---- what may stand in a list ---- */

const char *authlist_sid_wrong(const struct sid *s)
{
	/* S-1-5-21-, three numbers of the domain, one of the object */
	static const uint8_t of_a_domain[] = {1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0}, no_domain[12] = {0};
	if (memcmp(s->bytes, of_a_domain, sizeof(of_a_domain)) != 0)
		return "is no account or group of a domain (those are S-1-5-21- and four numbers)";
	/* Windows puts S-1-5-21-0-0-0-497 and its like into everybody's ticket. */
	if (memcmp(s->bytes + sizeof(of_a_domain), no_domain, sizeof(no_domain)) == 0)
		return "stands for everybody whose ticket was made in a certain way, not for an account or a group";
	return NULL;
}

const char *authlist_principal_wrong(struct slice text)
{
	size_t at = slice_find(text, '@');
	if (text.len > AUTHLIST_TEXT_MAX)
		return "is longer than 256 bytes";
	if (at == 0 || at + 1 >= text.len || slice_find(slice_from(text, at + 1), '@') + at + 1 < text.len)
		return "is not of the form NAME@REALM";
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] > '~' || text.at[i] == '\\' || text.at[i] == '"')
			return "has a character that is not allowed: spaces, quotes, backslashes and all beyond ASCII";
	return NULL;
}

/* Control characters, and marks that change the order in which text is shown: with them a name could pretend to be another one. */
static bool is_deceptive(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

const char *authlist_text_wrong(struct slice text)
{
	if (text.len == 0)
		return "is empty";
	if (text.len > AUTHLIST_TEXT_MAX)
		return "is longer than 256 bytes";
	for (size_t i = 0, n; i < text.len; i += n) {
		uint32_t code;
		n = utf8_sequence((const unsigned char *)text.at + i, text.len - i, &code);
		if (n == 0)
			return "is not UTF-8";
		if (is_deceptive(code))
			return "has control characters, or marks that turn the direction of text";
	}
	return NULL;
}
