/* The wire of a token request: OAuth 2.0 client credentials (RFC 6749 4.4) with a secret or with a signed assertion (RFC 7523), as the cloud's login
 * service takes it. Pure, but for the clock and random bytes that the caller brings. Whatever holds a secret is wiped when freed. */
#pragma once
#include "core/base/slice.h"

#include <stdint.h>

enum { TOKEN_BYTES_MAX = 12 * 1024, TOKEN_ADVICE_BYTES = 640 };

struct crypto_signer;

struct token_form { /* of application/x-www-form-urlencoded; owned: token_form_done() */
	char *text;
	size_t len, cap;
	bool failed; /* no memory */
};
/* name=value, both encoded; any byte is legal in value (WHATWG URL 5.2). */
void token_form_add(struct token_form *f, const char *name, struct slice value);
void token_form_done(struct token_form *f);

struct token_assertion {
	const struct crypto_signer *signer;
	const char *audience; /* the token endpoint's URL */
	const char *client_id;
	const char *id; /* unique: a GUID */
	int64_t now_s;
};
/* A JWT, PS256 (RFC 7515, RFC 7518 3.5), good for ten minutes. NULL: no memory, or the key cannot sign. The caller frees. */
char *token_assertion_make(const struct token_assertion *a);

enum token_outcome { TOKEN_GOOD, TOKEN_FATAL, TOKEN_CLOCK, TOKEN_WAIT };

struct token_answer {
	enum token_outcome outcome;
	char *token;                     /* GOOD: printable, no white space; owned: token_answer_done() */
	uint32_t expires_in_s;           /* GOOD: 5 to 86400 */
	uint32_t code;                   /* AADSTS number; 0: none was told */
	char advice[TOKEN_ADVICE_BYTES]; /* else: what happened and how to mend it, for an administrator; printable */
};
/* status and body of what the login service answered; anything may be in them. */
void token_answer_read(struct token_answer *out, unsigned status, struct slice body);
void token_answer_done(struct token_answer *a);
