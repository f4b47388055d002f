/* Answers of the cloud that may be given again: all of them in memory, bounded, the oldest goes first; and over restarts in node.state_directory/cache
 * (LMDB). The main thread's; workers have snapshots (cache_index.h). What is lost is only fetched again, so damaged records are dropped, and a damaged
 * file is moved aside and made anew.
 *
 *   workers -> cache_put() -> rows in memory -> cache_snapshot() -> workers
 *                                 | what differs from the file
 *                                 +-> cache_batch_take() -> cache_batch_write(), in the thread pool -> cache_batch_over()
 */
#pragma once
#include "store/cache_index.h"
#include "store/db.h"

enum { CACHE_ROWS_MAX = 4096, CACHE_SKEW_S = 300 /* a record from further in the future than this is not believed */ };

struct cache;
struct cache_batch;

struct cache_facts {
	size_t count, bytes, bytes_max;
	uint64_t evicted, expired, purged; /* rows, since the start */
	uint64_t loaded, damaged;          /* records, at the start */
	bool on_disk;
};

/* directory: NULL: in memory only, as after a failure; then problem says why. Before threads run: it forks. Reads what is there. The lock of the directory
 * (state_lock.h) is held, so nobody else has it. ERR_NO_MEMORY. */
struct err cache_open(const char *directory, size_t bytes_max, uint64_t now_s, struct cache **out,
                      char problem[static DB_PROBLEM_BYTES]);
void cache_close(struct cache *c);

/* Takes a reference of its own. False: an answer with that key that is younger is there, it is larger than all the room, or there is no memory. */
bool cache_put(struct cache *c, struct cached *answer);
/* Takes out what goes() says; returns how many. At least one: what workers asked the cloud for before is not to be put (cache_purges()). */
size_t cache_purge(struct cache *c, bool (*goes)(const struct cached *row, void *arg), void *arg);
uint64_t cache_purges(const struct cache *c);
/* Takes out what nobody may have any more; returns how many. */
size_t cache_expire(struct cache *c, uint64_t now_s);
/* One reference, the caller's. NULL: no memory. */
struct cache_index *cache_snapshot(const struct cache *c);
struct cache_facts cache_facts(const struct cache *c);
/* By number, in the order of their keys; NULL: no more. Borrowed until the next change. */
const struct cached *cache_row(const struct cache *c, size_t index);

/* What the file lacks or has too much, a bounded part of it. NULL: nothing, no file, or no memory. */
struct cache_batch *cache_batch_take(struct cache *c);
/* There may be more than it could take. */
bool cache_batch_is_full(const struct cache_batch *b);
/* Blocks; any thread, one at a time, not beside cache_close(). ERR_FILE with sys for db_strerror(): nothing was written. */
struct err cache_batch_write(struct cache *c, const struct cache_batch *b);
/* Frees b. written: that is now what the file has. */
void cache_batch_over(struct cache *c, struct cache_batch *b, bool written);
