/* One LDAP connection to one domain controller: signed and sealed by Kerberos, or LDAPS with a simple bind; no referrals, every wait bounded, answers
 * in pages. The only file that sees ldap.h. Blocking: for authd's worker threads; one thread at a time. Owned by directory.c. */
#pragma once
#include "core/base/clock.h"
#include "core/base/slice.h"

enum { DIRECTORY_TEXT = 256, DIRECTORY_PAGE = 500, DIRECTORY_CONTROLLERS = 16 };

/* What is wrong, in an administrator's words; mend: literal, may be "". */
struct directory_problem {
	char what[DIRECTORY_TEXT];
	const char *mend;
};

/* Borrowed while directory_conn_open() runs. */
struct directory_target {
	const char *host;          /* a name for Kerberos, as the controller's SPN has it */
	const char *bind_dn;       /* simple bind over LDAPS; NULL: Kerberos */
	const char *password_file; /* with bind_dn; its first line */
	const char *ca_file;       /* who may have issued the controller's certificate; NULL: the system's */
	const char *ccache;        /* Kerberos: where the ticket is; read by the calling thread only */
	bool forest;               /* the global catalog: all domains of the forest, some attributes */
	usec_t until;              /* clock_now(): no wait is longer */
};

struct directory_conn;
/* NULL: why is filled. */
struct directory_conn *directory_conn_open(const struct directory_target *t, struct directory_problem *why);
void directory_conn_close(struct directory_conn *c);

enum directory_scope { SCOPE_OBJECT, SCOPE_SUBTREE };
enum directory_status {
	DIRECTORY_OK,
	DIRECTORY_STOPPED, /* each() wanted no more, or limit */
	DIRECTORY_NOT_THERE,
	DIRECTORY_LOST,    /* the connection is of no use any more: close it, try another controller */
	DIRECTORY_REFUSED, /* the controller answered, but not with this */
};

struct directory_query {
	const char *base, *filter;     /* filter NULL: (objectClass=*) */
	const char *const *attributes; /* NULL at the end */
	enum directory_scope scope;
	uint32_t limit; /* entries; 0: all */
	usec_t until;
};

struct directory_entry; /* valid inside each() only */
typedef bool directory_each_fn(void *context, struct directory_entry *e);
enum directory_status directory_conn_search(struct directory_conn *c, const struct directory_query *q,
                                            directory_each_fn *each, void *context, struct directory_problem *why);

const char *directory_entry_dn(struct directory_entry *e);
/* Value number i of an attribute; valid until each() returns. false: there is none. */
bool directory_entry_value(struct directory_entry *e, const char *attribute, size_t i, struct slice *out);
/* Controllers give long lists in pieces, "member;range=0-1499". Calls value() for those there are and returns where the next piece begins; 0: there is none. */
uint32_t directory_entry_range(struct directory_entry *e, const char *attribute,
                               void (*value)(void *context, struct slice v), void *context);
/* Its first value as a number, as the directory writes them ("-2147483646"). */
bool directory_entry_number(struct directory_entry *e, const char *attribute, int64_t *out);

/* The hosts of _ldap._tcp.dc._msdcs.REALM by priority and weight, through the system's resolver. Returns how many. */
size_t directory_conn_lookup(const char *realm, char out[static DIRECTORY_CONTROLLERS][DIRECTORY_TEXT]);
