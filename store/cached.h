/* One answer of the cloud that may be given again: immutable, counted, shared by all threads, and the same bytes in memory and in the store: versioned,
 * with a SHA-256 over all of it, checked when it is read. Nothing in it is worth a secret; template texts are the tenant's own affair.
 *
 *   "RMSC"  u16 version = 1  u16 0  key (32)  scope (16)  entry (16)  operation (32, zeros behind it)  u64 born_s  u64 fresh_until_s
 *   u64 stale_until_s  u32 bytes of the head  u32 bytes of the body  SHA-256 of all but itself (32)  head  body
 */
#pragma once
#include "core/base/slice.h"

enum {
	CACHED_VERSION = 1,
	CACHED_KEY_BYTES = 32,
	CACHED_SCOPE_BYTES = 16,
	CACHED_OPERATION_BYTES = 32,
	CACHED_FRONT_BYTES = 168, /* all before head and body */
	CACHED_HEAD_BYTES_MAX = 16 * 1024,
	CACHED_BODY_BYTES_MAX = 256 * 1024,
};

struct cached_facts {
	uint8_t key[CACHED_KEY_BYTES];     /* over everything that the answer depends on (core/relay/recall.h) */
	uint8_t scope[CACHED_SCOPE_BYTES]; /* for whom it is; answers that depend on each other have the same */
	uint8_t entry[CACHED_SCOPE_BYTES]; /* of the list of authorized servers, by its id; zeros: for every entry */
	char operation[CACHED_OPERATION_BYTES];
	uint64_t born_s, fresh_until_s, stale_until_s; /* since 1970; stale_until_s: while the cloud is away */
};

struct cached {
	uint32_t references; /* atomic */
	struct cached_facts facts;
	struct slice head, body; /* in record. head: status line and header lines, without what frames the body */
	size_t len;
	char record[];
};

/* One reference, the caller's. NULL: no memory, or too long. */
struct cached *cached_new(const struct cached_facts *facts, struct slice head, struct slice body);
/* The same out of a record, which is copied. NULL: it is not whole, not ours, of another version; or no memory. */
struct cached *cached_read(struct slice record);
/* Any thread. */
struct cached *cached_ref(struct cached *c);
void cached_unref(struct cached *c); /* NULL is fine */

static inline struct slice cached_record(const struct cached *c)
{
	return slice_of(c->record, c->len);
}
