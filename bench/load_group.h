/* The callers of one kind in one worker: their connections, which of them sends next, and what its answer was. The worker's thread. */
#pragma once
#include "bench/load_conn.h"
#include "bench/load_image.h"
#include "bench/load_proof.h"

struct load_worker;

struct load_slot { /* a connection of a caller */
	struct load_conn conn;
	struct load_group *group;
	struct list link;  /* in one of its group's lists, or in none while in use */
	uint32_t sequence; /* requests sent on this connection */
	uint8_t target;
	uint8_t op;    /* enum rms_op_id of the request in flight */
	bool measured; /* the request began after the warm-up */
	bool sampled;  /* its answer is verified */
	bool punished; /* could not connect */
	bool opening;  /* without a request */
	bool again;    /* its call goes on with another leg when the connection is closed */
	struct load_proof proof;
	uint64_t sent_before;           /* bytes of earlier legs of the call in flight */
	const struct load_image *image; /* of the request in flight */
	usec_t due;                     /* when it was to be sent: latency counts from here */
	struct deadline penalty;
};

struct load_group { /* callers of one kind */
	struct load_worker *worker;
	struct load_profile profile;
	struct load_schedule schedule;
	uint64_t seed;
	struct load_rng rng;
	struct load_slot *slots;
	unsigned slot_count, in_flight, in_flight_max;
	bool pumping, behind;      /* behind: requests are due and no connection is free */
	unsigned to_open, opening; /* connections that no request needs yet */
	unsigned next_target;      /* the node whose turn it is */
	struct list idle[LOAD_TARGETS_MAX], closed[LOAD_TARGETS_MAX]; /* of slots: connected, and not */
};

struct err load_group_init(struct load_group *g, struct load_worker *w, enum load_caller caller, unsigned connections,
                           unsigned in_flight);
void load_group_begin(struct load_group *g);
/* Starts what may start now. */
void load_group_pump(struct load_group *g);
/* Closes what is idle; busy_too: also what waits for an answer, which ends as unfinished. */
void load_group_close(struct load_group *g, bool busy_too);

extern const struct load_conn_events load_group_events;
void load_group_penalty_over(struct deadline *d, struct deadline_queue *q);
