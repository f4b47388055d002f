#include "core/ops/config_load_credentials.h"

#include "core/base/list.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 64, TEXT_BYTES = 4096 };

enum member_type { MEMBER_PATH, MEMBER_SECRET, MEMBER_TEXT };

#define OF(kind) (1u << CREDENTIAL_##kind)

static const struct member {
	const char *name;
	enum member_type type;
	uint32_t takes, needs; /* kinds */
	size_t offset;
} members[] = {
#define CREDENTIAL_MEMBER(member, type, takes, needs, help) \
	{#member, MEMBER_##type, takes, needs, offsetof(struct credential_settings, member)},
#include "core/base/credentials.def"
};

struct credential_reading {
	char name[24]; /* "credentials[0]" */
	size_t index;
	struct config_place name_at, kind_at, roles_at, entries_at, member_at[ARRAY_COUNT(members)];
};

static struct credential_settings *into(struct reader *r, const struct credential_reading *reading)
{
	return &r->settings->credentials[reading->index];
}

static char **member_of(struct credential_settings *c, const struct member *m)
{
	return (char **)((char *)c + m->offset);
}

static void read_name(struct reader *r, const struct credential_reading *reading, const char *name)
{
	if (!reader_is_word(reader_scalar(r), NAME_BYTES))
		config_problem(r->problems, reader_place(r), "%s must be a word of letters, digits, - and _", name);
	else if (!(into(r, reading)->name = strndup(reader_scalar(r).at, reader_scalar(r).len)))
		reader_no_memory(r);
}

static void read_kind(struct reader *r, const struct credential_reading *reading, const char *name)
{
	char known[256] = "";
	for (unsigned kind = 0; kind < CREDENTIAL_KIND_COUNT; kind++) {
		const char *word = credential_kind_word(kind);
		if (slice_equal(reader_scalar(r), slice_str(word))) {
			into(r, reading)->kind = kind;
			return;
		}
		size_t n = strlen(known);
		snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", word);
	}
	config_problem(r->problems, reader_place(r), "%s must be one of %s", name, known);
}

static void read_role(struct reader *r, void *context)
{
	struct credential_reading *reading = context;
	struct name n = name_of(reading->name, "roles");
	enum authlist_role role;
	if (!reader_expect_scalar(r, n.text))
		return;
	if (authlist_role_read(reader_scalar(r), &role))
		into(r, reading)->roles |= 1u << role;
	else
		config_problem(r->problems, reader_place(r), "an entry of %s must be exchange, sharepoint or fci",
		               n.text);
}

static void read_entry(struct reader *r, void *context)
{
	struct credential_reading *reading = context;
	struct credential_settings *c = into(r, reading);
	struct name n = name_of(reading->name, "entries");
	struct sid sid;
	if (!reader_expect_scalar(r, n.text))
		return;
	if (!sid_parse(reader_scalar(r), &sid) || authlist_sid_wrong(&sid)) {
		config_problem(r->problems, reader_place(r),
		               "an entry of %s must be the SID of an entry in the list of authorized servers, "
		               "S-1-5-21-...: rms-connectorctl servers list shows them",
		               n.text);
		return;
	}
	if (c->entry_count == CONFIG_CREDENTIAL_ENTRIES_MAX) {
		config_problem(r->problems, reader_place(r), "%s has more than %d entries", n.text,
		               CONFIG_CREDENTIAL_ENTRIES_MAX);
		r->stopped = true;
		return;
	}
	struct sid *more = realloc(c->entries, (c->entry_count + 1) * sizeof(*more));
	if (!more) {
		reader_no_memory(r);
		return;
	}
	c->entries = more;
	more[c->entry_count++] = sid;
}

static void read_member(struct reader *r, struct credential_reading *reading, size_t which, const char *name)
{
	const struct member *m = &members[which];
	if (m->type == MEMBER_TEXT ? !reader_text_is_fine(r, name) : !reader_path_is_fine(r, name, TEXT_BYTES))
		return;
	if (!(*member_of(into(r, reading), m) = strndup(reader_scalar(r).at, reader_scalar(r).len)))
		reader_no_memory(r);
}

static void credential_member(struct reader *r, const struct key *key, void *context)
{
	struct credential_reading *reading = context;
	const char *names[ARRAY_COUNT(members) + 5] = {"name", "kind", "roles", "entries"};
	struct config_place *seen = NULL;
	struct name n = name_of(reading->name, key->text);
	size_t which = 0;
	if (strcmp(key->text, "roles") == 0) {
		reader_list(r, key, n.text, &reading->roles_at, read_role, reading, "roles: [exchange]");
		return;
	}
	if (strcmp(key->text, "entries") == 0) {
		reader_list(r, key, n.text, &reading->entries_at, read_entry, reading, "entries: [S-1-5-21-A-B-C-D]");
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		names[4 + i] = members[i].name;
		if (strcmp(key->text, members[i].name) == 0) {
			seen = &reading->member_at[i];
			which = i;
		}
	}
	bool name = strcmp(key->text, "name") == 0, kind = strcmp(key->text, "kind") == 0;
	if (name || kind)
		seen = name ? &reading->name_at : &reading->kind_at;
	if (!seen) {
		reader_unknown(r, key, "in a credential", names);
	} else if (seen->line) {
		config_problem(r->problems, key->at,
		               "%s is given twice. Keep one; a second credential begins with a dash", n.text);
		reader_skip(r);
	} else {
		*seen = reader_place(r);
		if (!reader_expect_scalar(r, n.text))
			return;
		if (name)
			read_name(r, reading, n.text);
		else if (kind)
			read_kind(r, reading, n.text);
		else
			read_member(r, reading, which, n.text);
	}
}

static void check_members(struct reader *r, const struct credential_reading *reading)
{
	struct credential_settings *c = into(r, reading);
	const char *kind = credential_kind_word(c->kind);
	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		bool given = reading->member_at[i].line != 0;
		if (given && !(members[i].takes & 1u << c->kind))
			config_problem(r->problems, reading->member_at[i],
			               "%s.%s means nothing for the kind %s: take it away", reading->name,
			               members[i].name, kind);
		if (!given && members[i].needs & 1u << c->kind)
			config_problem(r->problems, reading->kind_at, "%s is of the kind %s, which needs %s",
			               reading->name, kind, members[i].name);
	}
}

