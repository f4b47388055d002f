/* Writes what must survive a restart into the state, in the thread pool: one record at a time, of each kind only the newest. Embedded in the list's
 * sync; main thread. Tells events 4051 and 4052, once for each change between the two. */
#pragma once
#include "core/net/loop.h"
#include "store/state.h"

struct state_writer {
	struct loop *loop;
	struct state *state; /* borrowed; NULL: nothing is kept */
	uv_work_t work;
	struct writing {
		char *document; /* owned; NULL: none */
		size_t len;
		uint64_t confirmed_s;
	} now, next[STATE_KIND_COUNT];
	enum state_kind kind; /* of now */
	struct err failed;    /* of the last write; written by the thread of the pool */
	bool busy, failing;
	/* Nothing is under way any more. */
	void (*on_idle)(struct state_writer *w);
};

/* Takes document, malloc'd (NULL: nothing to do): what its source has just said. */
void state_writer_put(struct state_writer *w, enum state_kind kind, char *document, size_t len);
