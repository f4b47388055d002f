#include "core/base/buf.h"

#include <stdlib.h>

struct buf *buf_new(uint32_t cap)
{
	struct buf *b = malloc(sizeof(*b) + cap);
	if (!b)
		return NULL;
	b->refs = 1;
	b->len = 0;
	b->cap = cap;
	return b;
}

struct buf *buf_copy(struct slice s)
{
	if (s.len > UINT32_MAX)
		return NULL;
	struct buf *b = buf_new((uint32_t)s.len);
	if (b)
		buf_append(b, s);
	return b;
}

void buf_free(struct buf *b)
{
	free(b);
}

void buf_unref_hook(void *b)
{
	buf_unref(b);
}