/* Two that could both be meant for one caller. */
static void check_rivals(struct reader *r, const struct credential_reading *reading)
{
	const struct credential_settings *c = into(r, reading);
	for (size_t i = 0; i < reading->index; i++) {
		const struct credential_settings *other = &r->settings->credentials[i];
		unsigned line = r->places.credential[i].line;
		if (c->name && other->name && strcmp(c->name, other->name) == 0)
			config_problem(r->problems, reading->name_at,
			               "%s is the name of the credential on line %u, too", c->name, line);
		for (unsigned role = 0; role < AUTHLIST_ROLE_COUNT; role++)
			if (c->roles & other->roles & 1u << role)
				config_problem(r->problems,
				               reading->roles_at.line ? reading->roles_at
				                                      : r->places.credential[reading->index],
				               "the role %s has the credential on line %u already: name roles in "
				               "each, or entries",
				               authlist_role_word(role), line);
		for (size_t a = 0; a < c->entry_count; a++)
			for (size_t b = 0; b < other->entry_count; b++)
				if (sid_compare(&c->entries[a], &other->entries[b]) == 0)
					config_problem(r->problems, reading->entries_at,
					               "an entry has the credential on line %u already", line);
	}
}

static void check_credential(struct reader *r, const struct credential_reading *reading)
{
	struct credential_settings *c = into(r, reading);
	struct config_place at = r->places.credential[reading->index];
	if (!reading->name_at.line)
		config_problem(r->problems, at, "%s has no name: write - name: WORD", reading->name);
	if (!reading->kind_at.line)
		config_problem(r->problems, at, "%s has no kind", reading->name);
	else
		check_members(r, reading);
	if (!reading->roles_at.line && !reading->entries_at.line)
		c->roles = (1u << AUTHLIST_ROLE_COUNT) - 1; /* the only one, for everybody */
	check_rivals(r, reading);
}

static void read_credential(struct reader *r, void *context)
{
	struct settings *s = r->settings;
	struct credential_reading reading = {.index = s->credential_count};
	if (r->event.type != YAML_MAPPING_START_EVENT) {
		config_problem(r->problems, reader_place(r),
		               "a credential is written - name: WORD and kind: KIND, and this is %s", reader_shape(r));
		reader_skip(r);
		return;
	}
	if (reading.index == CONFIG_CREDENTIALS_MAX) {
		config_problem(r->problems, reader_place(r), "there are more than %d credentials",
		               CONFIG_CREDENTIALS_MAX);
		r->stopped = true;
		return;
	}
	struct credential_settings *more = realloc(s->credentials, (reading.index + 1) * sizeof(*more));
	if (!more) {
		reader_no_memory(r);
		return;
	}
	s->credentials = more;
	more[reading.index] = (struct credential_settings){0};
	s->credential_count++;
	r->places.credential[reading.index] = reader_place(r);
	snprintf(reading.name, sizeof(reading.name), "credentials[%u]", (unsigned)reading.index);
	reader_each_member(r, credential_member, &reading);
	if (!r->stopped)
		check_credential(r, &reading);
}

void reader_credentials(struct reader *r, const struct key *key)
{
	reader_list(r, key, "credentials", &r->places.credentials, read_credential, NULL,
	            "- name: everybody on a line below");
}
