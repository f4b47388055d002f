/* Kerberos, by GSSAPI: takes a caller's token, proves who it is, and makes the answer of mutual authentication. The only home of GSSAPI. Runs in the
 * threads of the token pool; each has its own credential. */
#pragma once
#include "core/authd/authd.h"

/* Into the environment, before any thread is started and before the first call of Kerberos: plugins of GSSAPI bring in libraries that this process must not
 * hold, and krb5.conf must not widen the time in which an authenticator counts, for which replay.h keeps what it saw. */
struct err gss_prepare(void);
/* false: a krb5.conf that said nothing of that time then has been changed and does now. Only a start puts it right again. */
bool gss_is_prepared(void);
/* Fills j->reply. token: of Kerberos, without SPNEGO around it. mech_oid: of the SPNEGO that was, for the answer's; empty: the token came bare. */
void gss_accept(struct authd *a, struct job *j, struct slice token, struct slice mech_oid);
void gss_thread_end(void);
