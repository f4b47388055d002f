#include "store/standing.h"

#include <stdlib.h>

struct standings {
	uint32_t refs; /* atomic */
	uint32_t count;
	struct standing *at[]; /* by account */
};

/* FNV-1a. Who makes groups in the directory could look for two that agree; it would gain until its ticket ends what it had before. */
static uint64_t hash_of(const struct sid *s)
{
	uint64_t hash = 14695981039346656037ull;
	for (size_t i = 0; i < sid_bytes(s); i++)
		hash = (hash ^ s->bytes[i]) * 1099511628211ull;
	return hash;
}

static int compare_hashes(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;
	return *a < *b ? -1 : *a > *b;
}

struct standing *standing_new(const struct sid *account, enum standing_state state, int64_t at,
                              const struct sid_set *groups)
{
	uint32_t count = groups ? groups->count : 0;
	struct standing *s = calloc(1, sizeof(*s) + count * sizeof(s->groups[0]));
	if (!s)
		return NULL;
	s->refs = 1;
	s->account = *account;
	s->state = state;
	s->at = at;
	s->groups_told = groups != NULL;
	s->group_count = count;
	for (uint32_t i = 0; i < count; i++)
		s->groups[i] = hash_of(&groups->at[i]);
	if (count)
		qsort(s->groups, count, sizeof(s->groups[0]), compare_hashes);
	return s;
}

static struct standing *standing_ref(struct standing *s)
{
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void standing_unref(struct standing *s)
{
	if (s && __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(s);
}

bool standing_has_group(const struct standing *s, const struct sid *group)
{
	uint64_t hash = hash_of(group);
	return s->group_count && bsearch(&hash, s->groups, s->group_count, sizeof(hash), compare_hashes);
}

/* ---- all of them ---- */

static int compare_accounts(const void *left, const void *right)
{
	struct standing *const *a = left, *const *b = right;
	int by_sid = sid_compare(&(*a)->account, &(*b)->account);
	return by_sid ? by_sid : (*a)->at < (*b)->at ? 1 : (*a)->at > (*b)->at ? -1 : 0; /* the newest first */
}

static int compare_ages(const void *left, const void *right)
{
	struct standing *const *a = left, *const *b = right;
	return (*a)->at < (*b)->at ? 1 : (*a)->at > (*b)->at ? -1 : 0;
}

static void keep_newest_of_each(struct standings *all)
{
	uint32_t kept = 0;
	qsort(all->at, all->count, sizeof(all->at[0]), compare_accounts);
	for (uint32_t i = 0; i < all->count; i++)
		if (kept == 0 || sid_compare(&all->at[kept - 1]->account, &all->at[i]->account) != 0)
			all->at[kept++] = all->at[i];
	all->count = kept;
}

struct standings *standings_with(const struct standings *before, struct standing *const *changed, size_t count,
                                 int64_t oldest)
{
	size_t had = before ? before->count : 0;
	struct standings *all = calloc(1, sizeof(*all) + (had + count) * sizeof(all->at[0]));
	if (!all)
		return NULL;
	all->refs = 1;
	for (size_t i = 0; i < had; i++)
		if (before->at[i]->at >= oldest)
			all->at[all->count++] = before->at[i];
	for (size_t i = 0; i < count; i++)
		all->at[all->count++] = changed[i];
	if (all->count)
		keep_newest_of_each(all);
	if (all->count > STANDINGS_MAX) {
		qsort(all->at, all->count, sizeof(all->at[0]), compare_ages);
		all->count = STANDINGS_MAX;
		qsort(all->at, all->count, sizeof(all->at[0]), compare_accounts);
	}
	for (uint32_t i = 0; i < all->count; i++)
		standing_ref(all->at[i]);
	return all;
}

struct standings *standings_ref(struct standings *all)
{
	if (all)
		__atomic_add_fetch(&all->refs, 1, __ATOMIC_RELAXED);
	return all;
}

void standings_unref(struct standings *all)
{
	if (!all || __atomic_sub_fetch(&all->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (uint32_t i = 0; i < all->count; i++)
		standing_unref(all->at[i]);
	free(all);
}

static int compare_to_account(const void *account, const void *place)
{
	struct standing *const *s = place;
	return sid_compare(account, &(*s)->account);
}

const struct standing *standings_find(const struct standings *all, const struct sid *account)
{
	if (!all || all->count == 0)
		return NULL;
	struct standing *const *found = bsearch(account, all->at, all->count, sizeof(all->at[0]), compare_to_account);
	return found ? *found : NULL;
}

size_t standings_count(const struct standings *all)
{
	return all ? all->count : 0;
}

const struct standing *standings_at(const struct standings *all, size_t i)
{
	return all->at[i];
}
