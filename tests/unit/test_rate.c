/* H11: a tenant's limit, on a clock that the test turns. */
#include "core/relay/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MS = 1000, SECOND = 1000000 };

/* Requests that go within the time, when each worker asks each millisecond as often as it may. */
static unsigned greedy(struct rate_share *shares, size_t workers, usec_t from, usec_t to)
{
	unsigned gone = 0;
	for (usec_t now = from; now < to; now += MS)
		for (size_t i = 0; i < workers; i++)
			for (int k = 0; k < 50; k++)
				gone += rate_take(&shares[i], NULL, now) == 0;
	return gone;
}

static void no_ten_seconds_see_more_than_the_limit(void **state)
{
	static const uint32_t limits[] = {1, 7, 50, 500, 7500};
	for (size_t n = 0; n < sizeof(limits) / sizeof(limits[0]); n++) {
		struct rate_limit l;
		struct rate_share shares[3];
		rate_limit_open(&l, limits[n]);
		for (size_t i = 0; i < 3; i++)
			rate_share_open(&shares[i], &l);
		usec_t start = 1000ULL * SECOND;
		unsigned first = greedy(shares, 3, start, start + 10 * SECOND);
		unsigned second = greedy(shares, 3, start + 10 * SECOND, start + 20 * SECOND);
		assert_in_range(first, limits[n] * 9 / 10, limits[n] + (limits[n] < 10));
		assert_in_range(second, limits[n] * 8 / 10, limits[n] + (limits[n] < 10));
	}
}

static void without_a_limit_everything_goes(void **state)
{
	struct rate_limit l;
	struct rate_share s;
	rate_limit_open(&l, 0);
	rate_share_open(&s, &l);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(rate_take(&s, NULL, SECOND), 0);
}

static void who_asks_most_waits_first(void **state)
{
	struct rate_limit l;
	struct rate_share s;
	struct rate_caller much = {0}, little = {0};
	rate_limit_open(&l, 1000);
	rate_share_open(&s, &l);
	unsigned refused = 0, asked = 0, much_refused = 0;
	for (usec_t now = 5000ULL * SECOND; now < 5020ULL * SECOND; now += MS) {
		for (int i = 0; i < 3; i++)
			much_refused += rate_take(&s, &much, now) != 0;
		if (now % (50 * MS) == 0) { /* 20 a second: far below an even part of 100 */
			asked++;
			refused += rate_take(&s, &little, now) != 0;
		}
	}
	assert_true(much_refused > 30000);
	if (refused * 20 > asked) /* a permit may be gone in the very millisecond */
		fail_msg("%u of %u refused", refused, asked);
}

static void when_the_service_asks_to_wait_nobody_goes(void **state)
{
	struct rate_limit l;
	struct rate_share s;
	rate_limit_open(&l, 7500);
	rate_share_open(&s, &l);
	usec_t now = 100ULL * SECOND;
	assert_int_equal(rate_take(&s, NULL, now), 0);
	rate_wait(&l, 7, now);
	rate_wait(&l, 3, now); /* a shorter one takes nothing back */
	assert_int_equal(rate_take(&s, NULL, now), 8);
	assert_int_equal(rate_take(&s, NULL, now + 6 * SECOND + 1), 1);
	assert_int_equal(rate_take(&s, NULL, now + 7 * SECOND), 0);
	rate_wait(&l, 86400, now + 7 * SECOND);
	assert_int_equal(rate_take(&s, NULL, now + (7 + RATE_WAIT_MAX_S) * SECOND), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(no_ten_seconds_see_more_than_the_limit),
	        cmocka_unit_test(without_a_limit_everything_goes),
	        cmocka_unit_test(who_asks_most_waits_first),
	        cmocka_unit_test(when_the_service_asks_to_wait_nobody_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
