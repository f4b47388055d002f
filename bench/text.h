/* Growing text for making messages. Owned by whoever holds the struct; starts as zeros. No memory ends the program: sizes are bounded by callers. */
#pragma once
#include "core/base/check.h"
#include "core/base/slice.h"

struct text {
	char *at;
	size_t len, cap;
};

void text_add(struct text *t, struct slice s);
void text_add_str(struct text *t, const char *s);
void text_format(struct text *t, const char *format, ...) PRINTF_LIKE(2, 3);
/* With & < > and " as entities. */
void text_add_escaped(struct text *t, struct slice s);
/* The five predefined entities and character references up to 127 back to characters; what is no entity stays. */
void text_add_unescaped(struct text *t, struct slice s);
void text_add_base64(struct text *t, const void *data, size_t n);
/* n bytes to fill in; valid until the next call. */
char *text_grow(struct text *t, size_t n);
void text_free(struct text *t);

static inline struct slice text_slice(const struct text *t)
{
	return (struct slice){t->at ? t->at : "", t->len};
}
static inline void text_clear(struct text *t)
{
	t->len = 0;
}
