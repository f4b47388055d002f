/* A counted block of bytes that several parts of one thread share, each seeing its own slice of it. Counted without atomics: never crosses threads. */
#pragma once
#include "core/base/check.h"
#include "core/base/slice.h"

struct buf {
	uint32_t refs;
	uint32_t len; /* bytes in use */
	uint32_t cap;
	char bytes[];
};

/* Empty, one reference, the caller's. NULL: no memory. */
struct buf *buf_new(uint32_t cap);
/* Holding these bytes. NULL: no memory, or more than 4 GiB. */
struct buf *buf_copy(struct slice s);
void buf_free(struct buf *b);

static inline struct buf *buf_ref(struct buf *b)
{
	b->refs++;
	return b;
}

static inline void buf_unref(struct buf *b)
{
	if (!b)
		return;
	CHECK(b->refs > 0);
	if (--b->refs == 0)
		buf_free(b);
}

/* For arena_on_end(). */
void buf_unref_hook(void *b);

static inline uint32_t buf_room(const struct buf *b)
{
	return b->cap - b->len;
}

/* Appends what fits and returns how much that was. Slices handed out before stay valid: bytes never move. */
static inline uint32_t buf_append(struct buf *b, struct slice s)
{
	uint32_t n = s.len < buf_room(b) ? (uint32_t)s.len : buf_room(b);
	if (n)
		memcpy(b->bytes + b->len, s.at, n);
	b->len += n;
	return n;
}

/* Borrowed: hold a reference as long as the slice is used. */
static inline struct slice buf_slice(const struct buf *b)
{
	return slice_of(b->bytes, b->len);
}
