/* What all exchanges of one worker share: loop, settings, pool, deadline queues, scratch memory, counts. Embedded in the worker; its thread only. */
#pragma once
#include "core/base/metrics.h"
#include "core/base/request_log.h"
#include "core/base/settings.h"
#include "core/net/timers.h"
#include "core/relay/authd_client.h"
#include "core/relay/principal.h"
#include "core/relay/rate.h"
#include "core/relay/upstream.h"
#include "store/cache_index.h"
#include "store/decisions.h"
#include "proto/http_guard.h"
#include "proto/http_msg.h"

struct exchange;
struct client_conn;
struct listener;

enum close_reason {
#define CLOSE(name, text) CLOSE_##name,
#include "core/relay/closes.def"
#undef CLOSE
	CLOSE_COUNT
};

/* Which wait a connection of a caller is in: its deadline is in just this queue. */
enum wait {
	WAIT_NONE,
	WAIT_IDLE,            /* for the next request */
	WAIT_HEAD,            /* for the rest of a head, or of the TLS handshake */
	WAIT_BODY,            /* for the request's body; looked at each body_grace_ms */
	WAIT_AUTH,            /* for authd to say who the caller is */
	WAIT_LEASE,           /* for a connection to the cloud */
	WAIT_FIRST_BYTE,      /* for the answer to begin */
	WAIT_FIRST_BYTE_LONG, /* the same for operations that take 2.5 times as long */
	WAIT_ANSWER,          /* for more of the answer, or for the cloud to take more of the request */
	WAIT_CLIENT,          /* for the caller to take more of its answer */
	WAIT_LINGER,          /* for the caller's end, after a last answer */
	WAIT_COUNT
};

/* Bytes of the event being handled, not yet consumed. */
struct input {
	char *at;
	size_t n;
	bool in_place; /* in the loop's buffer: there is room before and behind for frames */
};

enum {
	RELAY_SCRATCH_BYTES = 48 * 1024 /* a head with words and headers at their limits */,
	RELAY_SPARE_EXCHANGES = 256,
	RECALL_RECENT = 32,
	RECALL_RECENT_MS = 10000,
	RECALL_ASKED = 8192,
};

/* An answer that this worker remembered, as long as no snapshot of the cache has it. */
struct recent {
	struct cached *answer; /* a reference; NULL: none */
	uint64_t purges;
	msec_t since;
};

struct relay {
	struct loop *loop;
	const struct settings *settings; /* borrowed; lives as long as the process */
	struct metric_block *metrics;    /* owned by the worker */
	struct request_log_buffer *log;  /* may be NULL */
	struct upstreams upstreams;
	/* The cloud refused words: the main thread asks upstream_refusal() which. */
	void (*on_words_refused)(struct relay *r);
	struct upstream *switched; /* with --loopback-caller: whose credential that caller uses; may be NULL */
	struct authd_client authd;
	struct principals principals;
	bool ntlm;              /* auth.ntlm is not off */
	bool anonymous_locator; /* auth.anonymous_locator is local */
	struct authlist *list;  /* a reference; NULL: never loaded. Set by relay_take_list() only */
	/* Borrowed, shared by all workers; NULL: decisions are not recorded. Set before the relay is opened. */
	struct decisions *decisions;
	uint64_t decision_id;       /* of the last record */
	uint32_t list_serial;       /* counts lists, from 1: what was decided by an earlier one is decided anew */
	struct cache_index *cached; /* a reference; NULL: nothing is remembered. Set by recall_take_index() only */
	struct recent recent[RECALL_RECENT];
	uint32_t recent_next;
	uint32_t asked[RECALL_ASKED]; /* parts of keys that were asked for; a newer one takes the place of an older */
	struct list flights;          /* questions that several wait for */
	/* Takes the reference: for the main thread, which has the cache. NULL: nobody. */
	void (*on_remembered)(struct relay *r, struct cached *answer, uint64_t purges);
	struct deadline_queue waits[WAIT_COUNT];
	struct list ready; /* exchanges for which something came that they waited for; run before the loop sleeps */
	uv_prepare_t before_poll;
	struct list spare; /* exchanges to use again */
	uint32_t spare_count;
	/* Of the callback that runs now */
	struct input in, content, answer_in;
	struct http_head head, answer_head;
	char scratch[RELAY_SCRATCH_BYTES];
	struct guard_limits head_limits;
	uint64_t id_prefix, id_next; /* correlation ids */
	size_t held_bytes, unfinished_bytes;
	uint32_t clients, exchanges;
	uint32_t beyond;                /* connections beyond the limit that are still being told so */
	struct client_conn *spare_conn; /* to take a connection with when there is no memory, and close it */
	struct listener *stalled; /* listeners whose next connection waits: for memory, or for room (admission.h) */
	uint32_t streaming;       /* exchanges that hold a connection to the cloud while their body still comes */
	struct rate_share rate;
	struct rate_limit *node_rate; /* of all workers */
	uint32_t *node_clients;       /* of all workers; atomic */
	uint32_t clients_max;
	int64_t certificates_from_s,
	        certificates_until_s; /* all listeners' are valid, since 1970; until 0: there are none */
	bool draining, stopping;
	void (*on_empty)(struct relay *r); /* stopping, and the last client is gone */
	void *owner;
};

/* The loop must run already or soon; settings of pools come from r->settings. first: of the process, whose events speak for all. */
struct err relay_open(struct relay *r, struct loop *loop, const struct settings *settings, struct metric_block *metrics,
                      struct request_log_buffer *log, const struct upstream_endpoint *endpoint, bool first);
/* From now on each answer says Connection: close. */
void relay_drain(struct relay *r);
/* Another list of authorized servers; takes a reference of its own. */
void relay_take_list(struct relay *r, struct authlist *list);
/* What the main thread offered: words for the cloud. */
void relay_take_words(struct relay *r);
/* NULL: /readyz says ok. Else why not, in words: only what is this node's own trouble. What all nodes share (the cloud, the directory, a list that is too old) is
 * answered 429 or 500 instead, since a balancer that takes every node away leaves callers with refused connections, which they take as final. */
const char *relay_not_ready(const struct relay *r);
/* The part of it that never changes but with the time; any thread. */
const char *relay_certificates_not_ready(const struct relay *r);
/* Idle connections close now, others when their exchange ends; then on_empty. With at_once all are reset. */
void relay_stop(struct relay *r, bool at_once);
/* After on_empty: closes the pool and its handles. */
void relay_close(struct relay *r);
/* After relay_close() and after the loop closed its handles. */
void relay_done(struct relay *r);
