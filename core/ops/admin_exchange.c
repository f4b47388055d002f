#include "core/ops/admin_exchange.h"

#include <stdio.h>
#include <stdlib.h>

enum { ACCOUNTS_SHOWN = 100 };

static void fail_many(struct admin_call *c, size_t count)
{
	char words[ADMIN_WHO_BYTES];
	admin_fail(c, EX_DATAERR, "check that these are servers, then say --confirm-members and this number",
	           "%zu account%s of %s will use the super-user credential, which opens every protected document of "
	           "the tenant",
	           count, count == 1 ? "" : "s", admin_object_words(&c->who.object, words));
}

/* The accounts of the group, as far as they are shown. */
static json_t *shown_of(const json_t *members, const json_t *accounts)
{
	size_t i, k;
	json_t *sid, *row, *all = json_array();
	json_array_foreach(members, i, sid)
	{
		json_t *found = NULL;
		if (i == ACCOUNTS_SHOWN)
			break;
		json_array_foreach(accounts, k, row) if (json_equal(json_object_get(row, "sid"), sid)) found = row;
		json_t *o = json_object(), *name = json_object_get(found, "name");
		admin_set(o, "name", name ? json_incref(name) : json_null());
		admin_set(o, "sid", json_incref(sid));
		json_array_append_new(all, o);
	}
	return all;
}

static void on_named(struct admin_call *c, const json_t *answer)
{
	const json_t *members = c->kept;
	size_t count = json_array_size(members), i;
	uint32_t confirmed;
	char words[ADMIN_WHO_BYTES];
	json_t *row, *shown = shown_of(members, json_object_get(answer, "accounts"));
	if (!admin_number(c, "confirm_members", UINT32_MAX, 0, UINT32_MAX - 1, &confirmed)) {
		json_decref(shown);
		return;
	}
	if (confirmed == count) {
		admin_say(c, "%zu account%s of %s will use the super-user credential.", count, count == 1 ? "" : "s",
		          admin_object_words(&c->who.object, words));
		c->exchange_yes(c, shown);
		return;
	}
	json_array_foreach(shown, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));
		admin_say(c, "  %s  %s", json_string_value(json_object_get(row, "sid")), name ? name : "-");
	}
	if (count > json_array_size(shown))
		admin_say(c, "  and %zu more", count - json_array_size(shown));
	json_decref(shown);
	fail_many(c, count);
}

static void on_members(struct admin_call *c, const json_t *answer)
{
	const json_t *members = json_object_get(answer, "members");
	size_t disabled = json_array_size(json_object_get(answer, "disabled")), i;
	json_t *question, *some, *sid;
	if (!admin_told_well(answer)) {
		admin_fail_told(c, answer, "its members cannot be counted");
		return;
	}
	if (json_is_true(json_object_get(answer, "truncated"))) {
		admin_fail(c, EX_DATAERR, "use a group of the Exchange servers only",
		           "it has more members than can be counted");
		return;
	}
	if (disabled)
		admin_say(c, "%zu more are disabled; they will use it too when somebody enables them.", disabled);
	c->kept = json_incref((json_t *)(uintptr_t)members);
	some = json_array();
	json_array_foreach(members, i, sid) if (i < ACCOUNTS_SHOWN) json_array_append(some, sid);
	question = admin_question("accounts", NULL, NULL);
	admin_set(question, "sids", some);
	admin_ask(c, question, on_named);
}

void admin_exchange_check(struct admin_call *c, enum authlist_kind kind,
                          void (*yes)(struct admin_call *c, json_t *accounts))
{
	char words[ADMIN_WHO_BYTES], sid[SID_TEXT_BYTES];
	bool force = admin_flag(c, "force");
	admin_object_words(&c->who.object, words);
	c->exchange_yes = yes;
	if (kind == AUTHLIST_KIND_DISTRIBUTION) {
		admin_fail(c, EX_DATAERR, "use a security group, such as Exchange Servers",
		           "%s is a distribution group: who may edit it for mail could make himself a super user",
		           words);
	} else if (kind == AUTHLIST_KIND_GROUP && c->who.looked_up) {
		sid_print(&c->who.object.sid, sid);
		admin_ask(c, admin_question("members", "sid", sid), on_members);
	} else if (kind == AUTHLIST_KIND_UNKNOWN && !c->who.object.principal) {
		admin_fail(c, EX_USAGE,
		           "say --kind group when it is a security group; a single account needs --force besides",
		           "the role exchange is for security groups, and what %s is cannot be seen from its SID",
		           words);
	} else if (!force && kind == AUTHLIST_KIND_GROUP) {
		admin_fail(c, EX_UNAVAILABLE, "try again when the directory answers, or say --force",
		           "how many accounts of %s would use the super-user credential cannot be counted: %s", words,
		           c->who.problem);
	} else if (!force) {
		admin_fail(c, EX_DATAERR, "use a security group, such as Exchange Servers, or say --force",
		           "%s is a single account, and the role exchange is for security groups", words);
	} else {
		admin_say(
		        c,
		        "Warning: %s%s will use the super-user credential, which opens every document of the tenant%s",
		        kind == AUTHLIST_KIND_GROUP ? "every member of " : "", words,
		        kind == AUTHLIST_KIND_GROUP ? ". How many they are was not counted." : ".");
		yes(c, NULL);
	}
}
