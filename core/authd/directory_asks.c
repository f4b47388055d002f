#include "core/authd/directory_asks.h"

#include "core/authd/directory_filter.h"
#include "core/authd/directory_object.h"
#include "core/base/check.h"

#include <stdio.h>

/* ---- gathering objects ---- */

struct gathering {
	const char *filter;
	const char *netbios; /* set when the work begins */
	json_t *into;        /* array; what one realm gave is taken back when its controller was lost half-way */
	size_t had;
	uint32_t limit;
};

static bool gather(void *context, struct directory_entry *e)
{
	struct gathering *g = context;
	json_t *object = directory_object_json(e, g->netbios);
	if (object)
		json_array_append_new(g->into, object);
	return true;
}

static enum directory_status gather_work(struct directory_conn *c, const struct directory_facts *domain, usec_t until,
                                         void *context, struct directory_problem *why)
{
	struct gathering *g = context;
	g->netbios = domain->netbios;
	while (json_array_size(g->into) > g->had)
		json_array_remove(g->into, g->had);
	struct directory_query q = {.base = domain->dn,
	                            .filter = g->filter,
	                            .attributes = directory_object_attributes,
	                            .scope = SCOPE_SUBTREE,
	                            .limit = g->limit,
	                            .until = until};
	return directory_conn_search(c, &q, gather, g, why);
}

/* realm NULL: all of them, those that do not answer passed over and counted. */
static enum directory_status gather_in(struct directory *d, struct directory_realm *realm, struct gathering *g,
                                       size_t *missed, struct directory_problem *why)
{
	enum directory_status worst = DIRECTORY_OK;
	for (size_t i = 0; i < directory_realm_count(d); i++) {
		struct directory_realm *r = directory_realm_at(d, i);
		if (realm && r != realm)
			continue;
		struct directory_problem problem;
		g->had = json_array_size(g->into);
		enum directory_status status = directory_run(r, false, gather_work, g, &problem);
		if (status == DIRECTORY_LOST || status == DIRECTORY_REFUSED) {
			++*missed;
			*why = problem;
			worst = status;
		} else if (status == DIRECTORY_STOPPED && worst == DIRECTORY_OK) {
			worst = status;
		}
	}
	return worst;
}

static bool text_in(const json_t *ask, const char *key, struct slice *out)
{
	const json_t *value = json_object_get(ask, key);
	if (!json_is_string(value))
		return false;
	*out = slice_trim(slice_of(json_string_value(value), json_string_length(value)));
	return out->len > 0 && out->len <= 256;
}

static json_t *malformed(const char *what)
{
	return directory_error("malformed", what, "");
}

/* ---- find ---- */

struct name {
	struct slice domain, account; /* domain: empty unless DOMAIN\account */
	struct slice realm;           /* of account@realm */
	struct sid sid;               /* or none */
};

static struct name name_read(struct slice text)
{
	struct name n = {.account = text};
	if (sid_parse(text, &n.sid))
		return n;
	size_t slash = slice_find(text, '\\'), at = slice_find(text, '@');
	if (slash < text.len) {
		n.domain = slice_until(text, slash);
		n.account = slice_from(text, slash + 1);
	} else if (at < text.len) {
		n.realm = slice_from(text, at + 1);
	}
	return n;
}

/* A user principal name may be any that the object has, or the one that every account has by its name and its domain. */
static void name_filter(struct filter *f, const struct name *n, struct slice suffix)
{
	filter_add(f, "(&(|(objectClass=user)(objectClass=group))(|");
	if (!sid_is_none(&n->sid)) {
		filter_add(f, "(objectSid=");
		filter_sid(f, &n->sid);
	} else if (n->realm.len) {
		filter_add(f, "(userPrincipalName=");
		filter_value(f, n->account);
	} else {
		filter_add(f, "(sAMAccountName=");
		filter_value(f, n->account);
		filter_value(f, suffix);
	}
	filter_add(f, ")))");
}

static void implicit_filter(struct filter *f, const struct name *n)
{
	filter_add(f, "(&(|(objectClass=user)(objectClass=group))(sAMAccountName=");
	filter_value(f, slice_until(n->account, n->account.len - n->realm.len - 1));
	filter_add(f, "))");
}

