#include "core/ops/admin_list.h"
#include "core/relay/authlist_sync.h"
#include "proto/authlist_doc.h"

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
		admin_fail(c, EX_CONFIG, "set list.file in the configuration, and restart the node",
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

bool admin_object_read(struct admin_call *c, const char *who, struct authlist_object *out)
{
	struct slice text = slice_str(who);
	*out = (struct authlist_object){0};
	if (slice_starts_with(text, SLICE("S-1-")) || slice_starts_with(text, SLICE("s-1-"))) {
		const char *wrong =
		        sid_parse(text, &out->sid) ? authlist_sid_wrong(&out->sid) : "is not written as a SID is";
		if (!wrong)
			return true;
		admin_fail(c, EX_DATAERR, "on Windows: Get-ADGroup NAME or Get-ADComputer NAME shows the SID",
		           "%.200s %s", who, wrong);
		return false;
	}
	if (strchr(who, '@')) {
		const char *wrong = authlist_principal_wrong(text);
		if (wrong) {
			admin_fail(c, EX_DATAERR, "", "%.300s %s", who, wrong);
			return false;
		}
		out->principal = strdup(who);
		if (out->principal)
			return true;
		admin_fail(c, EX_OSERR, "", "the node is out of memory");
		return false;
	}
	admin_fail(
	        c, EX_DATAERR,
	        "give the SID (on Windows: Get-ADGroup, Get-ADComputer or Get-ADUser NAME shows it), or NAME@REALM for "
	        "an account of a realm without directory",
	        "%.200s is a name, and this node asks no directory for names", who);
	return false;
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
	char until[AUTHLIST_TIME_BYTES];
	json_t *o = json_object();
	admin_set(o, d->object.principal ? "principal" : "sid", id_json(&d->object));
	if (d->until_s) {
		authlist_time_write(d->until_s, until);
		admin_set(o, "until", json_string(until));
	}
	if (d->why)
		admin_set(o, "why", admin_string(d->why));
	if (d->object.name)
		admin_set(o, "name", admin_string(d->object.name));
	char *text = json_dumps(o, 0);
	json_t *line = text ? json_string(text) : NULL;
	json_decref(o);
	free(text);
	return line;
}
