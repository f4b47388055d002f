/* Borrowed bytes: a pointer and a length. Never owned, never NUL-terminated; the owner is named where the slice is handed out. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct slice {
	const char *at;
	size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
/* printf("%.*s", SLICE_ARG(s)) */
#define SLICE_ARG(s)   (int)(s).len, (s).at

static inline struct slice slice_of(const char *at, size_t len)
{
	return (struct slice){at, len};
}

static inline struct slice slice_str(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* ASCII case only. */
static inline bool slice_equal_nocase(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.at, b.at, a.len) == 0);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && memcmp(s.at, prefix.at, prefix.len) == 0;
}

/* Without spaces and tabs at both ends. */
static inline struct slice slice_trim(struct slice s)
{
	while (s.len && (s.at[0] == ' ' || s.at[0] == '\t')) {
		s.at++;
		s.len--;
	}
	while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* First place of c, or s.len. */
static inline size_t slice_find(struct slice s, char c)
{
	const char *hit = s.len ? memchr(s.at, c, s.len) : NULL;
	return hit ? (size_t)(hit - s.at) : s.len;
}

static inline struct slice slice_from(struct slice s, size_t start)
{
	return start >= s.len ? (struct slice){s.at + s.len, 0} : (struct slice){s.at + start, s.len - start};
}

static inline struct slice slice_until(struct slice s, size_t end)
{
	return end >= s.len ? s : (struct slice){s.at, end};
}
