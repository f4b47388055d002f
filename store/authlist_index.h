/* Rows of the list by what they name. Made once for a snapshot, then only read; any thread. */
#pragma once
#include "core/base/authlist_rows.h"

/* Sorted by SID, then by row. An expanded group is there once as itself and once for each member. */
struct row_by_sid {
	struct sid sid;
	uint32_t row;
	bool is_member;
};

struct row_by_principal {
	const char *principal; /* the row's own */
	uint32_t row;
};

struct row_index {
	struct row_by_sid *sids;
	struct row_by_principal *principals;
	size_t sid_count, principal_count;
};

/* first: the object of the first of count rows, which are stride bytes apart and outlive the index. false: no memory; row_index_done() is due. */
bool row_index_make(struct row_index *index, const struct authlist_object *first, size_t stride, size_t count);
void row_index_done(struct row_index *index);

/* The first place with this SID, NULL: none; and the next one with the same. */
const struct row_by_sid *row_index_find(const struct row_index *index, const struct sid *s);
const struct row_by_sid *row_index_next(const struct row_index *index, const struct row_by_sid *at);
/* UINT32_MAX: not there. */
uint32_t row_index_find_principal(const struct row_index *index, struct slice principal);
