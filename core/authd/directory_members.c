/* Who is in a group, and in which groups somebody is. */
#include "core/authd/directory_asks.h"
#include "core/authd/directory_filter.h"
#include "core/authd/directory_object.h"
#include "core/base/check.h"

#include <stdio.h>
#include <stdlib.h>

#define IN_CHAIN "1.2.840.113556.1.4.1941"

enum { FOREIGN_GROUPS_MAX = 64, PRIMARY_CHUNK = 50, SIDS_CHUNK = 50 };

/* ---- many SIDs ---- */

struct sids {
	struct sid *at; /* owned */
	size_t count, room, limit;
	bool truncated;
};

static void sids_add(struct sids *s, const struct sid *one)
{
	if (s->count == s->limit) {
		s->truncated = true;
		return;
	}
	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		struct sid *grown = reallocarray(s->at, room, sizeof(*grown));
		if (grown == NULL) {
			s->truncated = true;
			return;
		}
		s->at = grown;
		s->room = room;
	}
	s->at[s->count++] = *one;
}

static int by_value(const void *a, const void *b)
{
	return sid_compare(a, b);
}

static void sids_sort(struct sids *s)
{
	size_t kept = 0;
	if (s->count)
		qsort(s->at, s->count, sizeof(*s->at), by_value);
	for (size_t i = 0; i < s->count; i++)
		if (kept == 0 || sid_compare(&s->at[kept - 1], &s->at[i]) != 0)
			s->at[kept++] = s->at[i];
	s->count = kept;
}

static json_t *sids_json(const struct sids *s)
{
	json_t *array = json_array();
	for (size_t i = 0; i < s->count; i++)
		json_array_append_new(array, directory_sid_json(&s->at[i]));
	return array;
}

/* ---- one object by its SID ---- */

struct object {
	const struct sid *wanted;
	struct slice name; /* instead of wanted */
	const char *netbios;
	char *dn;     /* owned */
	json_t *json; /* owned */
	struct sid sid;
	bool group, disabled;
};

static void object_forget(struct object *o)
{
	free(o->dn);
	json_decref(o->json);
	o->dn = NULL;
	o->json = NULL;
}

static bool read_object(void *context, struct directory_entry *e)
{
	struct object *o = context;
	if (o->dn || !directory_object_sid(e, &o->sid))
		return true;
	o->dn = strdup(directory_entry_dn(e));
	o->json = directory_object_json(e, o->netbios);
	o->group = directory_object_is(e, "group");
	o->disabled = directory_object_disabled(e);
	return false;
}

static enum directory_status find_object(struct directory_conn *c, const struct directory_facts *domain, usec_t until,
                                         struct object *o, struct directory_problem *why)
{
	struct filter f CLEANUP(filter_done) = {0};
	object_forget(o);
	o->netbios = domain->netbios;
	if (o->wanted) {
		filter_add(&f, "(objectSid=");
		filter_sid(&f, o->wanted);
		filter_add(&f, ")");
	} else {
		filter_add(&f, "(&(objectClass=user)(sAMAccountName=");
		filter_value(&f, o->name);
		filter_add(&f, "))");
	}
	struct directory_query q = {.base = domain->dn,
	                            .filter = filter_text(&f),
	                            .attributes = directory_object_attributes,
	                            .scope = SCOPE_SUBTREE,
	                            .until = until};
	if (q.filter == NULL)
		return DIRECTORY_REFUSED;
	enum directory_status status = directory_conn_search(c, &q, read_object, o, why);
	if ((status == DIRECTORY_OK || status == DIRECTORY_STOPPED) && o->dn == NULL) {
		snprintf(why->what, sizeof(why->what), "%s has no such object any more", domain->netbios);
		why->mend = "it was deleted; take it off the list";
		return DIRECTORY_NOT_THERE;
	}
	return status == DIRECTORY_STOPPED ? DIRECTORY_OK : status;
}

/* ---- members ---- */

struct expansion {
	struct object group;
	struct sids members, disabled, foreign;
	struct sids groups; /* of this realm: whose primary members count */
	size_t before[3];   /* counts when the work on a group began */
};

