#include "core/relay/directory_kept.h"

#include <stdlib.h>

enum { CLOCKS_DIFFER_S = 60 };

/* ---- to the wall's clock and back ---- */

static uint64_t told_at(int64_t at, uint64_t wall_s)
{
	int64_t age_s = ((int64_t)clock_now() - at) / 1000000;
	return age_s > 0 && (uint64_t)age_s < wall_s ? wall_s - (uint64_t)age_s : wall_s;
}

/* false: it is too old, or its time has not come: then the clock was set back, and nobody knows how old it is. */
static bool clock_of(uint64_t told_s, uint64_t wall_s, uint64_t max_age_s, int64_t *at)
{
	if (told_s > wall_s + CLOCKS_DIFFER_S || (told_s < wall_s && wall_s - told_s > max_age_s))
		return false;
	*at = (int64_t)clock_now() - (told_s < wall_s ? (int64_t)(wall_s - told_s) * 1000000 : 0);
	return true;
}

/* ---- writing ---- */

char *directory_kept_write(const struct expansions *groups, const struct standings *standings, uint64_t wall_s,
                           size_t *len)
{
	struct directory_record r = {.groups = calloc(groups->count + 1, sizeof(*r.groups)),
	                             .accounts = calloc(standings_count(standings) + 1, sizeof(*r.accounts))};
	char *out = NULL;
	for (size_t i = 0; r.groups && i < groups->count; i++) {
		const struct expansion *e = &groups->at[i];
		r.groups[r.group_count++] = (struct directory_group){e->sid, told_at(e->at, wall_s), e->members};
	}
	for (size_t i = 0; r.accounts && i < standings_count(standings); i++) {
		const struct standing *s = standings_at(standings, i);
		if (s->state != STANDING_GOOD)
			r.accounts[r.account_count++] =
			        (struct directory_account){s->account, told_at(s->at, wall_s), s->state};
	}
	if (r.groups && r.accounts && r.group_count + r.account_count)
		out = directory_record_write(&r, len);
	free(r.groups); /* their members were borrowed */
	free(r.accounts);
	return out;
}

/* ---- reading ---- */

static void restore_accounts(const struct directory_record *kept, uint64_t wall_s, uint64_t max_age_s,
                             struct standings **standings)
{
	struct standing **made = calloc(kept->account_count + 1, sizeof(struct standing *));
	size_t count = 0;
	for (size_t i = 0; made && i < kept->account_count; i++) {
		const struct directory_account *a = &kept->accounts[i];
		int64_t at;
		if (clock_of(a->told_s, wall_s, max_age_s, &at) &&
		    (made[count] = standing_new(&a->sid, a->state, at, NULL)))
			count++;
	}
	if (count)
		*standings = standings_with(NULL, made, count, INT64_MIN);
	for (size_t i = 0; i < count; i++)
		standing_unref(made[i]);
	free(made);
}

void directory_kept_restore(const struct directory_record *kept, uint64_t wall_s, uint64_t max_age_s,
                            struct expansions *groups, struct standings **standings)
{
	for (size_t i = 0; i < kept->group_count; i++) {
		const struct directory_group *g = &kept->groups[i];
		struct sid_set members;
		int64_t at;
		if (clock_of(g->told_s, wall_s, max_age_s, &at) && sid_set_copy(&g->members, &members))
			expansions_put(groups, &g->sid, &members, at);
	}
	restore_accounts(kept, wall_s, max_age_s, standings);
}
