#include "core/cloud/words.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_value(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] < ' ' || s.at[i] == 127)
			return false;
	return true;
}

struct credential_words *credential_words_new(struct slice host, struct slice authorization, uint32_t serial)
{
	if (!is_value(host) || !is_value(authorization) || host.len + authorization.len > CREDENTIAL_WORDS_MAX)
		return NULL;
	size_t cap = host.len + authorization.len + 64;
	struct credential_words *w = malloc(sizeof(*w) + cap);
	if (!w)
		return NULL;
	*w = (struct credential_words){.refs = 1, .serial = serial};
	w->len = (size_t)snprintf(w->lines, cap, "Host: %.*s\r\n%s%.*s%s", SLICE_ARG(host),
	                          authorization.len ? "Authorization: " : "", SLICE_ARG(authorization),
	                          authorization.len ? "\r\n" : "");
	return w;
}

struct credential_words *credential_words_none(uint32_t serial)
{
	struct credential_words *w = malloc(sizeof(*w));
	if (w)
		*w = (struct credential_words){.refs = 1, .serial = serial};
	return w;
}

struct credential_words *credential_words_ref(struct credential_words *w)
{
	__atomic_add_fetch(&w->refs, 1, __ATOMIC_RELAXED);
	return w;
}

void credential_words_unref(struct credential_words *w)
{
	if (!w || __atomic_sub_fetch(&w->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	explicit_bzero(w->lines, w->len);
	free(w);
}
