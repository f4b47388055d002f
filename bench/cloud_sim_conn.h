/* One connection of a caller to the cloud stand-in: reads requests, answers them, and misbehaves where a rule says so. Owned by its worker; lives
 * until its stream is closed.
 *
 *   bytes -> in -> head (guard, parser; the rule is chosen here) -> body -> answer -> wire -> stream
 *                  at_request_byte ----------^        early_answer ---^      ^--- at
 */
#pragma once
#include "bench/cloud_sim_script.h"
#include "core/base/list.h"

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
