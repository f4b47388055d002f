/* NTLM version 2 as a caller speaks it ([MS-NLMP]): the three messages, as bytes. Nothing of it is trusted here: it exists so that servers which
 * still use it can be imitated. Pure, but for ntlm_answer_fill(). */
#pragma once
#include "bench/text.h"

#include <stddef.h>
#include <stdint.h>

enum { NTLM_KEY_BYTES = 16, NTLM_NONCE_BYTES = 8, NTLM_NAME_MAX = 256 };

struct ntlm_account {
	uint8_t key[NTLM_KEY_BYTES]; /* NTOWFv2: all that the password is needed for */
	char domain[NTLM_NAME_MAX], user[NTLM_NAME_MAX];
	char workstation[NTLM_NAME_MAX];
};

struct ntlm_challenge { /* borrowed from its message */
	uint32_t flags;
	const uint8_t *nonce;     /* NTLM_NONCE_BYTES */
	struct slice target_info; /* AV pairs, the one that ends them included; well-formed */
	const uint8_t *timestamp; /* 8 bytes of it; NULL: none */
};

struct ntlm_answer {
	struct slice hello, challenge; /* the messages before, whole, for the MIC */
	struct slice end_point;        /* hash of the server's certificate for the channel binding; empty: none */
	const char *spn;               /* whom the caller believes to speak to; NULL: not said */
	uint8_t nonce[NTLM_NONCE_BYTES], session_key[NTLM_KEY_BYTES];
	uint64_t filetime; /* 100 ns since 1601, when the server named no time */
};

/* who: "DOMAIN\user", ASCII, since its capitals matter. Any password in UTF-8. NULL, or what is wrong. */
const char *ntlm_account_make(struct ntlm_account *a, const char *who, struct slice password);

/* NEGOTIATE, appended. */
void ntlm_negotiate(struct text *out);
/* CHALLENGE. NULL, or what is wrong. */
const char *ntlm_challenge_read(struct slice message, struct ntlm_challenge *out);
/* Random bytes and the time of day. */
void ntlm_answer_fill(struct ntlm_answer *how);
/* AUTHENTICATE, appended. NULL, or why not. */
const char *ntlm_authenticate(const struct ntlm_account *a, const struct ntlm_challenge *c,
                              const struct ntlm_answer *how, struct text *out);
