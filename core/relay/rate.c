#include "core/relay/rate.h"

enum { SECOND = 1000000, HANDFUL_LIFE_USEC = 50000, COME_AGAIN_S = 5, HANDFUL_LEAST_PER_S = 200 };

void rate_limit_open(struct rate_limit *l, uint32_t per_10s)
{
	*l = (struct rate_limit){0};
	if (!per_10s)
		return;
	uint32_t flowing = per_10s - per_10s / 10, gathered = per_10s / 10;
	if (gathered == 0) {
		gathered = 1; /* a limit of 1 cannot be divided: it may be 2 in one of many 10 s */
		flowing = per_10s > 1 ? per_10s - 1 : 1;
	}
	l->interval = 10ULL * SECOND / flowing;
	l->gather = l->interval * gathered;
}

void rate_share_open(struct rate_share *s, struct rate_limit *l)
{
	*s = (struct rate_share){.limit = l};
}

/* n permits, or none. A full limit has full_at in the past. */
static bool take_from_limit(struct rate_limit *l, uint32_t n, usec_t now, bool *scarce)
{
	usec_t full_at = __atomic_load_n(&l->full_at, __ATOMIC_RELAXED), next;
	do {
		next = (full_at > now ? full_at : now) + n * l->interval;
		if (next > now + l->gather)
			return false;
	} while (!__atomic_compare_exchange_n(&l->full_at, &full_at, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	*scarce = next > now + l->gather / 2;
	return true;
}

static void turn_second(struct rate_share *s, usec_t second)
{
	bool next = second == s->second + 1;
	s->before_granted = next ? s->granted : 0;
	s->before_callers = next ? s->callers : 0;
	s->granted = s->callers = 0;
	s->second = second;
}

/* More than an even part of what this worker gave in this second and the one before. */
static bool is_greedy(const struct rate_share *s, const struct rate_caller *c)
{
	uint32_t callers = s->callers > s->before_callers ? s->callers : s->before_callers;
	uint32_t granted = s->granted > s->before_granted ? s->granted : s->before_granted;
	return callers > 1 && c->used > granted / callers;
}

uint32_t rate_take(struct rate_share *s, struct rate_caller *c, usec_t now)
{
	struct rate_limit *l = s->limit;
	usec_t wait_until = __atomic_load_n(&l->wait_until, __ATOMIC_RELAXED);
	if (wait_until > now)
		return (uint32_t)((wait_until - now) / SECOND) + 1;
	if (!l->interval)
		return 0;
	usec_t second = now / SECOND;
	if (second != s->second)
		turn_second(s, second);
	if (c && c->second != second) {
		*c = (struct rate_caller){.second = second};
		s->callers++;
	}
	if (c && s->scarce && is_greedy(s, c)) {
		/* When the limit has filled up meanwhile, nobody is. */
		s->scarce = __atomic_load_n(&l->full_at, __ATOMIC_RELAXED) > now + l->gather / 2;
		if (s->scarce)
			return COME_AGAIN_S;
	}
	if (!s->have || s->have_until < now) {
		uint32_t n = l->interval * HANDFUL_LEAST_PER_S <= SECOND ? RATE_HANDFUL : 1;
		s->have = 0;
		if (!take_from_limit(l, n, now, &s->scarce)) {
			s->scarce = true;
			return COME_AGAIN_S;
		}
		s->have = n;
		s->have_until = now + HANDFUL_LIFE_USEC;
	}
	s->have--;
	s->granted++;
	if (c)
		c->used++;
	return 0;
}

void rate_wait(struct rate_limit *l, uint32_t seconds, usec_t now)
{
	usec_t until = now + (seconds < RATE_WAIT_MAX_S ? seconds : RATE_WAIT_MAX_S) * (usec_t)SECOND;
	usec_t before = __atomic_load_n(&l->wait_until, __ATOMIC_RELAXED);
	while (before < until &&
	       !__atomic_compare_exchange_n(&l->wait_until, &before, until, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
	}
}
