#include "bench/text.h"

#include "core/crypto/crypto.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void reserve(struct text *t, size_t n)
{
	if (t->cap - t->len > n)
		return;
	size_t cap = t->cap ? t->cap : 256;
	while (cap - t->len <= n)
		cap *= 2;
	t->at = realloc(t->at, cap);
	CHECK(t->at);
	t->cap = cap;
}

char *text_grow(struct text *t, size_t n)
{
	reserve(t, n);
	t->len += n;
	return t->at + t->len - n;
}

void text_add(struct text *t, struct slice s)
{
	if (s.len)
		memcpy(text_grow(t, s.len), s.at, s.len);
}

void text_add_str(struct text *t, const char *s)
{
	text_add(t, slice_str(s));
}

void text_format(struct text *t, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	CHECK(n >= 0);
	reserve(t, (size_t)n + 1);
	vsnprintf(t->at + t->len, (size_t)n + 1, format, again);
	va_end(again);
	t->len += (size_t)n;
}

static const struct {
	char plain;
	struct slice entity;
} entities[] = {
        {'&', SLICE("&amp;")},  {'<', SLICE("&lt;")},    {'>', SLICE("&gt;")},
        {'"', SLICE("&quot;")}, {'\'', SLICE("&apos;")},
};

void text_add_escaped(struct text *t, struct slice s)
{
	size_t start = 0;
	for (size_t i = 0; i < s.len; i++) {
		/* The apostrophe needs none outside attributes that it delimits: ours have quotation marks. */
		for (size_t k = 0; k < ARRAY_COUNT(entities) - 1; k++) {
			if (s.at[i] != entities[k].plain)
				continue;
			text_add(t, slice_of(s.at + start, i - start));
			text_add(t, entities[k].entity);
			start = i + 1;
		}
	}
	text_add(t, slice_from(s, start));
}

/* Length of a character reference at s, its value in *c; 0: none. */
static size_t reference(struct slice s, char *c)
{
	unsigned value = 0;
	size_t i = 2;
	if (s.len < 4 || s.at[0] != '&' || s.at[1] != '#')
		return 0;
	bool hex = s.at[2] == 'x';
	for (i += hex; i < s.len && i < 8 && s.at[i] != ';'; i++) {
		static const char digits[] = "0123456789abcdefABCDEF";
		const char *d = memchr(digits, s.at[i], hex ? 22 : 10);
		if (!d)
			return 0;
		unsigned digit = (unsigned)(d - digits);
		value = value * (hex ? 16 : 10) + (digit > 15 ? digit - 6 : digit);
	}
	if (i >= s.len || s.at[i] != ';' || i == 2u + hex || value == 0 || value > 127)
		return 0;
	*c = (char)value;
	return i + 1;
}

void text_add_unescaped(struct text *t, struct slice s)
{
	while (s.len) {
		size_t plain = slice_find(s, '&'), used = 0;
		text_add(t, slice_until(s, plain));
		s = slice_from(s, plain);
		char c;
		for (size_t k = 0; k < ARRAY_COUNT(entities) && !used; k++) {
			if (slice_starts_with(s, entities[k].entity)) {
				used = entities[k].entity.len;
				c = entities[k].plain;
			}
		}
		if (!used)
			used = reference(s, &c);
		if (!used && s.len) {
			used = 1;
			c = '&';
		}
		if (used)
			*text_grow(t, 1) = c;
		s = slice_from(s, used);
	}
}

void text_add_base64(struct text *t, const void *data, size_t n)
{
	size_t len = crypto_base64_len(n);
	reserve(t, len + 1);
	crypto_base64_encode(data, n, t->at + t->len);
	t->len += len;
}

void text_free(struct text *t)
{
	free(t->at);
	*t = (struct text){0};
}
