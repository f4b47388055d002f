/* Tokens of one credential by OAuth 2.0 client credentials: fetched by the main thread, one request at a time, early enough that the one before is still
 * good, and used on while it is when the login service is away.
 *
 *   start -> fetch -> GOOD: on_token, again 5 minutes before its end, or at 80 % of a short life
 *                     WAIT, network: again after 1, 2, 4 ... 60 s with jitter, or when Retry-After says
 *                     CLOCK: once more at once, then as WAIT
 *                     FATAL: told with advice; not again before oauth_reload(), but once an hour
 */
#pragma once
#include "core/base/err.h"
#include "core/base/settings.h"
#include "core/cloud/token.h"
#include "core/net/loop.h"

struct oauth;
struct oauth_trial;
struct resolver;
struct secret;

struct oauth_events {
	/* token is borrowed. NULL: the last one has ended, or was refused, and there is no other yet. */
	void (*on_token)(void *context, const char *token);
};

struct oauth_state { /* for people */
	bool has_token, fatal;
	int64_t token_ends_s;     /* since 1970; 0: none */
	uint32_t fetched, failed; /* counts */
	bool refused;             /* the last try, by the login service itself, as it would the next one */
	uint32_t code;            /* AADSTS number of the last try; 0: none was told */
	const char *problem;      /* of the last try; NULL: it went well, or none ended yet */
};

/* settings: borrowed, of the kind oauth2-secret or oauth2-certificate. ERR_FILE, ERR_SETTINGS with words. Nothing is told from inside. */
struct err oauth_open(struct loop *l, const struct settings *all, const struct credential_settings *settings,
                      struct resolver *resolver, const struct oauth_events *events, void *context, struct oauth **out);
/* Secret and certificate are read again, and a token is fetched with them. What cannot be read is an error, and what was there before is used on. */
struct err oauth_reload(struct oauth *o);
/* The service refused the token: another is fetched at once, but not more often than each 10 s. */
void oauth_refused(struct oauth *o);
struct oauth_state oauth_state(const struct oauth *o);
/* One more request for a token, whose answer changes nothing here: with candidate in place of the secret, or as usual with NULL. done: once, later, unless
 * cancelled; answer is borrowed. NULL: no memory. To be cancelled before oauth_close(). */
struct oauth_trial *oauth_try(struct oauth *o, const struct secret *candidate,
                              void (*done)(void *context, const struct token_answer *answer), void *context);
void oauth_trial_cancel(struct oauth_trial *t); /* NULL is fine */
/* When the certificate ends, seconds since 1970; 0: it has none. */
int64_t oauth_certificate_ends(const struct oauth *o);
/* Frees itself when its handles are closed. NULL is fine. */
void oauth_close(struct oauth *o);
