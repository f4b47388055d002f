/* A secret of a file: any bytes but that one end of line behind them is not part of it. Wiped when done. */
#pragma once
#include "core/base/err.h"
#include "core/base/slice.h"

enum { SECRET_BYTES_MAX = 8192 };

struct secret {
	char *bytes; /* owned */
	size_t len;
};

/* err.what (per thread, until the next call) names the file. An empty secret is an error; so is a file that others than its owner and group may read. */
struct err secret_read(const char *path, struct secret *out);
void secret_done(struct secret *s);

static inline struct slice secret_slice(const struct secret *s)
{
	return slice_of(s->bytes, s->len);
}
