/* What authd answers about the directory, as JSON: {"ok": true, ...} or {"ok": false, "code", "error", "mend"}. code: "malformed" (the ask), "gone" (there
 * is no such object), "unknown-domain" (none of our realms), "no-directory" (no realm has one), "unreachable" (a directory does not answer: nothing is
 * known). Worker threads only, each call may block for directory_settings.timeout_ms and realm; answers are the caller's. NULL: no memory. */
#pragma once
#include "core/authd/directory.h"

#include <jansson.h>

enum { DIRECTORY_MEMBERS_MAX = 100000, DIRECTORY_SEARCH_MAX = 500, DIRECTORY_ACCOUNTS_MAX = 1000 };

/* {"text": T}: exact sAMAccountName with or without DOMAIN\, user principal name, or SID.
 * -> {"objects": [{"sid", "kind", "name", "dn", "disabled", "scope" (of groups)}], "hint"}: more than one object: the name is ambiguous. */
json_t *directory_ask_find(struct directory *d, const json_t *ask);
/* {"pattern": "exch*", "limit": 50} -> {"objects", "truncated"} */
json_t *directory_ask_search(struct directory *d, const json_t *ask);
/* {"sid": S} -> {"members": SIDs of enabled accounts at any depth, those of other forests too, "disabled": SIDs, "truncated"} */
json_t *directory_ask_members(struct directory *d, const json_t *ask);
/* {"sid": S} -> {"account": object, "groups": SIDs}: security groups at any depth, as in a ticket */
json_t *directory_ask_groups(struct directory *d, const json_t *ask);
/* {"sid": S, "group": S} -> {"path": names from the account to the group, the shortest way; empty: it is in it by none that this domain shows} */
json_t *directory_ask_path(struct directory *d, const json_t *ask);
/* {"sids": [S, ...]} -> {"accounts": [{"sid", "found", "disabled", "name"}]}: those that can be looked up; the others are missing */
json_t *directory_ask_accounts(struct directory *d, const json_t *ask);
/* {} -> {"domains": [{"realm", "reachable", "netbios", "sid", "controller", "took_ms", "error", "mend"}]} */
json_t *directory_ask_directory(struct directory *d, const json_t *ask);

/* For NTLM, which tells a name only: the account and all its groups. domain: "CORP". DIRECTORY_REFUSED also for a domain that is none of ours. */
enum directory_status directory_account_sids(struct directory *d, struct slice domain, struct slice name,
                                             struct sid *account, struct sid_set *all, bool *disabled,
                                             struct directory_problem *why);
