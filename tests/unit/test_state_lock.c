/* One process has a state directory, whatever becomes of the files in it. */
#include "store/state_lock.h"

#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64], path[96], problem[DB_PROBLEM_BYTES];

static int make_directory(void **state)
{
	snprintf(directory, sizeof(directory), "/var/tmp/rms-lock-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/state", directory);
	return 0;
}

static int remove_directory(void **state)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -r '%s'", directory);
	return system(command);
}

static int take_well(void)
{
	int lock;
	struct err e = state_lock_take(directory, &lock, problem);
	if (e.code)
		fail_msg("%s: %s", err_text(e), problem);
	assert_string_equal(problem, "");
	assert_true(lock >= 0);
	return lock;
}

static void another_is_refused(void)
{
	int lock;
	struct err e = state_lock_take(directory, &lock, problem);
	assert_int_equal(e.code, ERR_FILE);
	assert_int_equal(e.sys, -EBUSY);
	assert_non_null(strstr(problem, "in use by another process"));
	assert_int_equal(lock, -1);
	state_lock_release(lock);
}

static void test_one_has_it_until_it_gives_it_back(void **state)
{
	int lock = take_well();
	another_is_refused();
	another_is_refused();
	state_lock_release(lock);
	state_lock_release(take_well());
}

static void test_files_may_be_deleted(void **state)
{
	struct state *s;
	int lock = take_well();
	assert_int_equal(state_open(directory, &s, problem).code, ERR_NONE);
	struct state_record list = {.confirmed_s = 1, .document = SLICE("{}")};
	assert_int_equal(state_keep(s, STATE_LIST, &list).code, ERR_NONE);
	assert_int_equal(unlink(path), 0);
	another_is_refused();
	state_close(s);
	another_is_refused();
	state_lock_release(lock);
}

/* A damaged file is moved aside, and there is room for half of a new one. */
static void test_the_store_may_be_impossible_to_make(void **state)
{
	struct state *s;
	struct rlimit old, small;
	int lock = take_well();
	FILE *out = fopen(path, "w");
	fputs("not what LMDB writes", out);
	fclose(out);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 4096;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	struct err e = state_open(directory, &s, problem);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(e.code, ERR_FILE);
	assert_non_null(strstr(problem, "cannot be opened"));
	assert_non_null(strstr(problem, "state.damaged-")); /* where the room is that it needs */
	another_is_refused();
	assert_int_equal(state_open(directory, &s, problem).code,
	                 ERR_NONE); /* there is room again, and nothing half made */
	assert_string_equal(problem, "");
	state_close(s);
	another_is_refused();
	state_lock_release(lock);
}

static void test_a_full_disk_is_no_reason(void **state)
{
	struct rlimit old, none;
	getrlimit(RLIMIT_FSIZE, &old);
	none = old;
	none.rlim_cur = 0;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &none);
	int lock, second;
	struct err first = state_lock_take(directory, &lock, problem);
	struct err other = state_lock_take(directory, &second, problem);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(first.code, ERR_NONE);
	assert_int_equal(other.sys, -EBUSY);
	state_lock_release(lock);
}

static void test_it_ends_with_the_process(void **state)
{
	int pipes[2], lock;
	char byte;
	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();
	if (child == 0) {
		if (state_lock_take(directory, &lock, problem).code || write(pipes[1], "t", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	another_is_refused();
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	state_lock_release(take_well());
	close(pipes[0]);
	close(pipes[1]);
}

static void test_what_is_no_directory_is_an_error_with_words(void **state)
{
	int lock;
	assert_int_equal(state_lock_take("/var/tmp/rms-lock-is-not-there", &lock, problem).code, ERR_FILE);
	assert_int_equal(lock, -1);
	assert_non_null(strstr(problem, "No such file"));
	struct err e = state_lock_take("/dev/null", &lock, problem);
	assert_int_equal(e.sys, -ENOTDIR);
	assert_non_null(strstr(problem, "/dev/null"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define IN_A_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
	        IN_A_DIRECTORY(test_one_has_it_until_it_gives_it_back),
	        IN_A_DIRECTORY(test_files_may_be_deleted),
	        IN_A_DIRECTORY(test_the_store_may_be_impossible_to_make),
	        IN_A_DIRECTORY(test_a_full_disk_is_no_reason),
	        IN_A_DIRECTORY(test_it_ends_with_the_process),
	        cmocka_unit_test(test_what_is_no_directory_is_an_error_with_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
