#include "store/cache_index.h"

#include <stdlib.h>

struct cache_index *cache_index_new(struct cached *const *rows, size_t count, uint64_t purges)
{
	struct cache_index *i = malloc(sizeof(*i) + count * sizeof(i->rows[0]));
	if (!i)
		return NULL;
	*i = (struct cache_index){.references = 1, .purges = purges, .count = count};
	for (size_t k = 0; k < count; k++)
		i->rows[k] = cached_ref(rows[k]);
	return i;
}

struct cache_index *cache_index_ref(struct cache_index *i)
{
	__atomic_add_fetch(&i->references, 1, __ATOMIC_RELAXED);
	return i;
}

void cache_index_unref(struct cache_index *i)
{
	if (!i || __atomic_sub_fetch(&i->references, 1, __ATOMIC_ACQ_REL))
		return;
	for (size_t k = 0; k < i->count; k++)
		cached_unref(i->rows[k]);
	free(i);
}

struct cached *cache_index_find(const struct cache_index *i, const uint8_t key[static CACHED_KEY_BYTES])
{
	size_t low = 0, high = i->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(i->rows[middle]->facts.key, key, CACHED_KEY_BYTES);
		if (order == 0)
			return i->rows[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct cached *cache_index_youngest(const struct cache_index *i, const char *operation,
                                    const uint8_t scope[static CACHED_SCOPE_BYTES])
{
	struct cached *found = NULL;
	for (size_t k = 0; k < i->count; k++) {
		const struct cached_facts *f = &i->rows[k]->facts;
		if (strcmp(f->operation, operation) == 0 && memcmp(f->scope, scope, CACHED_SCOPE_BYTES) == 0 &&
		    (!found || f->born_s > found->facts.born_s))
			found = i->rows[k];
	}
	return found;
}