static void sort_out(struct expansion *x, struct directory_entry *e)
{
	struct sid sid;
	if (!directory_object_sid(e, &sid))
		return; /* a contact */
	if (directory_object_is(e, "group"))
		sids_add(&x->groups, &sid);
	else
		sids_add(directory_object_disabled(e) ? &x->disabled : &x->members, &sid);
}

static bool read_member(void *context, struct directory_entry *e)
{
	sort_out(context, e);
	return true;
}

static const char *const member_attributes[] = {"objectSid", "objectClass", "userAccountControl", NULL};

static enum directory_status search_members(struct directory_conn *c, const char *base, usec_t until,
                                            struct expansion *x, struct directory_problem *why)
{
	struct filter f CLEANUP(filter_done) = {0};
	filter_add(&f, "(&(|(objectClass=user)(objectClass=group))(memberOf:" IN_CHAIN ":=");
	filter_value(&f, slice_str(x->group.dn));
	filter_add(&f, "))");
	struct directory_query q = {.base = base,
	                            .filter = filter_text(&f),
	                            .attributes = member_attributes,
	                            .scope = SCOPE_SUBTREE,
	                            .until = until};
	return q.filter ? directory_conn_search(c, &q, read_member, x, why) : DIRECTORY_REFUSED;
}

/* An account's primary group is not among its memberOf: those of the group itself and of groups within it are asked for by their number. */
static enum directory_status search_primary(struct directory_conn *c, const struct directory_facts *domain,
                                            usec_t until, struct expansion *x, struct directory_problem *why)
{
	enum directory_status status = DIRECTORY_OK;
	size_t count = x->groups.count;
	for (size_t i = 0; i < count && status == DIRECTORY_OK;) {
		struct filter f CLEANUP(filter_done) = {0};
		size_t asked = 0;
		filter_add(&f, "(&(objectClass=user)(|");
		for (; i < count && asked < PRIMARY_CHUNK; i++) {
			if (!sid_is_of_domain(&x->groups.at[i], &domain->sid))
				continue;
			filter_add(&f, "(primaryGroupID=");
			filter_number(&f, directory_rid(&x->groups.at[i]));
			filter_add(&f, ")");
			asked++;
		}
		filter_add(&f, "))");
		struct directory_query q = {.base = domain->dn,
		                            .filter = filter_text(&f),
		                            .attributes = member_attributes,
		                            .scope = SCOPE_SUBTREE,
		                            .until = until};
		if (asked)
			status = q.filter ? directory_conn_search(c, &q, read_member, x, why) : DIRECTORY_REFUSED;
	}
	return status;
}

/* A foreign account is a member as CN=S-1-5-21-...,CN=ForeignSecurityPrincipals. That object shows its memberOf to administrators only, so they are read
 * from the groups' own lists. */
static void read_foreign(void *context, struct slice dn)
{
	struct expansion *x = context;
	struct sid sid;
	if (!slice_equal_nocase(slice_until(dn, 7), SLICE("CN=S-1-")))
		return;
	struct slice rest = slice_from(dn, 3);
	if (sid_parse(slice_until(rest, slice_find(rest, ',')), &sid))
		sids_add(&x->foreign, &sid);
}

struct piece {
	struct expansion *x;
	uint32_t next;
};

static bool read_piece(void *context, struct directory_entry *e)
{
	struct piece *p = context;
	p->next = directory_entry_range(e, "member", read_foreign, p->x);
	return true;
}

static enum directory_status list_foreign(struct directory_conn *c, const struct directory_facts *domain, usec_t until,
                                          struct expansion *x, const struct sid *group, struct directory_problem *why)
{
	struct piece piece = {.x = x};
	struct filter f CLEANUP(filter_done) = {0};
	enum directory_status status;
	filter_add(&f, "(objectSid=");
	filter_sid(&f, group);
	filter_add(&f, ")");
	do {
		char name[40];
		uint32_t from = piece.next;
		const char *const attributes[] = {name, NULL};
		snprintf(name, sizeof(name), "member;range=%u-*", from);
		struct directory_query q = {.base = domain->dn,
		                            .filter = filter_text(&f),
		                            .attributes = attributes,
		                            .scope = SCOPE_SUBTREE,
		                            .until = until};
		piece.next = 0;
		status = q.filter ? directory_conn_search(c, &q, read_piece, &piece, why) : DIRECTORY_REFUSED;
		if (piece.next <= from)
			break;
	} while (status == DIRECTORY_OK);
	return status;
}

