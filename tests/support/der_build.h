/* DER as tests write it: contents first, then the element around them. */
#pragma once
#include "core/base/check.h"
#include "core/base/slice.h"

enum { DER_ROOM = 8192 };

struct der {
	char at[DER_ROOM];
	size_t len;
};

static inline void der_put(struct der *d, struct slice s)
{
	CHECK(d->len + s.len <= DER_ROOM);
	if (s.len)
		memcpy(d->at + d->len, s.at, s.len);
	d->len += s.len;
}

/* An element around everything from start on. */
static inline void der_wrap(struct der *d, size_t start, int tag)
{
	char head[4] = {(char)tag};
	size_t n = d->len - start, used = 2;
	if (n < 0x80) {
		head[1] = (char)n;
	} else if (n < 0x100) {
		head[1] = (char)0x81;
		head[2] = (char)n;
		used = 3;
	} else {
		head[1] = (char)0x82;
		head[2] = (char)(n >> 8);
		head[3] = (char)n;
		used = 4;
	}
	CHECK(d->len + used <= DER_ROOM);
	memmove(d->at + start + used, d->at + start, n);
	memcpy(d->at + start, head, used);
	d->len += used;
}

static inline void der_field(struct der *d, int number, int tag, struct slice contents)
{
	size_t start = d->len;
	der_put(d, contents);
	der_wrap(d, start, tag);
	der_wrap(d, start, 0xa0 + number);
}
