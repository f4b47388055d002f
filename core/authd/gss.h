/* Kerberos, by GSSAPI: takes a caller's token, proves who it is, and makes the answer of mutual authentication. The only home of GSSAPI. Runs in the
 * threads of the token pool; each has its own credential. Needs GSS_MECH_CONFIG=/dev/null in the environment before the first call (gss_prepare). */
#pragma once
#include "core/authd/authd.h"

/* Before any thread is started: plugins of GSSAPI bring in libraries that this process must not hold. */
void gss_prepare(void);
/* Fills j->reply. token: of Kerberos, without SPNEGO around it. mech_oid: of the SPNEGO that was, for the answer's; empty: the token came bare. */
void gss_accept(struct authd *a, struct job *j, struct slice token, struct slice mech_oid);
void gss_thread_end(void);
