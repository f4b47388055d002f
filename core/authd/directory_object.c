#include "core/authd/directory_object.h"

#include "core/base/authlist_rows.h"

enum { ACCOUNT_DISABLED = 2, GROUP_BUILTIN = 1, GROUP_GLOBAL = 2, GROUP_LOCAL = 4, GROUP_UNIVERSAL = 8 };
static const uint32_t group_security = 0x80000000u;

static const char *const kind_words[] = {
#define AUTHLIST_KIND(name, word, people) [AUTHLIST_KIND_##name] = word,
#include "core/base/authlist_kinds.def"
};

const char *const directory_object_attributes[] = {"objectSid",      "objectClass",        "groupType",
                                                   "sAMAccountName", "userAccountControl", NULL};

bool directory_object_sid(struct directory_entry *e, struct sid *out)
{
	struct slice bytes;
	return directory_entry_value(e, "objectSid", 0, &bytes) && sid_read(bytes, out) == bytes.len;
}

bool directory_object_is(struct directory_entry *e, const char *class)
{
	struct slice value;
	for (size_t i = 0; directory_entry_value(e, "objectClass", i, &value); i++)
		if (slice_equal_nocase(value, slice_str(class)))
			return true;
	return false;
}

bool directory_object_disabled(struct directory_entry *e)
{
	int64_t flags;
	return directory_entry_number(e, "userAccountControl", &flags) && (flags & ACCOUNT_DISABLED);
}

uint32_t directory_rid(const struct sid *s)
{
	const uint8_t *at = s->bytes + sid_bytes(s) - 4;
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* groupType is written as a signed number. */
static uint32_t group_type(struct directory_entry *e)
{
	int64_t type;
	return directory_entry_number(e, "groupType", &type) ? (uint32_t)type : 0;
}

static enum authlist_kind kind_of(struct directory_entry *e)
{
	if (directory_object_is(e, "group"))
		return group_type(e) & group_security ? AUTHLIST_KIND_GROUP : AUTHLIST_KIND_DISTRIBUTION;
	if (directory_object_is(e, "msDS-GroupManagedServiceAccount")) /* also a computer by class */
		return AUTHLIST_KIND_GMSA;
	if (directory_object_is(e, "computer"))
		return AUTHLIST_KIND_COMPUTER;
	return directory_object_is(e, "user") ? AUTHLIST_KIND_USER : AUTHLIST_KIND_UNKNOWN;
}

static const char *scope_of(uint32_t type)
{
	return type & GROUP_BUILTIN     ? "builtin"
	       : type & GROUP_LOCAL     ? "domain-local"
	       : type & GROUP_GLOBAL    ? "global"
	       : type & GROUP_UNIVERSAL ? "universal"
	                                : "unknown";
}

json_t *directory_sid_json(const struct sid *s)
{
	char text[SID_TEXT_BYTES];
	sid_print(s, text);
	return json_string(text);
}

json_t *directory_object_json(struct directory_entry *e, const char *netbios)
{
	struct sid sid;
	struct slice name;
	if (!directory_object_sid(e, &sid))
		return NULL;
	if (!directory_entry_value(e, "sAMAccountName", 0, &name))
		name = SLICE("");
	enum authlist_kind kind = kind_of(e);
	/* '%' with a length: names that are not UTF-8 give no object, and are none in a directory. */
	json_t *full = name.len ? json_sprintf("%s\\%.*s", netbios, SLICE_ARG(name)) : json_string("");
	json_t *object =
	        json_pack("{s:o, s:s, s:o, s:s, s:b}", "sid", directory_sid_json(&sid), "kind", kind_words[kind],
	                  "name", full, "dn", directory_entry_dn(e), "disabled", directory_object_disabled(e));
	if (object && (kind == AUTHLIST_KIND_GROUP || kind == AUTHLIST_KIND_DISTRIBUTION))
		json_object_set_new(object, "scope", json_string(scope_of(group_type(e))));
	return object;
}

json_t *directory_error(const char *code, const char *what, const char *mend)
{
	return json_pack("{s:b, s:s, s:s, s:s}", "ok", 0, "code", code, "error", what, "mend", mend ? mend : "");
}

json_t *directory_failure(enum directory_status status, const struct directory_problem *why)
{
	return directory_error(status == DIRECTORY_LOST        ? "unreachable"
	                       : status == DIRECTORY_NOT_THERE ? "gone"
	                                                       : "refused",
	                       why->what, why->mend);
}
