/* Bump memory: what dies with a request is taken here and never given back one by one. Embedded in its owner, which also brings the first block, so a
 * small request allocates nothing. Hooks run at the end, last first: references to what outlives the arena. One thread. */
#pragma once
#include "core/base/check.h"
#include "core/base/slice.h"

struct arena_block;
struct arena_hook;

struct arena {
	char *at, *end; /* what is free in the current block */
	struct arena_block *blocks;
	struct arena_hook *hooks;
	char *first;
	uint32_t first_bytes;
	uint32_t limit_bytes; /* of the blocks behind the first */
	uint32_t taken_bytes; /* by them */
};

/* first: memory of the owner, at least as long as the arena lives; may be NULL with 0. limit_bytes bounds what is allocated besides. */
void arena_init(struct arena *a, void *first, uint32_t first_bytes, uint32_t limit_bytes);
/* Runs the hooks, keeps only the first block: ready for the next request. */
void arena_reset(struct arena *a);
/* The same; takes a zeroed arena too. */
void arena_done(struct arena *a);

void *arena_take_slow(struct arena *a, size_t bytes);

/* Aligned for any type; NULL: no memory, or beyond the limit. Contents undefined. */
static inline void *arena_take(struct arena *a, size_t bytes)
{
	size_t left = (size_t)(a->end - a->at);
	if (__builtin_expect(bytes > left || !a->at, 0))
		return arena_take_slow(a, bytes);
	size_t rounded = (bytes + 15) & ~(size_t)15;
	char *p = a->at;
	a->at += rounded < left ? rounded : left;
	return p;
}

/* The slice's bytes with a NUL behind them; {NULL, 0} when there is no memory. */
struct slice arena_copy(struct arena *a, struct slice s);
/* Formatted, NUL-terminated; NULL when there is no memory. */
char *arena_format(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3);
/* fn(arg) at the arena's end. false: no memory, fn will not run. */
bool arena_on_end(struct arena *a, void (*fn)(void *arg), void *arg);
