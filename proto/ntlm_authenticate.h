/* NTLM's third message, as far as it says which TLS connection it was made for ([MS-NLMP] 2.2.1.3, 2.2.2.1, 2.2.2.7). What it says stands in the clear, and
 * the domain's controller checks it with the password's hash: it counts once that has said yes. Pure, strict; any thread. */
#pragma once
#include "core/base/slice.h"

enum { NTLM_BINDING_BYTES = 16 };

struct ntlm_authenticate {
	bool anonymous; /* no account's name */
	bool v2;        /* its response is NTLMv2's; older ones, and none, can be bound to nothing */
	bool bound;     /* there is a binding other than zeros */
	uint8_t binding[NTLM_BINDING_BYTES]; /* MD5 of a gss_channel_bindings_struct; if bound */
};

/* NULL when fine, else what is wrong. */
const char *ntlm_authenticate_read(struct slice token, struct ntlm_authenticate *out);
