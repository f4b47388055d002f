/* The cloud as one credential sees it: its connections, which no other credential ever uses, and the words that go with each request. One for each
 * credential and worker; the worker's thread only, but for `offered`. */
#pragma once
#include "core/cloud/words.h"
#include "core/relay/upstream_pool.h"

enum { UPSTREAM_REFUSED_PAUSE_MS = 10000 };

struct upstream {
	struct upstream_pool pool;
	const struct credential_settings *credential; /* borrowed */
	struct credential_words *words;   /* a reference; NULL or empty: nothing to say yet, so nothing is sent */
	struct credential_words *offered; /* atomic: a reference, from the main thread to this one */
	struct list awaiting;             /* exchanges that wait for newer words than the cloud refused */
	uint32_t refusal;        /* atomic: the serial of words that were refused, for the main thread; 0: it knows */
	uint32_t refused_serial; /* of the words that were refused last, and when; 0: none were */
	msec_t refused_at;
	bool renews; /* words that were refused can be replaced by newer ones */
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
/* What was offered is used from now on. True: something was. */
bool upstreams_take(struct upstreams *all);

/* The cloud refused these words, now. True: newer ones may come, and are worth waiting for; not when the ones before were refused a moment ago. */
bool upstream_refused(struct upstream *u, uint32_t serial, msec_t now);
/* Main thread: the serial of words that were refused since it asked last; 0: none were. */
uint32_t upstream_refusal(struct upstream *u);

/* There is something to say to the cloud. */
static inline bool upstream_is_ready(const struct upstream *u)
{
	return u->words && u->words->len;
}
