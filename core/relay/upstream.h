/* The cloud as one credential sees it: its connections, which no other credential ever uses, and the words that go with each request. One for each
 * credential and worker; the worker's thread only, but for `offered`. */
#pragma once
#include "core/cloud/words.h"
#include "core/relay/upstream_pool.h"

struct upstream {
	struct upstream_pool pool;
	const struct credential_settings *credential; /* borrowed */
	struct credential_words *words;               /* a reference; NULL: nothing to say yet, so nothing is sent */
	struct credential_words *offered;             /* atomic: a reference, from the main thread to this one */
};

struct upstreams {
	struct upstream *list; /* owned */
	size_t count;
};

struct err upstreams_open(struct upstreams *all, struct loop *loop, const struct settings *settings,
                          struct metric_block *metrics, const struct upstream_endpoint *endpoint);
void upstreams_close(struct upstreams *all);
/* After the loop closed its handles. */
void upstreams_done(struct upstreams *all);

/* NULL: no credential is meant for this caller, so nothing is relayed. entry: of the list that let it in; NULL where it has no SID. */
struct upstream *upstreams_find(struct upstreams *all, enum authlist_role role, const struct sid *entry);

/* Any thread: words of credential number index, a newer offer replaces one that was not taken. Needs no memory. */
void upstreams_offer(struct upstreams *all, size_t index, struct credential_words *words);
/* What was offered is used from now on. */
void upstreams_take(struct upstreams *all);
