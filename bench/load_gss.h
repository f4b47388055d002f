/* Kerberos as a caller speaks it: tokens for a service from a credential cache, and the check of what the service answers. The only file of the load
 * tool that sees GSSAPI. All of it is called by one thread at a time (load_tokens.c), because a credential is not shared. */
#pragma once
#include "bench/text.h"

#include <stddef.h>
#include <stdint.h>

struct load_gss;         /* one caller's credential */
struct load_gss_context; /* of one token, until the answer to it was checked */

enum { LOAD_GSS_WORDS = 512 };

/* Opens what cache names (NULL: KRB5CCNAME or the default) and copies it to memory: tokens are then made without touching a file.
 * false: words, and what to do about it. */
bool load_gss_open(const char *cache, struct load_gss **out, char words[static LOAD_GSS_WORDS]);
void load_gss_free(struct load_gss *g);

/* A first SPNEGO token for the service, asking it to prove itself too; appended to token as bytes. The first one asks the KDC for a ticket, all others
 * are computation. end_point: the hash for the channel binding tls-server-end-point, or empty. false: words. */
bool load_gss_token(struct load_gss *g, const char *spn, struct slice end_point, struct text *token,
                    struct load_gss_context **context, char words[static LOAD_GSS_WORDS]);
/* Whether the answer comes from who holds the service's key. false: words. */
bool load_gss_check(struct load_gss_context *c, struct slice answer, char words[static LOAD_GSS_WORDS]);
void load_gss_forget(struct load_gss_context *c);

/* NULL, or the name of an OpenSSL that is loaded beside our BoringSSL: their symbols are mixed up then, and the process may crash. */
const char *load_gss_openssl(void);
