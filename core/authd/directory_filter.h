/* Text of an LDAP search filter (RFC 4515), put together so that what people typed can never be more than a value. Pure; heap memory, one owner. */
#pragma once
#include "core/base/sid.h"

enum { DIRECTORY_FILTER_BYTES = 64 * 1024 };

/* Zeroed is empty. */
struct filter {
	char *at; /* owned, NUL-terminated unless broken */
	size_t len, room;
	bool broken; /* no memory, or longer than DIRECTORY_FILTER_BYTES */
};

/* As it stands: our own text only. */
void filter_add(struct filter *f, const char *text);
/* A value, every character that means something in a filter escaped. */
void filter_value(struct filter *f, struct slice value);
/* The same, but stars stay stars. */
void filter_pattern(struct filter *f, struct slice pattern);
void filter_sid(struct filter *f, const struct sid *s);
void filter_number(struct filter *f, uint32_t value);
/* NULL when broken. */
const char *filter_text(const struct filter *f);
void filter_done(struct filter *f);
