/* Connections at limits.connections. An idle one makes room; where none is idle, a few more than the limit are taken to be answered 429, in TLS too:
 * a caller whose connection is only closed takes that as final, one that is answered 429 tries again. Further ones wait in the kernel's queue, as they
 * do with other proxies, until one of those few is gone or an idle one makes room. The worker's thread. */
#pragma once
#include "core/relay/client_conn.h"

enum admission {
	ADMIT,        /* counted as one of the node's */
	ADMIT_TO_SAY, /* beyond the limit: admission_say() as soon as it can be spoken to */
	ADMIT_LATER,  /* not now: admission_stall() */
};

/* One waits at a listener: what becomes of it. It is counted; admission_over() when it was not taken after all, or has closed. */
enum admission admission_ask(struct relay *r);
void admission_over(struct relay *r, enum admission how);
/* 429, counted and logged, and closes it. */
void admission_say(struct client_conn *c);
/* The listener takes no more until admission_resume(), which is for whenever a connection closed or became idle. */
void admission_stall(struct relay *r, struct listener *l);
void admission_resume(struct relay *r);
