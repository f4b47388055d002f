#include "store/authlist_index.h"

#include <stdlib.h>

static int compare_sid_rows(const void *left, const void *right)
{
	const struct row_by_sid *a = left, *b = right;
	int by_sid = sid_compare(&a->sid, &b->sid);
	return by_sid ? by_sid : a->row < b->row ? -1 : a->row > b->row;
}

static int compare_principal_rows(const void *left, const void *right)
{
	const struct row_by_principal *a = left, *b = right;
	return strcmp(a->principal, b->principal);
}

/* Entries and denials are walked alike: by their objects, stride bytes apart. */
static const struct authlist_object *object_at(const struct authlist_object *first, size_t stride, size_t i)
{
	return (const void *)((const char *)first + i * stride);
}

static void index_object(struct row_index *index, const struct authlist_object *o, uint32_t row)
{
	if (o->principal) {
		index->principals[index->principal_count++] = (struct row_by_principal){o->principal, row};
		return;
	}
	index->sids[index->sid_count++] = (struct row_by_sid){o->sid, row, false};
	for (uint32_t m = 0; m < o->members.count; m++)
		if (sid_compare(&o->members.at[m], &o->sid) != 0)
			index->sids[index->sid_count++] = (struct row_by_sid){o->members.at[m], row, true};
}

bool row_index_make(struct row_index *index, const struct authlist_object *first, size_t stride, size_t count)
{
	size_t sids = 0, principals = 0;
	for (size_t i = 0; i < count; i++) {
		const struct authlist_object *o = object_at(first, stride, i);
		principals += o->principal != NULL;
		sids += o->principal ? 0 : 1 + (size_t)o->members.count;
	}
	index->sids = calloc(sids + 1, sizeof(*index->sids));
	index->principals = calloc(principals + 1, sizeof(*index->principals));
	if (!index->sids || !index->principals)
		return false;
	for (size_t i = 0; i < count; i++)
		index_object(index, object_at(first, stride, i), (uint32_t)i);
	qsort(index->sids, index->sid_count, sizeof(*index->sids), compare_sid_rows);
	qsort(index->principals, index->principal_count, sizeof(*index->principals), compare_principal_rows);
	return true;
}

void row_index_done(struct row_index *index)
{
	free(index->sids);
	free(index->principals);
}

const struct row_by_sid *row_index_find(const struct row_index *index, const struct sid *s)
{
	size_t from = 0, to = index->sid_count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (sid_compare(&index->sids[middle].sid, s) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from < index->sid_count && sid_compare(&index->sids[from].sid, s) == 0 ? &index->sids[from] : NULL;
}

const struct row_by_sid *row_index_next(const struct row_index *index, const struct row_by_sid *at)
{
	const struct row_by_sid *next = at + 1;
	return next < index->sids + index->sid_count && sid_compare(&next->sid, &at->sid) == 0 ? next : NULL;
}

uint32_t row_index_find_principal(const struct row_index *index, struct slice principal)
{
	for (size_t from = 0, to = index->principal_count; from < to;) {
		size_t middle = from + (to - from) / 2;
		struct slice there = slice_str(index->principals[middle].principal);
		size_t common = there.len < principal.len ? there.len : principal.len;
		int order = memcmp(there.at, principal.at, common);
		if (order == 0 && there.len == principal.len)
			return index->principals[middle].row;
		if (order < 0 || (order == 0 && there.len < principal.len))
			from = middle + 1;
		else
			to = middle;
	}
	return UINT32_MAX;
}
