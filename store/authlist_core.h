/* Inside store/authlist*.c only: what a snapshot is made of, for the file that makes it and the one that decides by it. */
#pragma once
#include "store/authlist.h"
#include "store/authlist_index.h"

/* A row whose members the directory is asked for. */
struct expanded {
	uint32_t row;
	bool is_denial, must;
	int64_t at; /* atomic; clock_now() of its answer, or AUTHLIST_NEVER */
};

/* What snapshots that differ in standings only have in common. */
struct authlist_core {
	uint32_t references; /* atomic */
	int64_t confirmed;   /* atomic; clock_now() */
	int64_t oldest_must; /* atomic: the lowest `at` of those that must be known; INT64_MAX: none must */
	usec_t max_age;
	uint64_t generation;
	uint8_t hash[AUTHLIST_HASH_BYTES];
	struct authlist_rows rows;
	struct authlist_entry_id *ids; /* of the entries */
	struct row_index entries, denials;
	struct expanded *expanded;
	size_t expanded_count;
};

struct authlist {
	uint32_t references; /* atomic */
	struct authlist_core *core;
	struct standings *standings;
};

static inline bool older_than(int64_t at, usec_t now, usec_t max_age)
{
	return at == AUTHLIST_NEVER || ((int64_t)now > at && (usec_t)((int64_t)now - at) > max_age);
}

static inline bool is_unknown(const struct authlist_core *l, const struct expanded *e, usec_t now)
{
	return older_than(__atomic_load_n(&e->at, __ATOMIC_RELAXED), now, l->max_age);
}
