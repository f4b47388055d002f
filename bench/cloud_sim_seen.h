/* What the cloud stand-in has seen, so that tests can compare what reached the cloud with what was sent. Shared by all workers under one lock. */
#pragma once
#include "bench/text.h"
#include "core/base/clock.h"
#include "core/crypto/crypto.h"
#include "proto/http_guard.h"
#include "proto/http_msg.h"
#include "proto/rms_op.h"

#include <pthread.h>
#include <stdio.h>

/* One request, from its head on. Owned by the ring and by the connection that still fills it in. */
struct sim_record {
	uint32_t refs; /* under the lock, as all below */
	uint64_t number, connection;
	enum rms_op_id op;
	struct text method, target, headers; /* headers: JSON pairs, ready to print */
	uint64_t body_bytes, answer_bytes;
	uint8_t digest[CRYPTO_SHA256_BYTES];
	bool whole;     /* the body came to its end */
	bool resumed;   /* its TLS session */
	bool answered;  /* all of the answer was handed to the network */
	bool cut;       /* the caller left before */
	bool duplicate; /* an earlier request had the same body */
	unsigned status;
	usec_t at;
};

struct sim_seen_connections {
	uint64_t accepted, open, handshakes, resumed, failed_handshakes, closed_at_once;
	uint64_t ended, truncated, reset; /* how callers ended them: orderly, without close_notify, by an error */
	uint64_t bytes_after_fault; /* sent by callers on connections that had misbehaved in the middle of an answer */
};

struct sim_seen {
	pthread_mutex_t lock;
	FILE *log; /* a JSON line for each request that is over; borrowed; NULL: none */
	struct sim_record **ring;
	size_t cap, next;
	uint64_t requests, whole, cut, answers_cut, duplicates, refused;
	struct sim_seen_connections connections;
	struct sim_seen_op {
		uint64_t requests, whole, request_bytes, answers, answer_bytes, ok, faults, other;
	} ops[OP_COUNT];
	uint64_t refused_by[GUARD_COUNT];
	uint64_t *bodies; /* hashes of bodies seen, an open table */
	size_t body_count;
	bool bodies_full;
};

void sim_seen_init(struct sim_seen *s, size_t keep);
void sim_seen_done(struct sim_seen *s);
/* Forgets requests and totals; open connections stay counted. */
void sim_seen_reset(struct sim_seen *s);

/* A head came: makes a record; the caller holds one reference until sim_seen_end(). */
struct sim_record *sim_seen_head(struct sim_seen *s, const struct http_head *head, enum rms_op_id op,
                                 uint64_t connection, bool resumed);
/* The body is whole. digest of its content. */
void sim_seen_whole(struct sim_seen *s, struct sim_record *r, uint64_t body_bytes,
                    const uint8_t digest[static CRYPTO_SHA256_BYTES]);
void sim_seen_answer(struct sim_seen *s, struct sim_record *r, unsigned status);
/* The exchange is over. body_bytes: how far it came when it is not whole. answered: all of the answer was sent. left: the caller left before. */
void sim_seen_end(struct sim_seen *s, struct sim_record *r, uint64_t body_bytes, uint64_t answer_bytes, bool answered,
                  bool left);
void sim_seen_refused(struct sim_seen *s, enum guard_reason why);

/* Adds n to one of s->connections. */
void sim_seen_count(struct sim_seen *s, uint64_t *counter, int64_t n);

/* Appends everything as JSON: totals, the newest `last` requests, oldest first. rules: a JSON array. */
void sim_seen_report(struct sim_seen *s, size_t last, struct slice rules, struct text *out);
/* A JSON string with its quotation marks; bytes above 127 as the characters of that number. */
void text_add_json(struct text *t, struct slice s);
