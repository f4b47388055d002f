/* A worker's line to rms-connector-authd: tokens out, what they prove back, matched by id. Owned by the worker's relay; its thread only. While authd is
 * away nothing waits for it: a question fails at once, and those in progress are told. Questions have no time limit here: who asks has one, and takes
 * the question back. */
#pragma once
#include "core/base/metrics.h"
#include "core/net/channel.h"
#include "proto/authd_msg.h"

enum {
	AUTHD_CALLS_MAX = 4096,                /* open at a time; authd itself queues less */
	AUTHD_WAITING_BYTES = 4 * 1024 * 1024, /* that authd's socket has not taken */
	AUTHD_QUIET_MS = 1000,                 /* away for so long, also at the start, before an event tells it */
};

struct authd_call { /* embedded in who asks; zeroed: not open */
	uint32_t place;
	/* Once, from the loop, never from inside a call. reply: borrowed while it runs; NULL: authd went away. */
	void (*done)(struct authd_call *call, const struct authd_reply *reply);
};

struct authd_client {
	struct channel channel;
	struct metric_block *metrics;
	struct authd_place {
		struct authd_call *call; /* NULL: free */
		uint32_t turn;           /* of its uses: a late reply of the one before finds nobody */
		uint32_t next_free;
	} * places; /* [AUTHD_CALLS_MAX], [0] is never used */
	uint32_t first_free, open_calls;
	uint32_t epoch;    /* of the connection: conversations do not outlive it */
	uint32_t features; /* enum authd_feature; 0 while away */
	msec_t away_since;
	bool opened, up, told, tells; /* tells: this worker's line speaks for the node in events */
	void (*on_closed)(struct authd_client *a);
};

/* path: borrowed. */
struct err authd_client_open(struct authd_client *a, struct loop *l, const char *path, struct metric_block *metrics,
                             bool tells);
/* Nobody may wait any more; on_closed when its handles are gone. */
void authd_client_close(struct authd_client *a);

/* q->id is chosen here. false: authd is away, or too many wait; call is not open then. */
bool authd_client_ask(struct authd_client *a, struct authd_call *call, struct authd_request *q);
/* Takes a question back; harmless when it is not open. */
void authd_client_cancel(struct authd_client *a, struct authd_call *call);
/* A conversation that the caller left between two legs. */
void authd_client_leave(struct authd_client *a, uint32_t epoch, uint64_t conversation);

/* What every line to authd sends its messages with. false: it is not up, too much waits, no memory, or a field breaks its bound. */
bool authd_channel_send(struct channel *c, const struct authd_msg *m);
