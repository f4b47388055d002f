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

struct credentials {
	struct loop *loop;
	const struct settings *settings;
	struct credential *list; /* owned; settings->credential_count of them */
	char host[272];          /* of each request's Host line */
	/* words is borrowed: take a reference. NULL: there are none any more. */
	void (*on_words)(void *owner, size_t index, struct credential_words *words);
	void *owner;
};

/* on_words and owner are set before. host: "GUID.rms.na.aadrm.com". On failure *where names the credential. Nothing stays open then. */
struct err credentials_open(struct credentials *all, struct loop *loop, const struct settings *settings,
                            const char *host, const char **where);
/* Reads files again; what cannot be used is told as an event, and the words before stay. */
void credentials_reload(struct credentials *all);
void credentials_close(struct credentials *all);
