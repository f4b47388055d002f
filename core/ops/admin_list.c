#include "core/ops/admin_list.h"
#include "core/relay/authlist_sync.h"
#include "proto/authlist_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct authlist *admin_list(struct admin_call *c)
{
	struct authlist_facts facts = {0};
	const struct authlist *list = c->source->list ? authlist_sync_current(c->source->list) : NULL;
	if (list)
		return list;
	if (c->source->list)
		authlist_sync_facts(c->source->list, &facts);
	if (facts.problem[0])
		admin_fail(c, EX_UNAVAILABLE, "mend the file, then: rms-connectorctl policy refresh",
		           "there is no list of authorized servers yet: %s", facts.problem);
	else
		admin_fail(c, EX_CONFIG,
		           "set list.file in the configuration, or list.source: local, and restart the node",
		           "there is no list of authorized servers: list.file is not set");
	return NULL;
}

/* ---- finding ---- */

bool admin_object_is(const struct authlist_object *o, const char *who)
{
	char id[AUTHLIST_ID_BYTES];
	if (strcasecmp(authlist_object_id(o, id), who) == 0)
		return true;
	const char *bare = o->name ? strrchr(o->name, '\\') : NULL;
	return o->name && (strcasecmp(o->name, who) == 0 || (bare && strcasecmp(bare + 1, who) == 0));
}

const struct authlist_entry *admin_entry_of(const struct authlist_rows *rows, const struct authlist_object *o)
{
	for (size_t i = 0; i < rows->entry_count; i++)
		if (authlist_object_compare(&rows->entries[i].object, o) == 0)
			return &rows->entries[i];
	return NULL;
}

const struct authlist_entry *admin_computer_of(const struct authlist_rows *rows, const char *who)
{
	char computer[AUTHLIST_TEXT_MAX + 2];
	const struct authlist_entry *found = NULL;
	snprintf(computer, sizeof(computer), "%.*s$", AUTHLIST_TEXT_MAX, who);
	for (size_t i = 0; i < rows->entry_count; i++) {
		if (admin_object_is(&rows->entries[i].object, who))
			return NULL;
		if (!found && admin_object_is(&rows->entries[i].object, computer))
			found = &rows->entries[i];
	}
	return found;
}

/* ---- showing ---- */

static json_t *id_json(const struct authlist_object *o)
{
	char id[AUTHLIST_ID_BYTES];
	return admin_string(authlist_object_id(o, id));
}

json_t *admin_entry_json(const struct authlist_entry *e)
{
	json_t *o = json_object();
	admin_set(o, "role", json_string(authlist_role_word(e->role)));
	admin_set(o, "kind", json_string(authlist_kind_word(e->kind)));
	admin_set(o, "name", admin_string(e->object.name));
	admin_set(o, "id", id_json(&e->object));
	admin_set(o, "added", admin_time(e->added_s));
	return o;
}

json_t *admin_denial_json(const struct authlist_denial *d)
{
	json_t *o = json_object();
	admin_set(o, "kind", json_string(authlist_kind_word(d->kind)));
	admin_set(o, "name", admin_string(d->object.name));
	admin_set(o, "id", id_json(&d->object));
	admin_set(o, "until", admin_time(d->until_s));
	admin_set(o, "why", admin_string(d->why));
	return o;
}

json_t *admin_entry_line(const struct authlist_entry *e)
{
	char *text = authlist_doc_write_entry(e);
	json_t *line = text ? json_string(text) : NULL;
	free(text);
	return line;
}

json_t *admin_denial_line(const struct authlist_denial *d)
{
	char *text = authlist_doc_write_denial(d);
	json_t *line = text ? json_string(text) : NULL;
	free(text);
	return line;
}
