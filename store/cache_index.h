/* What a worker looks answers up in: an immutable, counted snapshot of the cache, made by the main thread at each change, as the list of authorized
 * servers is. So a look-up takes no lock and no page of a file, and emptying the cache reaches every worker without memory. */
#pragma once
#include "store/cached.h"

struct cache_index {
	uint32_t references; /* atomic */
	uint64_t purges; /* how often something was taken out on purpose: what was asked for before that is not kept */
	bool crowded;    /* most of the room is taken: what is asked for once only does not come in any more */
	size_t count;
	struct cached *rows[]; /* references, by key */
};

/* rows: by key, without doubles; takes references of its own. One reference, the caller's. NULL: no memory. */
struct cache_index *cache_index_new(struct cached *const *rows, size_t count, uint64_t purges);
/* Any thread. */
struct cache_index *cache_index_ref(struct cache_index *i);
void cache_index_unref(struct cache_index *i); /* NULL is fine */

/* Borrowed from the index; NULL: none. */
struct cached *cache_index_find(const struct cache_index *i, const uint8_t key[static CACHED_KEY_BYTES]);
/* The youngest of that operation and scope. */
struct cached *cache_index_youngest(const struct cache_index *i, const char *operation,
                                    const uint8_t scope[static CACHED_SCOPE_BYTES]);
