/* The connector's own ticket, by a key of the keytab. The library would try the newest key only; while a change of the password is prepared, that is one
 * which the domain does not know yet. So one version after the other is tried, the one that worked last first, because a wrong one counts as a wrong
 * password. Any thread; a krb5_context is of one thread at a time. */
#pragma once
#include <krb5.h>
#include <stdint.h>

/* Which keys worked last; zeroed: not known. nth: of keys of the same version and kind. */
struct own_key {
	uint32_t kvno, nth;
};

/* service: of the ticket, in who's realm; NULL: the ticket-granting ticket. worked: may be NULL. *out: krb5_free_cred_contents() after success. */
krb5_error_code own_login(krb5_context krb, krb5_keytab keytab, krb5_principal who, const char *service,
                          struct own_key *worked, krb5_creds *out);