static enum directory_status search_foreign(struct directory_conn *c, const struct directory_facts *domain,
                                            usec_t until, struct expansion *x, struct directory_problem *why)
{
	enum directory_status status = DIRECTORY_OK;
	for (size_t i = 0; i < x->groups.count && status == DIRECTORY_OK; i++)
		status = list_foreign(c, domain, until, x, &x->groups.at[i], why);
	return status;
}

static enum directory_status expand(struct directory_conn *c, const struct directory_facts *domain, usec_t until,
                                    void *context, struct directory_problem *why)
{
	struct expansion *x = context;
	x->members.count = x->before[0];
	x->disabled.count = x->before[1];
	x->foreign.count = x->before[2];
	x->groups.count = 0;
	enum directory_status status = find_object(c, domain, until, &x->group, why);
	if (status != DIRECTORY_OK)
		return status;
	if (!x->group.group) {
		sids_add(x->group.disabled ? &x->disabled : &x->members, &x->group.sid);
		return DIRECTORY_OK;
	}
	sids_add(&x->groups, &x->group.sid);
	status = search_members(c, domain->dn, until, x, why);
	if (status == DIRECTORY_OK)
		status = search_primary(c, domain, until, x, why);
	return status == DIRECTORY_OK ? search_foreign(c, domain, until, x, why) : status;
}

/* A group of another forest's is in ours as a mere SID; where that forest is one of our realms, its members are looked up there. */
static enum directory_status expand_all(struct directory *d, const struct sid *group, struct expansion *x,
                                        struct directory_problem *why)
{
	struct sid next = *group;
	enum directory_status first = DIRECTORY_OK;
	for (size_t done = 0; done <= x->foreign.count && done < FOREIGN_GROUPS_MAX; done++) {
		if (done)
			next = x->foreign.at[done - 1];
		struct directory_realm *realm = directory_realm_of(d, &next, NULL);
		if (realm == NULL)
			continue;
		x->group.wanted = &next;
		x->before[0] = x->members.count;
		x->before[1] = x->disabled.count;
		x->before[2] = x->foreign.count;
		enum directory_status status = directory_run(realm, false, expand, x, why);
		if (done == 0)
			first = status;
		if (status == DIRECTORY_LOST)
			return status;
	}
	return first;
}

static json_t *no_realm(const struct sid *s, const struct directory_problem *unreachable)
{
	char text[SID_TEXT_BYTES], what[2 * DIRECTORY_TEXT];
	bool known = *unreachable->what;
	sid_print(s, text);
	snprintf(what, sizeof(what), "%s is of %s%s", text,
	         known ? "a domain that cannot be reached now: " : "none of the domains in realms", unreachable->what);
	return directory_error(known ? "unreachable" : "unknown-domain", what,
	                       known ? unreachable->mend : "add its domain to realms in the settings");
}

json_t *directory_ask_members(struct directory *d, const json_t *ask)
{
	struct sid sid;
	const char *text = json_string_value(json_object_get(ask, "sid"));
	if (text == NULL || !sid_parse(slice_str(text), &sid))
		return directory_error("malformed", "sid: S-1-5-...", "");
	struct directory_problem unreachable;
	if (directory_realm_of(d, &sid, &unreachable) == NULL)
		return no_realm(&sid, &unreachable);
	struct expansion x = {.members.limit = DIRECTORY_MEMBERS_MAX,
	                      .disabled.limit = DIRECTORY_MEMBERS_MAX,
	                      .foreign.limit = DIRECTORY_MEMBERS_MAX,
	                      .groups.limit = DIRECTORY_MEMBERS_MAX};
	struct directory_problem why;
	enum directory_status status = expand_all(d, &sid, &x, &why);
	json_t *answer;
	if (status == DIRECTORY_OK) {
		for (size_t i = 0; i < x.foreign.count; i++)
			sids_add(&x.members, &x.foreign.at[i]);
		sids_sort(&x.members);
		sids_sort(&x.disabled);
		bool truncated =
		        x.members.truncated || x.disabled.truncated || x.foreign.truncated || x.groups.truncated;
		answer = json_pack("{s:b, s:o, s:o, s:b}", "ok", 1, "members", sids_json(&x.members), "disabled",
		                   sids_json(&x.disabled), "truncated", truncated);
	} else {
		answer = directory_failure(status, &why);
	}
	object_forget(&x.group);
	free(x.members.at);
	free(x.disabled.at);
	free(x.foreign.at);
	free(x.groups.at);
	return answer;
}

