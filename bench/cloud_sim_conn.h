/* One connection of a caller to the cloud stand-in: reads requests, answers them, and misbehaves where a rule says so. Owned by its worker; lives
 * until its stream is closed.
 *
 *   bytes -> in -> head (guard, parser; the rule is chosen here) -> body -> answer -> wire -> stream
 *                  at_request_byte ----------^        early_answer ---^      ^--- at
 */
#pragma once
#include "bench/cloud_sim_clock.h"
#include "bench/cloud_sim_reply.h"
#include "bench/cloud_sim_script.h"
#include "bench/cloud_sim_seen.h"
#include "core/net/stream.h"
#include "proto/http_parse.h"

struct sim_worker;
struct sim_listener;

/* What a worker knows of its connections, of either kind. */
struct sim_peer {
	struct list link;
	bool (*is_idle)(struct sim_peer *p);
	void (*close)(struct sim_peer *p, enum sim_action how);
};

/* A connection waits at the listener. what: SIM_GO_ON, or SIM_CLOSE, SIM_RESET, SIM_STALL at once. */
void sim_conn_accept(struct sim_worker *w, struct sim_listener *l, enum sim_action what);

/* ---- for cloud_sim_end.c ---- */

struct sim_conn {
	struct sim_peer peer;
	struct stream io;
	struct sim_worker *w;
	unsigned listener;
	uint64_t number;
	bool ready, resumed, counted_open;
	struct sim_alarm answer_alarm, end_alarm; /* the pace of the answer; the connection's own end */
	struct text in;                           /* not yet understood */
	size_t used, scanned;
	bool in_request; /* a head was read, its exchange goes on */
	bool mute;       /* nothing is answered any more: we misbehaved, or are about to close */
	bool deaf;       /* what comes is thrown away: it is the rest of a request that was given up */
	bool stalled;    /* the exchange is kept open only to see when the caller gives up */
	bool held_back;  /* reading was stopped for good */
	bool idle_alarm; /* end_alarm waits for the next request, which stops it */
	/* ---- the exchange ---- */
	struct sim_record *record;
	struct sim_rule *rule;
	struct sim_question question;
	struct http_body body;
	struct text content;
	struct crypto_sha256 hash;
	uint64_t request_bytes;
	bool request_whole, answering, answer_sent;
	struct sim_reply reply;
	size_t sent;
};

enum { SIM_LINGER_MS = 2000 }; /* for the caller's own end after ours */

/* Forgets the exchange, if there is one. left: the caller is gone. What is still to come of an unfinished request will be thrown away. */
void sim_conn_end_exchange(struct sim_conn *c, bool left);
/* close_notify and FIN; the caller gets so long to end its side. */
void sim_conn_end_in_order(struct sim_conn *c, uint32_t linger_ms);
void sim_conn_end_later(struct sim_conn *c, uint32_t ms);
/* No more reading: the caller's bytes pile up in the network. */
void sim_conn_hold_back(struct sim_conn *c);
/* Misbehaves, now; or as the rule of the exchange says, and when it says. */
void sim_conn_act(struct sim_conn *c, enum sim_action action, struct slice garbage);
void sim_conn_act_soon(struct sim_conn *c);
/* The caller has left. */
void sim_conn_gone(struct sim_conn *c, enum err_code why);
