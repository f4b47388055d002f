/* Writes the last good list into the state, in the thread pool, one at a time and always the newest. Embedded in the list's sync; main thread. Tells
 * events 4051 and 4052, once for each change between the two. */
#pragma once
#include "core/net/loop.h"
#include "store/state.h"

struct authlist_keep {
	struct loop *loop;
	struct state *state; /* borrowed; NULL: nothing is kept */
	uv_work_t work;
	char *writing, *next; /* owned documents; NULL: none */
	size_t writing_len, next_len;
	uint64_t confirmed_s, next_confirmed_s;
	struct err failed; /* of the last write; written by the thread of the pool */
	bool busy, failing;
	/* Nothing is under way any more. */
	void (*on_idle)(struct authlist_keep *k);
};

/* Takes document, malloc'd: the canonical list, which its source has just said. */
void authlist_keep_put(struct authlist_keep *k, char *document, size_t len);