static enum directory_status look(struct directory *d, struct directory_realm *realm, const struct filter *f,
                                  json_t *into, size_t *missed, struct directory_problem *why)
{
	struct gathering g = {.filter = filter_text(f), .into = into, .limit = 50};
	if (g.filter == NULL) {
		snprintf(why->what, sizeof(why->what), "the name is too long");
		why->mend = "";
		return DIRECTORY_REFUSED;
	}
	return gather_in(d, realm, &g, missed, why);
}

/* Nothing has that name. Most often the dollar of a computer's name was left out. */
static json_t *hint_for_nothing(struct directory *d, struct directory_realm *realm, const struct name *n, size_t missed,
                                const struct directory_problem *why)
{
	if (missed)
		return json_sprintf("not every domain could be asked: %s", why->what);
	if (!sid_is_none(&n->sid))
		return json_string("no object with this SID is in the directory; it may have been deleted, or be of "
		                   "another forest");
	struct filter f CLEANUP(filter_done) = {0};
	struct directory_problem problem;
	size_t missed_now = 0;
	json_t *computers = json_array(), *hint = NULL;
	name_filter(&f, n, SLICE("$"));
	if (n->realm.len == 0 && n->account.len && n->account.at[n->account.len - 1] != '$')
		look(d, realm, &f, computers, &missed_now, &problem);
	const char *full = json_string_value(json_object_get(json_array_get(computers, 0), "name"));
	if (full)
		hint = json_sprintf("%s is a computer account: write %s, with the dollar", full, full);
	json_decref(computers);
	return hint ? hint
	            : json_sprintf("nothing is called %.*s (names are looked up as sAMAccountName, user principal name "
	                           "or SID); search with a "
	                           "star: %.*s*",
	                           SLICE_ARG(n->account), SLICE_ARG(slice_until(n->account, 4)));
}

static json_t *unknown_domain(struct directory *d, struct slice name)
{
	char what[DIRECTORY_TEXT * 2];
	int n = snprintf(what, sizeof(what),
	                 "%.*s is none of the domains in realms:", (int)(name.len > 64 ? 64 : name.len), name.at);
	for (size_t i = 0; i < directory_realm_count(d) && n < (int)sizeof(what) - 80; i++)
		n += snprintf(what + n, sizeof(what) - (size_t)n, "%s %.60s", i ? "," : "",
		              directory_realm_name(directory_realm_at(d, i)));
	return directory_error("unknown-domain", what, "correct the domain, or add it to realms in the settings");
}

static json_t *ambiguous_hint(const json_t *objects)
{
	json_t *names = json_string("the name is ambiguous; write one of these:");
	size_t i;
	json_t *object;
	json_array_foreach(objects, i, object)
	{
		json_t *more = json_sprintf("%s%s %s (%s)", json_string_value(names), i ? "," : "",
		                            json_string_value(json_object_get(object, "name")),
		                            json_string_value(json_object_get(object, "sid")));
		json_decref(names);
		names = more;
	}
	return names;
}

json_t *directory_ask_find(struct directory *d, const json_t *ask)
{
	struct slice text;
	if (!text_in(ask, "text", &text))
		return malformed("text: a name or a SID, at most 256 bytes");
	struct name n = name_read(text);
	if (n.account.len == 0)
		return malformed("text: there is no name behind the domain");
	struct directory_realm *realm = n.domain.len ? directory_realm_named(d, n.domain) : NULL;
	if (n.domain.len && realm == NULL)
		return unknown_domain(d, n.domain);
	struct filter f CLEANUP(filter_done) = {0}, implicit CLEANUP(filter_done) = {0};
	struct directory_problem why;
	size_t missed = 0;
	json_t *objects = json_array(), *hint = NULL;
	name_filter(&f, &n, SLICE(""));
	enum directory_status status = look(d, realm, &f, objects, &missed, &why);
	struct directory_realm *of_suffix = n.realm.len ? directory_realm_named(d, n.realm) : NULL;
	if (json_array_size(objects) == 0 && of_suffix && n.account.len > n.realm.len + 1) {
		implicit_filter(&implicit, &n);
		status = look(d, of_suffix, &implicit, objects, &missed, &why);
	}
	size_t count = json_array_size(objects);
	if (count == 0 && missed && (realm || missed >= directory_realm_count(d))) {
		json_decref(objects);
		return directory_failure(status, &why);
	}
	if (count == 0)
		hint = hint_for_nothing(d, realm, &n, missed, &why);
	else if (count > 1)
		hint = ambiguous_hint(objects);
	else if (missed)
		hint = json_sprintf("not every domain could be asked, so the name may be ambiguous: %s", why.what);
	return json_pack("{s:b, s:o, s:o*}", "ok", 1, "objects", objects, "hint", hint);
}

