/* RECALL: answers that the node has already. Part of an exchange's steps; the worker's thread only.
 *
 * Looked for when the operation's row in rms_ops.def says so, the message was read and is whole, and the caller was authorized a moment ago. The key is a
 * SHA-256 over all that an answer may depend on: version of the cache, cloud, address and path of the service, tenant, operation, SOAP version,
 * the caller's Content-Type and Accept headers, the credential, the entry of the list where the answer is for that entry only, and the SHA-256 of the
 * exact body: nothing that was parsed out of it.
 *
 *   there and fresh     ANSWER: the cloud's own bytes, with Age
 *   not there           CONNECT, as the first of a flight; who asks the same meanwhile waits for it here (flight.h)
 *   there, a bit old    the same; it is given when the cloud turns out to be away
 *
 * Callers may vary their messages without end. So when most of the room is taken, what was never asked for before is not remembered: reading an answer
 * whole costs more than relaying it, and it would drive out what others ask for again.
 */
#pragma once
#include "core/relay/exchange.h"
#include "store/cache_index.h"

struct flight;

/* Of one exchange, from RECALL on; on the heap, as most exchanges have none. */
struct recall {
	struct cached_facts facts; /* of the answer to come: key, scope, entry, operation */
	uint64_t purges;           /* of the snapshot in force when the cloud was asked */
	struct cached *found;      /* a reference: the answer */
	struct cached *old;        /* a reference: the answer if the cloud is away */
	bool is_old;               /* found is that one */
	struct flight *flight;     /* it leads that one, or waits for it; NULL: alone */
	struct list waiting;       /* in the flight */
	bool first_time;           /* there is little room, and nobody asked for it before */
	struct exchange *exchange;
	struct err shared; /* what became of the flight, for those who waited */
	bool from_flight;
	/* What came of the answer so far (remember.h) */
	struct kept {
		char *bytes; /* head, then body; NULL: it is not kept */
		size_t len, cap, head_len;
	} kept;
};

/* What of the head the answer may depend on is noted, while the head is there. */
void recall_note_head(struct exchange *x, const struct http_head *head);
/* The step. */
enum step recall(struct exchange *x, enum event ev);
/* Its caller is authorized now, and as whom it was when it asked. */
bool recall_may_have(struct exchange *x);
/* ANSWER: gives what was found, if something was. False: nothing was. */
bool recall_answer(struct exchange *x, bool close);
/* ANSWER begins: a failure that means that the cloud is away becomes an old answer, if there is one; and those who waited learn of it. */
void recall_failed(struct exchange *x);
/* For the request log: "hit", "old", "flight"; NULL: the cloud was asked. */
const char *recall_word(const struct exchange *x);
/* The exchange ends. */
void recall_free(struct exchange *x);

/* A newer snapshot is in force; a reference is taken. */
void recall_take_index(struct relay *r, struct cache_index *index);
/* Remembered just now, so that this worker has it before the next snapshot. Takes a reference. */
void recall_put(struct relay *r, struct cached *answer, uint64_t purges);
void recall_done(struct relay *r);
