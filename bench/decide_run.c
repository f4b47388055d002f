#include "bench/decide.h"
#include "core/base/check.h"

#include <stdlib.h>

struct caller {
	struct sid account;
	struct sid_set groups;
	enum decision_reason wanted;
};

static uint32_t random_below(uint64_t *state, uint32_t n)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((*state >> 33) % n);
}

static void add_group(struct caller *c, const struct sid *domain, uint32_t rid)
{
	struct sid s;
	CHECK(sid_with_rid(domain, rid, &s) && sid_set_add(&c->groups, &s));
}

static void make_caller(struct caller *c, size_t number, const struct decide_list *shape, uint32_t groups,
                        uint64_t *state)
{
	struct sid home, elsewhere;
	CHECK(sid_parse(SLICE("S-1-5-21-1-2-3"), &home) && sid_parse(SLICE("S-1-5-21-1-2-4"), &elsewhere));
	bool by_group = number % 3 == 0, by_member = number % 3 == 1;
	uint32_t rid = DECIDE_RID + random_below(state, (uint32_t)shape->accounts);
	CHECK(sid_with_rid(by_member ? &home : &elsewhere, rid, &c->account));
	c->wanted = by_group ? DECIDED_ALLOWED_GROUP : by_member ? DECIDED_ALLOWED_MEMBER : DECIDED_NOT_LISTED;
	/* An entry with a number divisible by ten is one that no ticket shows. */
	for (uint32_t i = by_group ? 1 : 0; i < groups; i++)
		add_group(c, &elsewhere, 1000 + random_below(state, 1u << 30));
	if (by_group)
		add_group(c, &home,
		          1001 + random_below(state, (uint32_t)(shape->entries + 9) / 10) * 10 %
		                          (uint32_t)shape->entries);
	CHECK(sid_set_add(&c->groups, &c->account));
	sid_set_seal(&c->groups);
}

/* callers asked in turn, so that their sets are no warmer than a busy node's. */
static bool measure(const struct authlist *l, const struct caller *callers, size_t count, double seconds,
                    struct decide_speed *out)
{
	usec_t now = clock_now();
	bool right = true;
	struct decision last = {0};
	double began = decide_now_s(), took;
	do {
		for (size_t i = 0; i < count; i++) {
			struct authlist_caller who = {.account = &callers[i].account, .groups = &callers[i].groups};
			last = authlist_decide(l, &who, now, 1);
			right = right && last.reason == callers[i].wanted;
			out->yes += last.verdict == VERDICT_YES;
		}
		out->asked += count;
		took = decide_now_s() - began;
	} while (took < seconds);
	out->decide_ns = took * 1e9 / (double)out->asked;
	size_t again = 0, held = 0;
	began = decide_now_s();
	do {
		for (size_t i = 0; i < count; i++)
			held += authlist_still(l, &last, now + i);
		again += count;
		took = decide_now_s() - began;
	} while (took < seconds / 4);
	out->still_ns = took * 1e9 / (double)again;
	return right && held == again;
}

bool decide_run(const struct authlist *l, const struct decide_list *shape, uint32_t groups, double seconds,
                struct decide_speed *out)
{
	size_t count = groups > 200 ? DECIDE_CALLERS / 4 : DECIDE_CALLERS;
	struct caller *callers = calloc(count, sizeof(*callers));
	uint64_t state = 7;
	CHECK(callers);
	for (size_t i = 0; i < count; i++)
		make_caller(&callers[i], i, shape, groups, &state);
	*out = (struct decide_speed){0};
	bool right = measure(l, callers, count, seconds, out);
	for (size_t i = 0; i < count; i++)
		sid_set_done(&callers[i].groups);
	free(callers);
	return right;
}