/* ---- search ---- */

json_t *directory_ask_search(struct directory *d, const json_t *ask)
{
	struct slice pattern;
	const json_t *limit_json = json_object_get(ask, "limit");
	json_int_t limit = limit_json ? json_integer_value(limit_json) : 50;
	if (!text_in(ask, "pattern", &pattern) || pattern.len > 128)
		return malformed("pattern: a part of a name with stars, at most 128 bytes");
	if (limit < 1 || limit > DIRECTORY_SEARCH_MAX)
		return malformed("limit: 1 to 500");
	/* Trust accounts (0x800) are not for people. */
	static const char *const attributes[] = {"sAMAccountName", "cn", "displayName"};
	struct filter f CLEANUP(filter_done) = {0};
	filter_add(&f,
	           "(&(|(objectClass=user)(objectClass=group))(!(userAccountControl:1.2.840.113556.1.4.803:=2048))(|");
	for (size_t i = 0; i < ARRAY_COUNT(attributes); i++) {
		filter_add(&f, "(");
		filter_add(&f, attributes[i]);
		filter_add(&f, "=");
		filter_pattern(&f, pattern);
		filter_add(&f, slice_find(pattern, '*') < pattern.len ? ")" : "*)");
	}
	filter_add(&f, "))");
	struct gathering g = {.filter = filter_text(&f), .into = json_array(), .limit = (uint32_t)limit};
	struct directory_problem why;
	size_t missed = 0;
	enum directory_status status = gather_in(d, NULL, &g, &missed, &why);
	bool truncated = status == DIRECTORY_STOPPED || json_array_size(g.into) > (size_t)limit;
	while (json_array_size(g.into) > (size_t)limit)
		json_array_remove(g.into, json_array_size(g.into) - 1);
	if (json_array_size(g.into) == 0 && missed) {
		json_decref(g.into);
		return directory_failure(status, &why);
	}
	json_t *hint = missed ? json_sprintf("not every domain could be asked: %s", why.what) : NULL;
	return json_pack("{s:b, s:o, s:b, s:o*}", "ok", 1, "objects", g.into, "truncated", truncated, "hint", hint);
}

/* ---- the directory itself ---- */

static enum directory_status touch(struct directory_conn *c, const struct directory_facts *domain, usec_t until,
                                   void *context, struct directory_problem *why)
{
	struct directory_query q = {
	        .base = domain->dn, .attributes = directory_object_attributes, .scope = SCOPE_OBJECT, .until = until};
	return directory_conn_search(c, &q, gather, &(struct gathering){.netbios = "", .into = NULL}, why);
}

json_t *directory_ask_directory(struct directory *d, const json_t *ask)
{
	json_t *domains = json_array();
	for (size_t i = 0; i < directory_realm_count(d); i++) {
		struct directory_realm *r = directory_realm_at(d, i);
		struct directory_problem why;
		char controller[DIRECTORY_TEXT];
		usec_t begun = clock_now();
		enum directory_status status = directory_run(r, false, touch, NULL, &why);
		json_t *row =
		        json_pack("{s:s, s:b}", "realm", directory_realm_name(r), "reachable", status == DIRECTORY_OK);
		if (status == DIRECTORY_OK) {
			const struct directory_facts *facts = directory_facts_of(r, &why);
			directory_realm_controller(r, controller);
			json_object_set_new(row, "netbios", json_string(facts->netbios));
			json_object_set_new(row, "sid", directory_sid_json(&facts->sid));
			json_object_set_new(row, "controller", json_string(controller));
			json_object_set_new(row, "took_ms", json_integer((json_int_t)((clock_now() - begun) / 1000)));
		} else {
			json_object_set_new(row, "error", json_string(why.what));
			json_object_set_new(row, "mend", json_string(why.mend));
		}
		json_array_append_new(domains, row);
	}
	return json_pack("{s:b, s:o}", "ok", 1, "domains", domains);
}
