/* Who goes when memory for bytes that wait is used up: limits.held_bytes (half a body, an answer that its caller does not read) and
 * limits.unfinished_heads_bytes. Always who has made no progress for longest. The worker's thread. */
#pragma once
#include "core/relay/client_conn.h"

/* What waits in this worker: bytes we hold for a later step, and bytes that the kernel has not taken. */
static inline size_t shed_waiting_bytes(const struct relay *r)
{
	return r->held_bytes + r->loop->waiting_bytes;
}

/* Makes room below limits.held_bytes; `except` (may be NULL), whose exchange runs now, stays. False: nobody else waits, the memory is in use. */
bool shed_held(struct relay *r, const struct client_conn *except);
/* Makes room below limits.unfinished_heads_bytes. */
void shed_unfinished(struct relay *r, const struct client_conn *except);
