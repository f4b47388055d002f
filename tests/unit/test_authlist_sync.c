/* The list of the source `local`: replaced by administration, on the disk before it is in force. */
#include "core/relay/authlist_sync.h"

#include "core/base/check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static const char one[] = "{\"version\": 1, \"entries\": [{\"sid\": \"S-1-5-21-1-2-3-1104\", \"role\": \"exchange\", "
                          "\"added\": \"2026-11-22T10:00:00Z\"}]}";
static const char none[] = "{\"version\": 1, \"entries\": []}";

static char directory[64], path[96], problem[AUTHLIST_DOC_PROBLEM_BYTES];
static struct loop loop;
static struct settings *settings;
static struct authlist_sync *sync_of;
static struct authlist *published; /* a reference */
static unsigned publications;

static void publish(void *context, struct authlist *list)
{
	authlist_unref(published);
	published = authlist_ref(list);
	publications++;
}

static void open_sync(void)
{
	struct authlist_sync_options o = {.loop = &loop, .settings = settings, .publish = publish};
	assert_int_equal(authlist_sync_open(&o, &sync_of).code, ERR_NONE);
}

static void close_sync(void)
{
	authlist_sync_close(sync_of);
	for (int turn = 0; turn < 20; turn++)
		uv_run(&loop.uv, UV_RUN_NOWAIT);
	authlist_unref(published);
	published = NULL;
}

static int set_up(void **state)
{
	snprintf(directory, sizeof(directory), "/var/tmp/rms-sync-XXXXXX");
	if (!mkdtemp(directory) || loop_init(&loop).code)
		return -1;
	snprintf(path, sizeof(path), "%s/list.json", directory);
	settings = settings_new();
	publications = 0;
	settings_set_text(settings, SETTING_list_source, "local", 5);
	settings_set_text(settings, SETTING_node_state_directory, directory, strlen(directory));
	return 0;
}

static int tear_down(void **state)
{
	close_sync();
	loop_stop(&loop);
	loop_run(&loop);
	loop_done(&loop);
	settings_free(settings);
	unlink(path);
	return rmdir(directory); /* nothing may be left beside */
}

static struct authlist_facts facts(void)
{
	struct authlist_facts f;
	authlist_sync_facts(sync_of, &f);
	return f;
}

static void test_replaced_and_there_after_a_restart(void **state)
{
	open_sync();
	assert_non_null(authlist_sync_not_ready(sync_of));
	assert_int_equal(authlist_sync_replace(sync_of, slice_str(one), problem).code, ERR_NONE);
	assert_int_equal(publications, 1);
	assert_int_equal(authlist_rows_of(published)->entry_count, 1);
	assert_null(authlist_sync_not_ready(sync_of));
	assert_int_equal(authlist_sync_replace(sync_of, slice_str(one), problem).code, ERR_NONE);
	assert_int_equal(publications, 1); /* the same */
	assert_int_equal(authlist_sync_replace(sync_of, slice_str(none), problem).code, ERR_NONE);
	assert_int_equal(authlist_rows_of(published)->entry_count, 0);
	assert_int_equal(authlist_sync_replace(sync_of, slice_str(one), problem).code, ERR_NONE);
	close_sync();
	open_sync();
	assert_int_equal(facts().entries, 1);
	assert_int_equal(authlist_rows_of(published)->entry_count, 1);
}

/* What was read of the file before it was replaced comes back later, and must not count. */
static void test_a_reading_under_way_does_not_bring_the_old_one_back(void **state)
{
	open_sync();
	assert_int_equal(authlist_sync_replace(sync_of, slice_str(one), problem).code, ERR_NONE);
	authlist_sync_refresh(sync_of);
	usleep(100000); /* the thread of the pool has read; its result waits for the loop */
	assert_int_equal(authlist_sync_replace(sync_of, slice_str(none), problem).code, ERR_NONE);
	for (int turn = 0; turn < 40; turn++) {
		uv_run(&loop.uv, UV_RUN_NOWAIT);
		assert_int_equal(authlist_rows_of(published)->entry_count, 0);
		usleep(5000);
	}
	assert_int_equal(publications, 2);
}

static void test_a_wrong_one_changes_nothing(void **state)
{
	open_sync();
	assert_int_equal(authlist_sync_replace(sync_of, slice_str(one), problem).code, ERR_NONE);
	uint64_t failures = facts().failures;
	struct err e = authlist_sync_replace(sync_of, SLICE("{\"version\": 1, \"entries\": [{]}"), problem);
	assert_int_equal(e.code, ERR_FILE);
	assert_non_null(strstr(problem, "line 1"));
	assert_int_equal(publications, 1);
	assert_int_equal(facts().failures, failures);
}

static void test_a_full_disk_changes_nothing(void **state)
{
	open_sync();
	assert_int_equal(authlist_sync_replace(sync_of, slice_str(one), problem).code, ERR_NONE);
	struct rlimit old, small;
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 10;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	struct err e = authlist_sync_replace(sync_of, slice_str(none), problem);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(e.code, ERR_FILE);
	assert_non_null(strstr(problem, "cannot be written"));
	assert_int_equal(authlist_rows_of(published)->entry_count, 1);
	close_sync();
	open_sync();
	assert_int_equal(facts().entries, 1);
}

static void test_a_file_that_is_put_there_is_not_ours_to_replace(void **state)
{
	settings_set_text(settings, SETTING_list_source, "file", 4);
	settings_set_text(settings, SETTING_list_file, path, strlen(path));
	open_sync();
	assert_int_equal(authlist_sync_replace(sync_of, slice_str(one), problem).code, ERR_SETTINGS);
	assert_non_null(strstr(problem, "list.source"));
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_A_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	        WITH_A_LOOP(test_replaced_and_there_after_a_restart),
	        WITH_A_LOOP(test_a_reading_under_way_does_not_bring_the_old_one_back),
	        WITH_A_LOOP(test_a_wrong_one_changes_nothing),
	        WITH_A_LOOP(test_a_full_disk_changes_nothing),
	        WITH_A_LOOP(test_a_file_that_is_put_there_is_not_ours_to_replace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
