#include "core/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_block {
	struct arena_block *next;
	size_t bytes;
	char memory[] __attribute__((aligned(16)));
};

struct arena_hook {
	struct arena_hook *next;
	void (*fn)(void *arg);
	void *arg;
};

enum { BLOCK_BYTES = 4096 };

static void use_first(struct arena *a)
{
	uintptr_t skip = -(uintptr_t)a->first & 15;
	if (!a->first || skip > a->first_bytes) {
		a->at = a->end = NULL;
		return;
	}
	a->at = a->first + skip;
	a->end = a->first + a->first_bytes;
}

void arena_init(struct arena *a, void *first, uint32_t first_bytes, uint32_t limit_bytes)
{
	*a = (struct arena){.first = first, .first_bytes = first_bytes, .limit_bytes = limit_bytes};
	use_first(a);
}

void arena_reset(struct arena *a)
{
	while (a->hooks) {
		struct arena_hook *hook = a->hooks;
		a->hooks = hook->next;
		hook->fn(hook->arg);
	}
	while (a->blocks) {
		struct arena_block *block = a->blocks;
		a->blocks = block->next;
		free(block);
	}
	a->taken_bytes = 0;
	use_first(a);
}

void arena_done(struct arena *a)
{
	if (a)
		arena_reset(a);
}

void *arena_take_slow(struct arena *a, size_t bytes)
{
	size_t left = a->limit_bytes - a->taken_bytes;
	if (bytes > left || bytes > UINT32_MAX - 64)
		return NULL;
	size_t rounded = (bytes + 15) & ~(size_t)15;
	/* Small pieces share a block; a large one has its own and the current block stays in use. */
	bool own = rounded > BLOCK_BYTES / 4;
	size_t size = own ? rounded : BLOCK_BYTES - sizeof(struct arena_block);
	if (size > left)
		size = bytes;
	struct arena_block *block = malloc(sizeof(*block) + size);
	if (!block)
		return NULL;
	block->bytes = size;
	block->next = a->blocks;
	a->blocks = block;
	a->taken_bytes += (uint32_t)size;
	if (own)
		return block->memory;
	a->at = block->memory;
	a->end = block->memory + size;
	return arena_take(a, bytes);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
	if (s.len == SIZE_MAX)
		return (struct slice){0};
	char *copy = arena_take(a, s.len + 1);
	if (!copy)
		return (struct slice){0};
	if (s.len)
		memcpy(copy, s.at, s.len);
	copy[s.len] = 0;
	return slice_of(copy, s.len);
}

char *arena_format(struct arena *a, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	char *text = n < 0 ? NULL : arena_take(a, (size_t)n + 1);
	if (text)
		vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	return text;
}

bool arena_on_end(struct arena *a, void (*fn)(void *arg), void *arg)
{
	struct arena_hook *hook = arena_take(a, sizeof(*hook));
	if (!hook)
		return false;
	*hook = (struct arena_hook){.next = a->hooks, .fn = fn, .arg = arg};
	a->hooks = hook;
	return true;
}
