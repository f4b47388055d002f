/* The ticket with which authd itself speaks to a directory: got with a key of the keytab, kept in memory, renewed before it ends. A file of its own
 * because it is the only one of the directory's that sees Kerberos. Any thread. */
#pragma once
#include "core/authd/directory_conn.h"

struct directory_login; /* one for each realm */
/* Both copied. */
struct directory_login *directory_login_new(const char *keytab, const char *realm);
void directory_login_free(struct directory_login *l);

enum { DIRECTORY_CCACHE = 160 };
/* The name of a credential cache with a ticket that lasts some minutes more; asks a KDC when there is none. false: why is filled. */
bool directory_login_get(struct directory_login *l, char ccache[static DIRECTORY_CCACHE],
                         struct directory_problem *why);
/* After the directory refused the ticket: the next get asks for a new one. */
void directory_login_forget(struct directory_login *l);
/* Makes GSSAPI of this thread take its ticket from there. */
void directory_login_use(const char *ccache);
