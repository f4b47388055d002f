/* What is said to the cloud with each request of one credential: whole header lines, immutable and counted. Made by the main thread, which hands a
 * reference to each worker. They hold secrets: wiped when the last reference goes. Any thread. */
#pragma once
#include "core/base/slice.h"

#include <stddef.h>
#include <stdint.h>

enum { CREDENTIAL_WORDS_MAX = 16 * 1024 };

struct credential_words {
	uint32_t refs;
	uint32_t serial; /* of the credential, from 1: newer words have a higher one */
	size_t len;
	char lines[]; /* "Host: ...\r\nAuthorization: ...\r\n" */
};

/* host_line and authorization: parts that are put together as lines; authorization may be empty. A value with a control character, or longer than
 * CREDENTIAL_WORDS_MAX, gives NULL, as no memory does. */
struct credential_words *credential_words_new(struct slice host, struct slice authorization, uint32_t serial);
/* Empty: there is nothing to say any more. */
struct credential_words *credential_words_none(uint32_t serial);
struct credential_words *credential_words_ref(struct credential_words *w);
void credential_words_unref(struct credential_words *w); /* NULL is fine */

static inline struct slice credential_words_lines(const struct credential_words *w)
{
	return slice_of(w->lines, w->len);
}
