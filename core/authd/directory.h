/* Active Directory as authd asks it: a realm for each domain, its controllers found by SRV records or named in the settings, connections kept, the next
 * controller tried when one fails. Every call may block for as long as directory_settings.timeout_ms says, so only worker threads call; any of
 * them, at any time. What is asked: directory_asks.h. */
#pragma once
#include "core/authd/directory_conn.h"
#include "core/base/sid.h"

enum { DIRECTORY_REALMS = 64, DIRECTORY_TIMEOUT_MS = 10000 };

/* All borrowed; copied by directory_new(). */
struct directory_realm_settings {
	const char *name; /* "CORP.TEST": the Kerberos realm, which is the domain's DNS name */
	const char *const
	        *controllers; /* host names; NULL at the end; NULL or empty: _ldap._tcp.dc._msdcs.NAME tells */
	const char *bind_dn, *password_file, *ca_file; /* LDAPS with a simple bind; NULL: Kerberos with the keytab */
};
struct directory_settings {
	const char *keytab;  /* "FILE:/etc/..." or a path */
	uint32_t timeout_ms; /* for an ask as a whole; 0: DIRECTORY_TIMEOUT_MS */
	const struct directory_realm_settings *realms;
	size_t realm_count;
};

struct directory;
struct directory_realm;

/* Contacts nobody. NULL: no memory. */
struct directory *directory_new(const struct directory_settings *settings);
void directory_free(struct directory *d);

size_t directory_realm_count(const struct directory *d);
struct directory_realm *directory_realm_at(struct directory *d, size_t i);
const char *directory_realm_name(const struct directory_realm *r);

/* What a domain says about itself; stays as long as the directory. */
struct directory_facts {
	struct sid sid;
	char *dn;      /* "DC=corp,DC=test" */
	char *netbios; /* "CORP" */
};
/* NULL: no controller has answered yet, and none does now; why is filled. */
const struct directory_facts *directory_facts_of(struct directory_realm *r, struct directory_problem *why);
/* By "CORP" or "corp.test"; by a SID of it or of an account in it. NULL: none of ours. Realms that cannot be reached are passed over; in the second case
 * unreachable (unless NULL) says of the first of them why; its what is "" when there was none. */
struct directory_realm *directory_realm_named(struct directory *d, struct slice name);
struct directory_realm *directory_realm_of(struct directory *d, const struct sid *s,
                                           struct directory_problem *unreachable);

/* Runs work() with a connection; anew with another controller's when it returns DIRECTORY_LOST, so work() must begin by forgetting. Anything but
 * OK, STOPPED and NOT_THERE comes with why filled, by work() or here. */
typedef enum directory_status directory_work_fn(struct directory_conn *c, const struct directory_facts *domain,
                                                usec_t until, void *context, struct directory_problem *why);
enum directory_status directory_run(struct directory_realm *r, bool forest, directory_work_fn *work, void *context,
                                    struct directory_problem *why);

/* Of the controller that answered last; "" when none has. Copied into out. */
void directory_realm_controller(struct directory_realm *r, char out[static DIRECTORY_TEXT]);