/* ---- groups ---- */

struct belonging {
	struct object account;
	struct sids groups;
};

/* As of a PAC (identity.c): what is of no domain, as the controller's own BUILTIN groups, says nothing about who may come in. */
static bool read_tokens(void *context, struct directory_entry *e)
{
	struct belonging *b = context;
	struct slice bytes;
	struct sid sid;
	for (size_t i = 0; directory_entry_value(e, "tokenGroups", i, &bytes); i++)
		if (sid_read(bytes, &sid) == bytes.len && sid_is_domain_object(&sid))
			sids_add(&b->groups, &sid);
	return true;
}

static enum directory_status belong(struct directory_conn *c, const struct directory_facts *domain, usec_t until,
                                    void *context, struct directory_problem *why)
{
	static const char *const tokens[] = {"tokenGroups", NULL};
	struct belonging *b = context;
	b->groups.count = 0;
	enum directory_status status = find_object(c, domain, until, &b->account, why);
	if (status != DIRECTORY_OK)
		return status;
	struct directory_query q = {.base = b->account.dn, .attributes = tokens, .scope = SCOPE_OBJECT, .until = until};
	return directory_conn_search(c, &q, read_tokens, b, why);
}

static void belonging_done(struct belonging *b)
{
	object_forget(&b->account);
	free(b->groups.at);
}

json_t *directory_ask_groups(struct directory *d, const json_t *ask)
{
	struct sid sid;
	const char *text = json_string_value(json_object_get(ask, "sid"));
	if (text == NULL || !sid_parse(slice_str(text), &sid))
		return directory_error("malformed", "sid: S-1-5-...", "");
	struct directory_problem unreachable;
	struct directory_realm *realm = directory_realm_of(d, &sid, &unreachable);
	if (realm == NULL)
		return no_realm(&sid, &unreachable);
	struct belonging b CLEANUP(belonging_done) = {.account.wanted = &sid, .groups.limit = SID_SET_MAX};
	struct directory_problem why;
	enum directory_status status = directory_run(realm, false, belong, &b, &why);
	if (status != DIRECTORY_OK)
		return directory_failure(status, &why);
	sids_sort(&b.groups);
	return json_pack("{s:b, s:O, s:o, s:b}", "ok", 1, "account", b.account.json, "groups", sids_json(&b.groups),
	                 "truncated", b.groups.truncated);
}

enum directory_status directory_account_sids(struct directory *d, struct slice domain, struct slice name,
                                             struct sid *account, struct sid_set *all, bool *disabled,
                                             struct directory_problem *why)
{
	struct directory_realm *realm = directory_realm_named(d, domain);
	if (realm == NULL) {
		snprintf(why->what, sizeof(why->what), "%.*s is none of the domains in realms, or cannot be reached",
		         (int)(domain.len > 64 ? 64 : domain.len), domain.at);
		why->mend = "add the domain to realms in the settings, if its accounts shall count";
		return DIRECTORY_REFUSED;
	}
	struct belonging b CLEANUP(belonging_done) = {.account.name = name, .groups.limit = SID_SET_MAX - 1};
	enum directory_status status = directory_run(realm, false, belong, &b, why);
	if (status != DIRECTORY_OK)
		return status;
	*account = b.account.sid;
	*disabled = b.account.disabled;
	bool good = !b.groups.truncated && sid_set_add(all, account);
	for (size_t i = 0; i < b.groups.count && good; i++)
		good = sid_set_add(all, &b.groups.at[i]);
	if (!good) {
		snprintf(why->what, sizeof(why->what), "the account is in more than %d groups", SID_SET_MAX);
		why->mend = "reduce them; Windows itself stops at 1,015";
		return DIRECTORY_REFUSED;
	}
	sid_set_seal(all);
	return DIRECTORY_OK;
}

/* ---- accounts: which of these are disabled or gone ---- */

struct roll {
	const struct sids *wanted;
	size_t first, count;
	json_t *into; /* what one chunk gave */
	const char *netbios;
};

