/* The cache of the node, in the main thread: takes what workers remember, hands them snapshots, keeps it on the disk in the thread pool, and takes out
 * what is over, or belongs to an entry that the list does not have any more. Nobody ever waits for it. */
#pragma once
#include "core/net/loop.h"
#include "store/authlist.h"
#include "store/cache.h"

struct cache_keeper;

struct cache_keeper_options {
	struct loop *loop;
	struct cache *cache; /* borrowed */
	/* A newer snapshot, borrowed; for every worker. */
	void (*publish)(void *context, struct cache_index *index);
	void *context;
};

/* Publishes the first snapshot before it returns. ERR_NO_MEMORY. */
struct err cache_keeper_open(const struct cache_keeper_options *o, struct cache_keeper **out);
/* Writes what the disk does not have; frees itself when nothing is under way any more. Before the loop stops; the cache must live on until then. */
void cache_keeper_close(struct cache_keeper *k);

/* Takes the reference. purges: of the snapshot that was in force when the cloud was asked. */
void cache_keeper_take(struct cache_keeper *k, struct cached *answer, uint64_t purges);
/* Each second. */
void cache_keeper_tick(struct cache_keeper *k);
/* Another list is in force: answers of entries that it does not have go. */
void cache_keeper_list(struct cache_keeper *k, const struct authlist *list);
/* Empties it; operation: only of that one, NULL: of all. Returns how many went. In force for every worker at its next turn. */
size_t cache_keeper_invalidate(struct cache_keeper *k, const char *operation);
const struct cache *cache_keeper_cache(const struct cache_keeper *k);
