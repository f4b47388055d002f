/* One connection of a caller: sends a request, reads its answer, tells how that ended, may be used again. Embedded in its owner; its loop's thread.
 *
 *   CLOSED -- load_conn_send/open --> CONNECTING --> OPEN <--> BUSY         on_answer ends BUSY, in whatever way
 *     ^------------------ on_closed ------- CLOSING <-- from everywhere
 */
#pragma once
#include "bench/load_stats.h"
#include "core/net/stream.h"
#include "core/net/timers.h"
#include "proto/http_parse.h"

struct load_conn;

struct load_request { /* whole, ready to send; borrowed until on_answer */
	char *bytes;
	size_t len, head_len;
	size_t serial_at; /* where 16 hex digits of serial are written, just before they are sent; SIZE_MAX: nowhere */
	uint64_t serial;
	struct slice line; /* one more header with its CRLF, goes in before the end of the head; borrowed like bytes */
	bool proof;        /* what the answer says about authentication is wanted */
	bool expect;       /* the body waits for 100 Continue */
	bool keep_body;    /* of the answer */
};

enum load_offer { LOAD_OFFER_NEGOTIATE = 1, LOAD_OFFER_NTLM = 2 };

struct load_answer {
	enum load_error error;
	uint16_t status; /* 0: no head came */
	bool soap, compressed, kept;
	bool self_made; /* not good, and with X-Correlation-Id: a connector's own */
	uint64_t body_bytes;
	struct slice reason; /* of a self-made answer, borrowed from the connection; empty */
	uint8_t offers;      /* WWW-Authenticate, with request.proof: enum load_offer */
	char *token;         /* base64 of it, malloc'ed, given away; NULL: none */
	char *body;          /* malloc'ed, given away with body_bytes in it when kept; NULL when empty */
};

struct load_conn_events {
	/* After it the connection is OPEN (and may be used at once, inside the call too) or CLOSING. */
	void (*on_answer)(struct load_conn *c, struct load_answer *a);
	/* Nothing is open any more; may be used again. Also when an idle connection was closed by the other side. */
	void (*on_closed)(struct load_conn *c);
	/* An idle connection is CLOSING; may be NULL. */
	void (*on_lost)(struct load_conn *c);
	/* load_conn_open() is done; may be NULL. */
	void (*on_open)(struct load_conn *c);
};

/* What the connections of one loop share. */
struct load_link {
	struct loop *loop;
	const struct load_conn_events *events;
	struct deadline_queue timeouts, expects;
	struct http_head head; /* scratch: heads live only while they are looked at */
	uint64_t connections, connections_failed, stray;
	uint32_t live; /* connections that are not CLOSED */
};

enum load_conn_state {
	LOAD_CONN_CLOSED,
	LOAD_CONN_CONNECTING,
	LOAD_CONN_OPEN,
	LOAD_CONN_BUSY,
	LOAD_CONN_CLOSING,
};

struct load_conn {
	struct stream io;
	struct load_link *link;
	const struct sockaddr *address;
	struct tls_client *tls;
	uint8_t state; /* enum load_conn_state */
	bool busy;     /* request is set: an answer is owed to the owner */
	bool expecting, head_seen, keep_alive, stuck;
	struct load_request request;
	size_t sent;
	struct deadline timeout, expect;
	struct http_body body;
	struct load_answer answer;
	char reason[LOAD_REASON_BYTES];
	char *held; /* a head that came in pieces */
	size_t held_len, scanned;
	unsigned interim; /* 1xx answers so far */
	size_t kept_cap;
};

enum { LOAD_HEAD_MAX = 64 * 1024, LOAD_INTERIM_MAX = 16, LOAD_KEPT_MAX = 64 * 1024 * 1024 };

void load_link_init(struct load_link *k, struct loop *l, const struct load_conn_events *events, uint32_t timeout_ms);
void load_link_done(struct load_link *k);

void load_conn_init(struct load_conn *c, struct load_link *k, const struct sockaddr *address, struct tls_client *tls);
/* CLOSED: connects first. OPEN: sends now. */
void load_conn_send(struct load_conn *c, const struct load_request *r);
/* Connects without a request. */
void load_conn_open(struct load_conn *c);
/* No more requests on it. A request that is owed an answer ends as why. */
void load_conn_close(struct load_conn *c, enum load_error why);
