/* Several who ask the same at the same time: one asks the cloud, the others wait for its answer, in RECALL. The question belongs to the flight: when
 * the first caller leaves, one of the others takes over what is under way, the connection and the part of the answer that came, and nothing is asked
 * twice. One worker's; its thread only.
 *
 *   first -> CONNECT, RELAY -> landed: all others answer with it          in vain (not to be kept): each of them asks by itself
 *                           -> failed: all of them fail alike, or answer with an old one
 *                           -> left:   the next one is the first, in the middle of RELAY or at its beginning
 */
#pragma once
#include "core/relay/recall.h"

struct flight {
	struct list link; /* in relay->flights */
	uint8_t key[CACHED_KEY_BYTES];
	struct exchange *first;
	struct list others; /* recall.waiting */
};

/* True: x waits, EV_FLIGHT comes; false: it is to ask the cloud, as the first of a flight, or alone when there is no memory. */
bool flight_join(struct exchange *x);
/* For the first; nothing for others. Afterwards there is no flight. */
void flight_landed(struct exchange *x, struct cached *answer);
void flight_in_vain(struct exchange *x);
void flight_failed(struct exchange *x); /* with x->failure */
/* Others wait for the answer that x asks for. */
bool flight_is_shared(const struct exchange *x);
/* x ends: whether it is the first or one of the others. */
void flight_leave(struct exchange *x);
