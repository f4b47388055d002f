/* The wrapping around Kerberos and NTLM tokens under "Negotiate" (RFC 4178, RFC 2743 3.1): which mechanism is inside, and our last answer.
 * Only the frame is read, here and with hard bounds; what is inside is for GSSAPI or for ntlm_auth. Pure. */
#pragma once
#include "core/base/slice.h"

enum spnego_mech {
	MECH_OTHER,
	MECH_KERBEROS,
	MECH_KERBEROS_MS /* the number of Windows 2000 for the same */,
	MECH_NTLM,
	MECH_NEGOEX
};

struct spnego {
	bool begins;           /* a NegTokenInit, else a NegTokenResp */
	enum spnego_mech mech; /* its first choice, whose token it is; OTHER in a NegTokenResp */
	struct slice mech_oid; /* contents of the OID, borrowed */
	bool offers_kerberos;  /* somewhere in the list */
	struct slice token;    /* of the mechanism, borrowed; may be empty */
};

/* NULL when fine, else what is wrong. */
const char *spnego_read(struct slice token, struct spnego *out);
/* The mechanism of a bare GSSAPI token, 0x60 ...; OTHER when it is none. */
enum spnego_mech spnego_mech_of(struct slice token);
/* NegTokenResp accept-completed: mechanism, then its token unless empty. out: token.len + SPNEGO_ANSWER_EXTRA. Returns the length. */
enum { SPNEGO_ANSWER_EXTRA = 64 };
size_t spnego_accepted(struct slice mech_oid, struct slice token, char *out);
/* The same with accept-incomplete: the other side goes on. */
size_t spnego_incomplete(struct slice mech_oid, struct slice token, char *out);
