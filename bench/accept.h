/* What a Kerberos ticket costs who accepts it: the bare call of GSSAPI in a loop, and the same tokens put to rms-connector-authd. Each token is made
 * ahead and used once. accept_main.c holds the command line. */
#pragma once
#include "core/base/slice.h"

enum { ACCEPT_WORDS = 512, ACCEPT_TOKENS_MAX = 200000, ACCEPT_THREADS_MAX = 16 };

struct accept_tokens { /* owned; SPNEGO as a Windows caller sends it */
	struct slice *at;
	size_t count;
};

/* Tokens of the credential cache (NULL: KRB5CCNAME) for the service. false: words. */
bool accept_tokens_make(const char *cache, const char *spn, size_t count, struct accept_tokens *out,
                        char words[static ACCEPT_WORDS]);
void accept_tokens_free(struct accept_tokens *t);

struct accept_result {
	size_t accepted;
	double seconds, cpu_s; /* cpu_s: of the threads that accept; 0 where they are another process */
};

/* gss_accept_sec_context() with the keytab, without a replay cache, in so many threads. The Kerberos token goes in without SPNEGO around it, which
 * makes the floor lower. pac: also reads the logon information of the PAC, as whoever wants groups must. false: words. */
bool accept_bare(const struct accept_tokens *t, const char *keytab, unsigned threads, bool pac,
                 struct accept_result *out, char words[static ACCEPT_WORDS]);
/* Over the Unix socket of rms-connector-authd, with so many of them unanswered at any time. false: words. */
bool accept_authd(const struct accept_tokens *t, const char *path, unsigned in_flight, struct accept_result *out,
                  char words[static ACCEPT_WORDS]);
double accept_now_s(void);
