/* The conversation of Authorization and WWW-Authenticate (RFC 4559) as text: which scheme and which token a caller sent, and the value that
 * answers it. Who is behind a token is authd's matter. Pure. */
#pragma once
#include "core/base/slice.h"

enum { NEGOTIATE_TOKEN_BYTES = 64 * 1024 };

enum negotiate_scheme { SCHEME_OTHER /* Basic, Bearer, ... */, SCHEME_NEGOTIATE, SCHEME_NTLM };
enum negotiate_kind {
	TOKEN_NONE,         /* the word alone */
	TOKEN_KERBEROS,     /* SPNEGO whose first choice is Kerberos, or Kerberos bare: for authd, one leg */
	TOKEN_NTLM,         /* bare, under either word */
	TOKEN_SPNEGO_NTLM,  /* SPNEGO whose first choice is NTLM */
	TOKEN_SPNEGO_NEXT,  /* a later leg in SPNEGO (NegTokenResp) */
	TOKEN_SPNEGO_OTHER, /* SPNEGO with another first choice (NEGOEX, ...) */
	TOKEN_UNKNOWN,      /* base64 of something else */
};

struct negotiate_offer {
	enum negotiate_scheme scheme;
	enum negotiate_kind kind;
	uint32_t ntlm_type; /* 1, 2, 3 with TOKEN_NTLM and, where it shows, TOKEN_SPNEGO_*; else 0 */
	struct slice token; /* decoded, in room */
};

/* An Authorization value, without spaces around it. room: at least value.len / 4 * 3 bytes, may be the value's own memory.
 * NULL, or what is wrong: no scheme, not base64, a token over NEGOTIATE_TOKEN_BYTES, several tokens. Nothing is wrong with SCHEME_OTHER. */
const char *negotiate_read(struct slice value, char *room, struct negotiate_offer *out);

/* "Negotiate <base64>" for WWW-Authenticate; the word alone for an empty token. out: negotiate_answer_len(). Returns the length. */
static inline size_t negotiate_answer_len(size_t token_len)
{
	return sizeof("Negotiate ") - 1 + (token_len + 2) / 3 * 4;
}
size_t negotiate_answer(enum negotiate_scheme scheme, struct slice token, char *out);