static const char *const account_attributes[] = {"objectSid", "objectClass", "userAccountControl", "sAMAccountName",
                                                 NULL};

static bool read_account(void *context, struct directory_entry *e)
{
	struct roll *r = context;
	struct sid sid;
	struct slice name;
	if (!directory_object_sid(e, &sid))
		return true;
	if (!directory_entry_value(e, "sAMAccountName", 0, &name))
		name = SLICE("");
	/* A name that is not UTF-8 is left out. */
	json_array_append_new(r->into, json_pack("{s:o, s:b, s:b, s:o*}", "sid", directory_sid_json(&sid), "found", 1,
	                                         "disabled", directory_object_disabled(e), "name",
	                                         json_sprintf("%s\\%.*s", r->netbios, SLICE_ARG(name))));
	return true;
}

static enum directory_status call_roll(struct directory_conn *c, const struct directory_facts *domain, usec_t until,
                                       void *context, struct directory_problem *why)
{
	struct roll *r = context;
	struct filter f CLEANUP(filter_done) = {0};
	json_array_clear(r->into);
	r->netbios = domain->netbios;
	filter_add(&f, "(|");
	for (size_t i = r->first; i < r->first + r->count; i++) {
		filter_add(&f, "(objectSid=");
		filter_sid(&f, &r->wanted->at[i]);
		filter_add(&f, ")");
	}
	filter_add(&f, ")");
	struct directory_query q = {.base = domain->dn,
	                            .filter = filter_text(&f),
	                            .attributes = account_attributes,
	                            .scope = SCOPE_SUBTREE,
	                            .until = until};
	return q.filter ? directory_conn_search(c, &q, read_account, r, why) : DIRECTORY_REFUSED;
}

/* Those of the chunk that the domain did not name are gone. */
static void add_gone(const struct roll *r, json_t *accounts)
{
	for (size_t i = r->first; i < r->first + r->count; i++) {
		char text[SID_TEXT_BYTES];
		bool found = false;
		size_t k;
		json_t *row;
		sid_print(&r->wanted->at[i], text);
		json_array_foreach(r->into, k, row) found |=
		        strcmp(json_string_value(json_object_get(row, "sid")), text) == 0;
		if (!found)
			json_array_append_new(accounts,
			                      json_pack("{s:s, s:b, s:b}", "sid", text, "found", 0, "disabled", 0));
	}
	json_array_extend(accounts, r->into);
}

static void roll_of_realm(struct directory_realm *realm, struct sids *wanted, json_t *accounts)
{
	struct directory_problem why;
	for (size_t first = 0; first < wanted->count; first += SIDS_CHUNK) {
		struct roll r = {.wanted = wanted, .first = first, .into = json_array()};
		r.count = wanted->count - first < SIDS_CHUNK ? wanted->count - first : SIDS_CHUNK;
		if (directory_run(realm, false, call_roll, &r, &why) == DIRECTORY_OK)
			add_gone(&r, accounts);
		json_decref(r.into);
	}
}

json_t *directory_ask_accounts(struct directory *d, const json_t *ask)
{
	const json_t *list = json_object_get(ask, "sids");
	struct sid sid;
	if (!json_is_array(list) || json_array_size(list) > DIRECTORY_ACCOUNTS_MAX)
		return directory_error("malformed", "sids: a list of at most 1,000 SIDs", "");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)) ||
		    !sid_parse(slice_str(json_string_value(json_array_get(list, i))), &sid))
			return directory_error("malformed", "sids: S-1-5-...", "");
	json_t *accounts = json_array();
	for (size_t k = 0; k < directory_realm_count(d); k++) {
		struct sids wanted = {.limit = DIRECTORY_ACCOUNTS_MAX};
		struct directory_problem why;
		const struct directory_facts *facts = directory_facts_of(directory_realm_at(d, k), &why);
		for (size_t i = 0; facts && i < json_array_size(list); i++)
			if (sid_parse(slice_str(json_string_value(json_array_get(list, i))), &sid) &&
			    sid_is_of_domain(&sid, &facts->sid))
				sids_add(&wanted, &sid);
		sids_sort(&wanted);
		roll_of_realm(directory_realm_at(d, k), &wanted, accounts);
		free(wanted.at);
	}
	return json_pack("{s:b, s:o}", "ok", 1, "accounts", accounts);
}
