/* Threads that wait for a silent peer come back at the deadline, and only then. */
#include "core/authd/directory_deadline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int ours, theirs;
static struct directory_deadline deadline;

static int set_up(void **state)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return -1;
	ours = pair[0];
	theirs = pair[1];
	directory_deadline_init(&deadline);
	directory_deadline_watch(&deadline, ours);
	return 0;
}

static int tear_down(void **state)
{
	directory_deadline_done(&deadline);
	close(ours);
	close(theirs);
	return 0;
}

static void test_a_wait_ends_at_its_deadline(void **state)
{
	char byte;
	usec_t begun = clock_now();
	directory_deadline_set(&deadline, begun + 100000);
	assert_int_equal(read(ours, &byte, 1), 0);
	assert_true(clock_now() >= begun + 100000);
}

static void test_a_deadline_may_be_over_before_it_is_set(void **state)
{
	char byte;
	directory_deadline_set(&deadline, 1);
	assert_int_equal(read(ours, &byte, 1), 0);
}

static void test_the_nearest_of_several_comes_first(void **state)
{
	char byte;
	int others[2];
	struct directory_deadline later;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, others), 0);
	directory_deadline_init(&later);
	directory_deadline_watch(&later, others[0]);
	directory_deadline_set(&later, clock_now() + 3600ull * 1000000);
	directory_deadline_set(&deadline, clock_now() + 50000);
	assert_int_equal(read(ours, &byte, 1), 0);
	assert_int_equal(write(others[1], "x", 1), 1);
	assert_int_equal(read(others[0], &byte, 1), 1);
	directory_deadline_done(&later);
	close(others[0]);
	close(others[1]);
}

/* The other one is over later and is waited for; by then the first would have been. */
static void test_what_was_cleared_goes_on(void **state)
{
	char byte;
	int others[2];
	struct directory_deadline later;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, others), 0);
	directory_deadline_init(&later);
	directory_deadline_watch(&later, others[0]);
	directory_deadline_set(&deadline, clock_now() + 100000);
	directory_deadline_clear(&deadline);
	directory_deadline_set(&later, clock_now() + 200000);
	assert_int_equal(read(others[0], &byte, 1), 0);
	assert_int_equal(write(theirs, "x", 1), 1);
	assert_int_equal(read(ours, &byte, 1), 1);
	directory_deadline_done(&later);
	close(others[0]);
	close(others[1]);
}

static void test_the_socket_may_be_closed_before_and_its_number_be_anothers(void **state)
{
	char byte;
	int others[2], number = ours;
	close(ours);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, others), 0);
	assert_int_equal(others[0], number);
	directory_deadline_set(&deadline, 1);
	assert_int_equal(read(theirs, &byte, 1), 0);
	assert_int_equal(write(others[1], "x", 1), 1);
	assert_int_equal(read(others[0], &byte, 1), 1);
	ours = others[0];
	close(others[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_A_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	        WITH_A_PAIR(test_a_wait_ends_at_its_deadline),
	        WITH_A_PAIR(test_a_deadline_may_be_over_before_it_is_set),
	        WITH_A_PAIR(test_the_nearest_of_several_comes_first),
	        WITH_A_PAIR(test_what_was_cleared_goes_on),
	        WITH_A_PAIR(test_the_socket_may_be_closed_before_and_its_number_be_anothers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
