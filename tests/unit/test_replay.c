/* E04: an authenticator is accepted once, for as long as its ticket's clock skew would let it be accepted again. */
#include "core/authd/replay.h"
#include "core/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static usec_t now_us;

static usec_t fake_now(void)
{
	return now_us;
}

static struct slice authenticator(char out[static 64], unsigned number)
{
	memset(out, 'x', 64);
	snprintf(out, 16, "%08u", number);
	return slice_of(out, 64);
}

static int set_up(void **state)
{
	now_us = 1000000;
	clock_replace(fake_now);
	return 0;
}

static int tear_down(void **state)
{
	clock_replace(NULL);
	return 0;
}

static void the_second_time_is_seen(void **state)
{
	struct replay r;
	char room[64];
	assert_int_equal(replay_init(&r).code, ERR_NONE);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(replay_take(&r, authenticator(room, i * 7919)), REPLAY_NEW);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(replay_take(&r, authenticator(room, i * 7919)), REPLAY_SEEN);
	assert_int_equal(replay_count(&r), 5000);
	replay_done(&r);
}

static void both_ends_count(void **state)
{
	struct replay r;
	char a[64], b[64];
	assert_int_equal(replay_init(&r).code, ERR_NONE);
	authenticator(a, 1);
	authenticator(b, 1);
	b[63] = 'y';
	assert_int_equal(replay_take(&r, slice_of(a, 64)), REPLAY_NEW);
	assert_int_equal(replay_take(&r, slice_of(b, 64)), REPLAY_NEW);
	static const char zeros[64];
	assert_int_equal(replay_take(&r, slice_of(zeros, 64)), REPLAY_NEW);
	assert_int_equal(replay_take(&r, slice_of(zeros, 64)), REPLAY_SEEN);
	replay_done(&r);
}

static void it_is_remembered_for_ten_minutes_at_least_and_twenty_at_most(void **state)
{
	char room[64];
	for (unsigned at_s = 0; at_s < 1300; at_s += 50) {
		struct replay r;
		now_us = 1000000;
		assert_int_equal(replay_init(&r).code, ERR_NONE);
		now_us += at_s * 1000000ull; /* wherever in a generation's life it comes */
		assert_int_equal(replay_take(&r, authenticator(room, 1)), REPLAY_NEW);
		now_us += 300 * 1000000ull;
		assert_int_equal(replay_take(&r, authenticator(room, 2)), REPLAY_NEW);
		now_us += 299 * 1000000ull;
		assert_int_equal(replay_take(&r, authenticator(room, 1)), REPLAY_SEEN);
		now_us += 901 * 1000000ull;
		assert_int_equal(replay_take(&r, authenticator(room, 3)), REPLAY_NEW);
		assert_true(replay_count(&r) <= 2);
		now_us += 1200 * 1000000ull;
		assert_int_equal(replay_take(&r, authenticator(room, 1)), REPLAY_NEW);
		assert_int_equal(replay_count(&r), 1);
		replay_done(&r);
	}
}

static void a_full_table_says_so_and_forgets_nothing(void **state)
{
	struct replay r;
	char room[64];
	assert_int_equal(replay_init(&r).code, ERR_NONE);
	r.max = 3;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(replay_take(&r, authenticator(room, i)), REPLAY_NEW);
	assert_int_equal(replay_take(&r, authenticator(room, 3)), REPLAY_FULL);
	assert_int_equal(replay_take(&r, authenticator(room, 0)), REPLAY_SEEN);
	now_us += REPLAY_KEEP_S * 1000000ull;
	assert_int_equal(replay_take(&r, authenticator(room, 3)), REPLAY_NEW);
	assert_int_equal(replay_take(&r, authenticator(room, 0)), REPLAY_SEEN);
	replay_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(the_second_time_is_seen, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(both_ends_count, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(it_is_remembered_for_ten_minutes_at_least_and_twenty_at_most, set_up,
	                                        tear_down),
	        cmocka_unit_test_setup_teardown(a_full_table_says_so_and_forgets_nothing, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
