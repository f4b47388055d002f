/* Windows security identifiers: S-1-5-21-..., in the binary form of PACs and directories ([MS-DTYP] 2.4.2.2), and sets of them. Pure; any thread. */
#pragma once
#include "core/base/slice.h"

enum {
	SID_SUBS_MAX = 15,
	SID_BYTES_MAX = 8 + 4 * SID_SUBS_MAX,
	SID_TEXT_BYTES = 4 + 15 + SID_SUBS_MAX * 11 + 1, /* the longest text and its NUL */
	SID_SET_MAX = 4096,                              /* members; Windows itself stops at 1,015 */
};

/* Revision, number of sub-authorities, six bytes of authority, then the sub-authorities, little-endian. Bytes behind the end are zero. */
struct sid {
	uint8_t bytes[SID_BYTES_MAX];
};

static inline size_t sid_bytes(const struct sid *s)
{
	return 8 + 4 * (size_t)s->bytes[1];
}

/* A zeroed sid is none. */
static inline bool sid_is_none(const struct sid *s)
{
	return s->bytes[0] == 0;
}

/* The SID at the beginning of these bytes; returns its length, 0 when there is none. */
size_t sid_read(struct slice bytes, struct sid *out);
/* "S-1-5-21-1-2-3-500", whole and in one of the two ways Windows writes the authority (decimal, or 0x and 12 digits from 2^32 on). */
bool sid_parse(struct slice text, struct sid *out);
/* out: SID_TEXT_BYTES. Returns the length without the NUL; a none is "". */
size_t sid_print(const struct sid *s, char *out);
/* Like memcmp(), over the binary form. */
int sid_compare(const struct sid *a, const struct sid *b);
/* domain's SID with one more sub-authority. false: no room. */
bool sid_with_rid(const struct sid *domain, uint32_t rid, struct sid *out);
/* S-1-5-21-A-B-C, and one with a number more: what a domain and its accounts and groups are called. */
bool sid_is_domain(const struct sid *s);
bool sid_is_domain_object(const struct sid *s);
/* s is an account or group of that domain: the domain's SID and exactly one sub-authority more. */
bool sid_is_of_domain(const struct sid *s, const struct sid *domain);

/* Sorted by sid_compare() and without doubles once sealed. Zeroed is empty. */
struct sid_set {
	struct sid *at; /* owned */
	uint32_t count, room;
};

/* false: SID_SET_MAX members, or no memory. */
bool sid_set_add(struct sid_set *set, const struct sid *s);
/* The same with another limit, for sets that are no ticket's. */
bool sid_set_add_up_to(struct sid_set *set, const struct sid *s, uint32_t limit);
/* out is overwritten. false: no memory; out is empty. */
bool sid_set_copy(const struct sid_set *set, struct sid_set *out);
bool sid_set_equal(const struct sid_set *a, const struct sid_set *b); /* both sealed */
/* Sorts, drops doubles. After it only looking is allowed, or adding and sealing again. */
void sid_set_seal(struct sid_set *set);
bool sid_set_has(const struct sid_set *set, const struct sid *s);
void sid_set_done(struct sid_set *set);
/* The members one behind the other in binary form: how many bytes that takes, and the writing of it (as many bytes). */
size_t sid_set_bytes(const struct sid_set *set);
void sid_set_write(const struct sid_set *set, char *out);
/* The same backwards: exactly count SIDs, rising, nothing else. out is replaced; false leaves it empty. */
bool sid_set_read(struct slice bytes, uint32_t count, struct sid_set *out);
/* Whether sid_set_read() would take them; allocates nothing. */
bool sid_set_is_valid(struct slice bytes, uint32_t count);
