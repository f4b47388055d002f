/* The rules a test gives the cloud stand-in: which requests they match and what happens to them. Shared by all workers under one lock; a rule that
 * was matched stays whole until it is given back, also when the script is replaced meanwhile. */
#pragma once
#include "bench/text.h"
#include "core/base/clock.h"
#include "proto/rms_op.h"

#include <pthread.h>

enum sim_action { /* what happens at a byte of the request or of the answer */
	          SIM_GO_ON,
	          SIM_RESET,       /* RST */
	          SIM_CLOSE,       /* FIN without close_notify */
	          SIM_TRUNCATE,    /* close_notify, then FIN: an orderly end in the wrong place */
	          SIM_HALF_CLOSE,  /* the same, but what the caller sends is still read until it closes */
	          SIM_STALL,       /* nothing more, ever */
	          SIM_GARBAGE,     /* bytes that are no HTTP instead of the rest, then nothing more */
	          SIM_TLS_GARBAGE, /* bytes that are no TLS instead of the rest, then nothing more */
};

enum sim_then { SIM_THEN_READ, SIM_THEN_STOP, SIM_THEN_CLOSE };

enum { SIM_LIST_MAX = 64, SIM_RULES_MAX = 1000 };

struct sim_rule {
	uint32_t refs; /* under the script's lock */
	unsigned number;
	/* ---- what it matches ---- */
	enum rms_op_id op;                       /* OP_COUNT: any */
	char *path, *user_agent, *authorization; /* NULL: any; the last one: "Bearer", "none" */
	uint64_t connection;                     /* 0: any */
	uint64_t nth, every;                     /* of the requests that match the rest; 0: each */
	uint64_t times;                          /* uses left; UINT64_MAX: without end */
	uint64_t seen, used;                     /* requests that matched, and that it was used for */
	uint64_t throttle_per_second;
	usec_t throttle_second;
	uint64_t throttle_count;
	/* ---- the answer ---- */
	unsigned status;     /* 0: what the service answers */
	unsigned aadsts;     /* an error of the login service; 0: none */
	int64_t retry_after; /* < 0: none */
	char *location, *fault, *content_type;
	struct text headers; /* whole lines */
	struct text raw;     /* all the bytes of the answer, heads too */
	struct text body;    /* body of the answer, for status and content_type */
	bool has_raw, has_body, gzip, close_header;
	uint32_t failing[SIM_LIST_MAX];
	size_t failing_count;
	char *item_exception;
	uint32_t chunks[SIM_LIST_MAX];
	size_t chunk_count; /* 0: Content-Length */
	unsigned interim_status, interim_count;
	int64_t interim_length; /* < 0: without Content-Length */
	bool until_close;       /* no length at all: the connection's end is the answer's */
	/* ---- its time ---- */
	uint32_t delay_ms, pause_ms;
	uint64_t piece_bytes; /* 0: in one piece */
	/* ---- what goes wrong ---- */
	bool has_at, has_at_request, early, has_close_after;
	enum sim_action action;
	uint64_t at, at_request; /* bytes of the answer sent, of the request read, before the action */
	struct text garbage;
	uint32_t action_delay_ms;
	uint64_t early_after; /* bytes of the body */
	enum sim_then early_then;
	uint32_t close_after_ms;
};

struct sim_connection_rules { /* what happens to connections, whatever they ask */
	uint64_t accept_then_close, accept_then_reset, stall_handshake; /* so many of the next ones */
	uint64_t limit;                                                 /* open at once; 0: none */
	uint32_t idle_ms; /* kept connections are closed after so long without a request */
	bool refuse;      /* do not listen at all */
};

struct sim_script {
	pthread_mutex_t lock;
	struct sim_rule **rules;
	size_t count;
	struct sim_connection_rules connections;
};

void sim_script_init(struct sim_script *s);
void sim_script_done(struct sim_script *s);

/* What a request looks like to the rules. */
struct sim_asked {
	enum rms_op_id op;                     /* OP_NONE: none of the service's */
	struct slice path, user_agent, scheme; /* the first word of Authorization; empty: none */
	uint64_t connection;
};
/* The first rule that matches, or NULL; sim_rule_unref() when done. now: monotonic. */
struct sim_rule *sim_script_match(struct sim_script *s, const struct sim_asked *asked, usec_t now);
void sim_rule_unref(struct sim_script *s, struct sim_rule *rule);

/* Replaces the script by this JSON (docs/simulator.md), or adds its rules when it says "append". false: nothing changed, why says where and what. */
bool sim_script_load(struct sim_script *s, struct slice json, char why[static 256]);
void sim_script_clear(struct sim_script *s);
/* Appends how often each rule was used, as a JSON array. */
void sim_script_report(struct sim_script *s, struct text *out);

/* For sim_script_load(): one rule out of its JSON object. */
struct sim_rule *sim_rule_new(void);
void sim_rule_free(struct sim_rule *rule);
