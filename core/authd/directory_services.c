#include "core/authd/directory_services.h"

#include "core/authd/directory_filter.h"
#include "core/authd/directory_object.h"
#include "core/base/check.h"

#include <stdio.h>

static const char *const attributes[] = {"sAMAccountName",
                                         "userPrincipalName",
                                         "objectClass",
                                         "userAccountControl",
                                         "msDS-SupportedEncryptionTypes",
                                         NULL};

struct search {
	const char *filter;
	const char *base; /* NULL: the domain */
	struct service_owners *into;
	const char *domain;
};

static void copy(struct directory_entry *e, const char *attribute, char out[static SERVICE_NAME_BYTES])
{
	struct slice value;
	*out = 0;
	if (directory_entry_value(e, attribute, 0, &value))
		snprintf(out, SERVICE_NAME_BYTES, "%.*s", SLICE_ARG(value));
}

static bool take(void *context, struct directory_entry *e)
{
	struct search *s = context;
	const char *dn = directory_entry_dn(e);
	for (size_t i = 0; i < s->into->count; i++)
		if (strcasecmp(s->into->at[i].dn, dn) == 0)
			return true;
	if (s->into->count == SERVICE_OWNERS_MAX)
		return false;
	struct service_owner *o = &s->into->at[s->into->count++];
	*o = (struct service_owner){.enctypes = -1, .disabled = directory_object_disabled(e)};
	snprintf(o->dn, sizeof(o->dn), "%s", dn);
	snprintf(o->domain, sizeof(o->domain), "%s", s->domain);
	copy(e, "sAMAccountName", o->account);
	copy(e, "userPrincipalName", o->principal);
	directory_entry_number(e, "msDS-SupportedEncryptionTypes", &o->enctypes);
	if (directory_object_is(e, "msDS-GroupManagedServiceAccount") ||
	    directory_object_is(e, "msDS-ManagedServiceAccount"))
		o->kind = SERVICE_MANAGED;
	else if (directory_object_is(e, "computer"))
		o->kind = SERVICE_COMPUTER;
	return true;
}

static enum directory_status work(struct directory_conn *c, const struct directory_facts *domain, usec_t until,
                                  void *context, struct directory_problem *why)
{
	struct search *s = context;
	struct directory_query q = {.base = s->base ? s->base : domain->dn,
	                            .filter = s->filter,
	                            .attributes = attributes,
	                            .scope = SCOPE_SUBTREE,
	                            .limit = SERVICE_OWNERS_MAX + 1,
	                            .until = until};
	s->domain = domain->netbios;
	enum directory_status status = directory_conn_search(c, &q, take, s, why);
	return status == DIRECTORY_STOPPED ? DIRECTORY_OK : status;
}

enum directory_status directory_service_owners(struct directory_realm *r, const char *service,
                                               struct service_owners *out, struct directory_problem *why)
{
	struct filter f CLEANUP(filter_done) = {0};
	filter_add(&f, "(servicePrincipalName=");
	filter_value(&f, slice_str(service));
	filter_add(&f, ")");
	*out = (struct service_owners){.count = 0};
	struct search s = {.filter = filter_text(&f), .into = out};
	if (!s.filter) {
		snprintf(why->what, sizeof(why->what), "the name is too long");
		why->mend = "";
		return DIRECTORY_REFUSED;
	}
	enum directory_status status = directory_run(r, false, work, &s, why);
	if (status != DIRECTORY_OK)
		return status;
	/* The catalog has all domains of the forest; without it the other domains are not looked at, which is no reason to know nothing. */
	struct directory_problem none;
	s.base = "";
	directory_run(r, true, work, &s, &none);
	return DIRECTORY_OK;
}
