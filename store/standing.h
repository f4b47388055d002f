/* What the directory last said about accounts: disabled, deleted, in which groups. Immutable and counted; snapshots share the rows that did not change.
 * Groups are kept as 64-bit hashes, which is enough to see that one is missing: should two ever agree, a ticket is believed until it ends. Made by the
 * main thread, read by all. */
#pragma once
#include "core/base/clock.h"
#include "core/base/sid.h"

enum { STANDINGS_MAX = 20000 };

enum standing_state { STANDING_GOOD, STANDING_DISABLED, STANDING_GONE };

struct standing {
	uint32_t refs; /* atomic */
	enum standing_state state;
	struct sid account;
	int64_t at; /* clock_now() of the directory's answer; lower, also below zero, when it came before this start */
	bool groups_told; /* else groups is empty and says nothing */
	uint32_t group_count;
	uint64_t groups[]; /* rising */
};

struct standings;

/* groups: sealed or not; NULL: not told. NULL: no memory. */
struct standing *standing_new(const struct sid *account, enum standing_state state, int64_t at,
                              const struct sid_set *groups);
void standing_unref(struct standing *s);
bool standing_has_group(const struct standing *s, const struct sid *group);

/* before with these in it, in place of older ones about the same accounts; it takes references of its own. before: NULL: none. Those whose answer is
 * from before oldest are left out, and the oldest ones when there are more than STANDINGS_MAX. NULL: no memory. */
struct standings *standings_with(const struct standings *before, struct standing *const *changed, size_t count,
                                 int64_t oldest);
struct standings *standings_ref(struct standings *all); /* NULL is fine, here and below */
void standings_unref(struct standings *all);
/* NULL: nothing is known. */
const struct standing *standings_find(const struct standings *all, const struct sid *account);
size_t standings_count(const struct standings *all);
const struct standing *standings_at(const struct standings *all, size_t i);
