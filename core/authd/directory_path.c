/* How an account comes to be in a group: the shortest chain of groups in groups. */
#include "core/authd/directory_asks.h"
#include "core/authd/directory_filter.h"
#include "core/authd/directory_object.h"
#include "core/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define IN_CHAIN "1.2.840.113556.1.4.1941"

enum { GROUPS_MAX = 1000, NO_NODE = -1 };

/* The account, and each group it is in at any depth. */
struct node {
	struct sid sid;
	char *dn, *name; /* owned; name: "CORP\Exchange Servers" */
	char **above;    /* owned: DNs of the groups it is a member of */
	size_t above_count;
	uint32_t primary; /* of an account: RID of its primary group, which no DN names; 0: none */
	int below;        /* from which the way came here; NO_NODE: not reached */
	bool reached;
};

struct path {
	const struct sid *account, *group;
	const char *netbios;
	struct node nodes[GROUPS_MAX + 1]; /* [0]: the account */
	size_t count;
	json_t *found;
};

static void forget(struct path *p)
{
	for (size_t i = 0; i < p->count; i++) {
		for (size_t k = 0; k < p->nodes[i].above_count; k++)
			free(p->nodes[i].above[k]);
		free(p->nodes[i].above);
		free(p->nodes[i].dn);
		free(p->nodes[i].name);
	}
	p->count = 0;
}

static bool read_node(void *context, struct directory_entry *e)
{
	struct path *p = context;
	struct slice value, name = SLICE("");
	int64_t primary = 0;
	if (p->count > GROUPS_MAX)
		return false;
	struct node *n = &p->nodes[p->count];
	*n = (struct node){.below = NO_NODE};
	if (!directory_object_sid(e, &n->sid))
		return true;
	p->count++;
	directory_entry_value(e, "sAMAccountName", 0, &name);
	directory_entry_number(e, "primaryGroupID", &primary);
	n->primary = (uint32_t)primary;
	n->dn = strdup(directory_entry_dn(e));
	if (asprintf(&n->name, "%s\\%.*s", p->netbios, SLICE_ARG(name)) < 0)
		n->name = NULL;
	for (size_t i = 0; i < GROUPS_MAX && directory_entry_value(e, "memberOf", i, &value); i++) {
		char **more = reallocarray(n->above, i + 1, sizeof(*more));
		if (!more)
			break;
		n->above = more;
		n->above[i] = strndup(value.at, value.len);
		n->above_count = i + 1;
	}
	return true;
}

static enum directory_status gather(struct directory_conn *c, const struct directory_facts *domain, usec_t until,
                                    const struct filter *f, struct path *p, struct directory_problem *why)
{
	static const char *const attributes[] = {"objectSid", "sAMAccountName", "memberOf", "primaryGroupID", NULL};
	struct directory_query q = {.base = domain->dn,
	                            .filter = filter_text(f),
	                            .attributes = attributes,
	                            .scope = SCOPE_SUBTREE,
	                            .until = until};
	enum directory_status status = q.filter ? directory_conn_search(c, &q, read_node, p, why) : DIRECTORY_REFUSED;
	return status == DIRECTORY_STOPPED ? DIRECTORY_OK : status;
}

static bool is_above(const struct node *n, const struct node *group)
{
	if (n->primary && n->primary == directory_rid(&group->sid))
		return true;
	for (size_t i = 0; group->dn && i < n->above_count; i++)
		if (n->above[i] && strcasecmp(n->above[i], group->dn) == 0)
			return true;
	return false;
}

/* Breadth first, so that the first way found is a shortest one. */
static json_t *shortest(struct path *p)
{
	size_t queue[GROUPS_MAX + 1], head = 0, tail = 0, end = 0;
	json_t *names = json_array();
	p->nodes[0].reached = true;
	queue[tail++] = 0;
	while (head < tail && !end) {
		size_t at = queue[head++];
		for (size_t i = 1; i < p->count && !end; i++) {
			if (p->nodes[i].reached || !is_above(&p->nodes[at], &p->nodes[i]))
				continue;
			p->nodes[i].reached = true;
			p->nodes[i].below = (int)at;
			queue[tail++] = i;
			if (sid_compare(&p->nodes[i].sid, p->group) == 0)
				end = i;
		}
	}
	for (int i = (int)end; end && i != NO_NODE; i = p->nodes[i].below)
		json_array_insert_new(names, 0, p->nodes[i].name ? json_string(p->nodes[i].name) : json_null());
	return names;
}

static enum directory_status walk(struct directory_conn *c, const struct directory_facts *domain, usec_t until,
                                  void *context, struct directory_problem *why)
{
	struct path *p = context;
	struct filter account CLEANUP(filter_done) = {0}, groups CLEANUP(filter_done) = {0};
	struct sid primary;
	forget(p);
	p->netbios = domain->netbios;
	filter_add(&account, "(objectSid=");
	filter_sid(&account, p->account);
	filter_add(&account, ")");
	enum directory_status status = gather(c, domain, until, &account, p, why);
	if (status != DIRECTORY_OK || p->count == 0)
		return status == DIRECTORY_OK ? DIRECTORY_NOT_THERE : status;
	p->count = 1;
	filter_add(&groups, "(|(&(objectClass=group)(member:" IN_CHAIN ":=");
	filter_value(&groups, slice_str(p->nodes[0].dn ? p->nodes[0].dn : ""));
	filter_add(&groups, "))");
	if (p->nodes[0].primary && sid_with_rid(&domain->sid, p->nodes[0].primary, &primary)) {
		filter_add(&groups, "(objectSid=");
		filter_sid(&groups, &primary);
		filter_add(&groups, ")");
	}
	filter_add(&groups, ")");
	status = gather(c, domain, until, &groups, p, why);
	if (status != DIRECTORY_OK)
		return status;
	json_decref(p->found);
	p->found = shortest(p);
	return DIRECTORY_OK;
}

json_t *directory_ask_path(struct directory *d, const json_t *ask)
{
	struct sid account, group;
	const char *from = json_string_value(json_object_get(ask, "sid"));
	const char *to = json_string_value(json_object_get(ask, "group"));
	if (!from || !to || !sid_parse(slice_str(from), &account) || !sid_parse(slice_str(to), &group))
		return directory_error("malformed", "sid, group: S-1-5-...", "");
	struct directory_problem unreachable;
	struct directory_problem why = {.what = "no such object", .mend = ""};
	struct directory_realm *realm = directory_realm_of(d, &account, &unreachable);
	if (!realm)
		return directory_error(
		        *unreachable.what ? "unreachable" : "unknown-domain",
		        *unreachable.what ? unreachable.what : "the account is of none of the domains in realms",
		        *unreachable.what ? unreachable.mend : "add its domain to realms in the settings");
	struct path *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->account = &account;
	p->group = &group;
	enum directory_status status = directory_run(realm, false, walk, p, &why);
	json_t *answer = status == DIRECTORY_OK ? json_pack("{s:b, s:O}", "ok", 1, "path", p->found)
	                                        : directory_failure(status, &why);
	json_decref(p->found);
	forget(p);
	free(p);
	return answer;
}
