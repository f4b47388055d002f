/* ONE request and its answer, top to bottom. Owned by its client_conn, one at a time; recycled by the relay. The worker's thread only. */
#pragma once
#include "core/crypto/crypto.h"
#include "core/relay/client_conn.h"
#include "proto/http_parse.h"
#include "proto/rms_op.h"
#include "proto/soap.h"

/*   step          function       what it does */
#define STEPS(STEP)                                                                                        \
	STEP(RECEIVE, receive)           /* a whole, sane request head                                  */ \
	STEP(ROUTE, route)               /* path, method, type, SOAPAction; unknown paths end here      */ \
	STEP(AUTHENTICATE, authenticate) /* who speaks: once a connection; authd does what blocks       */ \
	STEP(AUTHORIZE, authorize)       /* principal and list make a decision; memory only             */ \
	STEP(INSPECT, inspect)           /* the first child of Body, before a byte of the body goes on  */ \
	STEP(COLLECT, collect)           /* small bodies whole, of longer ones the beginning            */ \
	STEP(RECALL, recall)             /* an answer that is here already, or that others wait for too */ \
	STEP(CONNECT, connect_upstream)  /* lease an upstream connection, or wait in turn               */ \
	STEP(RELAY, relay_both)          /* two pumps, byte for byte: XrML is signed text               */ \
	STEP(ANSWER, answer)             /* self-made; then the rest of the request is thrown away      */ \
	STEP(FINISH, finish)             /* give back, count, one log line                              */

enum step {
#define STEP(name, function) STEP_##name,
	STEPS(STEP)
#undef STEP
	        STEP_COUNT
};

enum event {
	EV_ENTER,          /* the step begins */
	EV_BYTES,          /* from the caller, in relay->in */
	EV_CLIENT_DRAINED, /* the kernel has all of the answer so far */
	EV_CLIENT_GONE,
	EV_AUTH_DONE,
	EV_FLIGHT, /* others asked the same, and have an answer, a failure, or nothing */
	EV_LEASED,
	EV_LEASE_REFUSED,
	EV_WORDS,    /* newer ones than the cloud refused, in x->up */
	EV_UP_BYTES, /* from the cloud, in relay->answer_in */
	EV_UP_DRAINED,
	EV_UP_GONE, /* exchange.upstream_end says how */
	EV_TIMEOUT,
};

/* Bodies up to this size are complete before a connection to the cloud is taken: a caller that stops half-way holds nothing but its own
 * bytes. Longer ones stream, on at most half of the connections. */
enum { COLLECT_BYTES = 64 * 1024 };

enum { CORRELATION_BYTES = 32 };

struct authn;
struct recall;

struct exchange {
	struct list link; /* in relay->ready or relay->spare */
	struct relay *relay;
	struct client_conn *client; /* borrowed: it outlives us */
	struct upstream
	        *up; /* the cloud by the credential of this caller; set when it is authorized, NULL: it has none */
	struct upstream_conn *leased;
	struct lease_request lease;
	struct authn *authn; /* owned; NULL: it brought no Authorization */
	uint8_t step, ready_event;
	/* The request */
	const struct rms_service *service;
	const struct rms_op *op; /* NULL until known */
	struct http_body body;
	size_t scanned; /* how far the guard looked at an unfinished head */
	char *head_out; /* the head for the cloud, kept when the turn ended before it could be sent */
	size_t head_out_len;
	char *held; /* content of the body that came but could not go on */
	size_t held_len, held_cap, look_again_at;
	char *sent; /* RETRY_SAFE: the content as it came, for a second try */
	size_t sent_len, sent_cap;
	enum soap_version soap;
	bool http10 : 1, keep_alive : 1, head_only : 1, wants_100 : 1, action_unknown : 1, head_sent : 1, body_sent : 1,
	        retried : 1, permitted : 1, uninspected : 1, early : 1, streams : 1, authorized : 1;
	bool locates : 1;              /* nobody asks, and is answered here (locator.h) */
	size_t located;                /* bytes of that answer, in the relay's scratch memory, from COLLECT to ANSWER */
	bool noted : 1, asks_anew : 1; /* variant is there; the caller wants no remembered answer */
	uint8_t variant[CRYPTO_SHA256_BYTES]; /* of what in the head an answer may depend on (recall.h) */
	struct recall *recall;                /* owned; NULL: the answer is nothing to be remembered */
	uint32_t said_serial;                 /* of the words that went with the head: they may be newer by now */
	uint32_t refused_serial;              /* of the words that the cloud answered 401 to; 0: it did not */
	/* The answer */
	struct http_body reply;
	struct held *reply_held; /* the beginning of its head */
	size_t reply_scanned;
	uint16_t status, upstream_status;
	uint8_t interim, reply_framing, onboarding;
	uint8_t replacement; /* enum err_code: what the caller gets instead of this answer */
	bool reply_begun : 1, reply_bytes : 1, answered : 1, extra_bytes : 1, up_keeps : 1, close_after : 1;
	uint32_t retry_after_s;
	struct err upstream_end, failure;
	uint8_t after;        /* enum client_after */
	uint8_t close_reason; /* enum close_reason */
	uint64_t id;
	uint64_t client_sent;
	usec_t at_head, at_sent, at_first, at_end;
	msec_t began;
};

struct exchange *exchange_new(struct relay *r, struct client_conn *c);
/* The only way in. May end and recycle the exchange: then client->exchange is NULL. */
void exchange_run(struct exchange *x, enum event ev);
/* A connection that may not even ask: answers, counts, logs, and closes it. x is new; then client->exchange is NULL. */
void exchange_refuse(struct exchange *x, struct err why, enum close_reason reason);
/* Its connection is being reset from outside a step: everything is given back, nothing is answered. */
void exchange_abandon(struct exchange *x);
/* It waits for something that came: the event is given to it before the loop sleeps, never from inside a step. */
void exchange_run_later(struct exchange *x, enum event ev);
/* For the steps, wherever they stand: the caller gets a self-made answer; when part of another one has gone out already, only a cut
 * connection tells the truth. */
enum step exchange_answer_with(struct exchange *x, struct err why);
bool exchange_awaits_head(const struct exchange *x);
/* Bytes of its body are in memory; not of one that streams, whose bytes are with the cloud. */
bool exchange_holds_body(const struct exchange *x);
/* The caller does not read: pauses the cloud. */
void exchange_client_blocked(struct exchange *x);
void exchange_correlation(const struct exchange *x, char out[static CORRELATION_BYTES + 1]);
const char *exchange_step_name(unsigned step);
