/* What proves the tenant to the cloud, kept ready by the main thread: one for each row of the configuration's credentials. Each gives words
 * (words.h) through on_words, now and whenever they change; until the first, requests of its roles are deferred.
 *
 *   open -> on_words ... on_words        SIGHUP: credentials_reload()        a worker saw them refused: credentials_refused()
 */
#pragma once
#include "core/base/err.h"
#include "core/base/settings.h"
#include "core/cloud/words.h"
#include "core/net/loop.h"

struct credential;
struct resolver;

struct credentials {
	struct loop *loop;
	const struct settings *settings;
	struct credential *list;   /* owned; settings->credential_count of them */
	struct resolver *resolver; /* owned; NULL: no kind needs it */
	uv_timer_t daily;          /* looks for what ends soon */
	bool timer_open;
	char host[300]; /* of each request's Host line */
	/* words is borrowed: take a reference. Empty: there is nothing to say any more. */
	void (*on_words)(void *owner, size_t index, struct credential_words *words);
	/* Asks for the line of a credential of the kind exec; credentials_line() tells it later. NULL: nobody can be asked. */
	bool (*ask_line)(void *owner, size_t index);
	void *owner;
};

/* on_words and owner are set before. host: "GUID.rms.na.aadrm.com". On failure *where names the credential. Nothing stays open then. */
struct err credentials_open(struct credentials *all, struct loop *loop, const struct settings *settings,
                            const char *host, const char **where);
/* What ask_line() asked for: a line that is good until ends_s (since 1970), or problem. Harmless after credentials_close(). */
void credentials_line(struct credentials *all, size_t index, struct slice text, int64_t ends_s, const char *problem);
/* What is said for it now: whole header lines; empty: nothing. Borrowed. */
struct slice credentials_words(const struct credentials *all, size_t index);
/* The service answered 401 to these words: another token is fetched, if it is not there already. */
void credentials_refused(struct credentials *all, size_t index, uint32_t serial);
/* What there is to say about one, for people; problem is NULL while all is well. */
struct credential_state {
	const struct credential_settings *settings;
	bool ready;           /* there are words */
	int64_t token_ends_s; /* since 1970; 0: no token, or it has no end */
	int64_t ends_s;       /* of its certificate; 0: none */
	uint32_t fetched, failed;
	bool refused;  /* the last try: by the login service itself, which would say the same again */
	uint32_t code; /* the AADSTS number it told; 0: none */
	const char *problem;
};
struct credential_state credentials_state(const struct credentials *all, size_t index);
/* Reads files again; what cannot be used is told as an event, and the words before stay. */
void credentials_reload(struct credentials *all);
/* Which one has that name; false: none. */
bool credentials_find(const struct credentials *all, const char *name, size_t *index);
/* Whether a secret has the form that this credential's needs: a line, a key that belongs to its certificate. err.what says what is wrong. */
struct err credentials_check(const struct credentials *all, size_t index, struct slice secret);
/* Checks it, seals it into the credential's file and uses it from now on; of mtls from the next start on. The kind has a secret. *made_key: the node's key
 * was made for it. */
struct err credentials_set(struct credentials *all, size_t index, struct slice secret, bool *made_key);
/* Its login; NULL: it has none, or no secret for it yet. Borrowed. */
struct oauth *credentials_oauth(const struct credentials *all, size_t index);
/* Before the loop ends; handles close over its next turns. */
void credentials_close(struct credentials *all);
void credentials_done(struct credentials *all); /* after the loop */
