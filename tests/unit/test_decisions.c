/* Decisions that are kept: found by their id and by account, over restarts, in a ring; what is damaged is left out; a disk that fails loses nothing in
 * memory. */
#include "store/decisions.h"

#include "core/base/check.h"

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

static char directory[64], problem[DB_PROBLEM_BYTES];

static int set_up(void **state)
{
	snprintf(directory, sizeof(directory), "/var/tmp/rms-decisions-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

static struct decision_record record(uint64_t id)
{
	struct decision_record r = {.id = id,
	                            .at_s = 1790000000 + id,
	                            .until_s = 1790000300 + id,
	                            .reason = id % 2 ? DECIDED_ALLOWED_MEMBER : DECIDED_NOT_LISTED,
	                            .role = AUTHLIST_ROLE_FCI,
	                            .group_count = 3,
	                            .generation = 7,
	                            .list_age_s = 5,
	                            .members_age_s = 6,
	                            .standing_age_s = UINT32_MAX};
	char sid[64];
	snprintf(sid, sizeof(sid), "S-1-5-21-1-2-3-%u", (unsigned)(id % 10));
	assert_true(sid_parse(slice_str(sid), &r.sid));
	snprintf(r.account, sizeof(r.account), "CORP\\exch%u$", (unsigned)(id % 10));
	snprintf(r.entry, sizeof(r.entry), "S-1-5-21-1-2-3-99");
	snprintf(r.address, sizeof(r.address), "10.0.0.1");
	return r;
}

static struct decisions *opened(void)
{
	struct decisions *d;
	assert_int_equal(decisions_open(directory, &d, problem).code, ERR_NONE);
	return d;
}

static void note(struct decisions *d, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct decision_record r = record(first + i);
		decisions_note(d, &r);
		if (i % 500 == 499)
			decisions_take(d);
	}
	decisions_take(d);
	assert_int_equal(decisions_lost(d), 0);
}

/* What the keeper does. */
static struct err keep(struct decisions *d)
{
	static char document[DECISION_SEGMENT_BYTES];
	uint32_t segment;
	for (size_t n; (n = decisions_dirty(d, &segment, document));) {
		struct err failed = decisions_keep(d, segment, slice_of(document, n));
		if (failed.code) {
			decisions_not_kept(d, segment);
			return failed;
		}
	}
	return OK;
}

static void ids_are_one_word(void **state)
{
	char text[DECISION_ID_TEXT_BYTES];
	uint64_t id;
	decision_id_print(0xc0ffee, text);
	assert_string_equal(text, "D0000000000c0ffee");
	assert_true(decision_id_read(slice_str(text), &id));
	assert_int_equal(id, 0xc0ffee);
	assert_true(decision_id_read(SLICE("dFFFFFFFFFFFFFFFF"), &id));
	static const char *const others[] = {
	        "D0000000000000000", "D000000000c0ffee", "D0000000000c0ffeg", "X0000000000c0ffee", "DAVE", ""};
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		assert_false(decision_id_read(slice_str(others[i]), &id));
}

static void a_record_comes_back_and_no_byte_can_be_missing(void **state)
{
	char bytes[DECISION_RECORD_BYTES];
	struct decision_record r = record(5), read;
	memset(r.account, 'x', sizeof(r.account) - 1);
	memset(r.denial, 'y', sizeof(r.denial) - 1);
	memset(r.entry, 'z', sizeof(r.entry) - 1);
	memset(r.address, '1', sizeof(r.address) - 1);
	for (unsigned i = 0; i < DECISION_REASON_COUNT; i++) {
		r.reason = i;
		size_t n = decision_record_write(&r, bytes);
		assert_in_range(n, 1, sizeof(bytes));
		struct slice in = slice_of(bytes, n);
		assert_true(decision_record_read(&in, &read));
		assert_int_equal(in.len, 0);
		assert_int_equal(read.reason, i);
		assert_string_equal(read.account, r.account);
		assert_int_equal(read.standing_age_s, UINT32_MAX);
	}
	size_t n = decision_record_write(&r, bytes);
	for (size_t cut = 0; cut < n; cut++) {
		struct slice in = slice_of(bytes, cut);
		assert_false(decision_record_read(&in, &read));
		assert_int_equal(in.len, cut);
	}
}

static void they_are_found_and_survive_a_restart(void **state)
{
	struct decisions *d = opened();
	assert_string_equal(problem, "");
	note(d, 1, 150);
	assert_int_equal(decisions_find(d, 17)->at_s, 1790000017);
	assert_null(decisions_find(d, 151));
	assert_null(decisions_find(d, 0));
	assert_int_equal(decisions_last(d, "corp\\EXCH3$")->id, 143);
	assert_int_equal(decisions_last(d, "S-1-5-21-1-2-3-4")->id, 144);
	assert_null(decisions_last(d, "CORP\\nobody"));
	struct decision_record r = record(9000);
	decisions_note(d, &r);
	assert_int_equal(decisions_find(d, 9000)->id, 9000); /* also what was noted just now */
	assert_int_equal(keep(d).code, ERR_NONE);
	decisions_close(d);
	d = opened();
	assert_int_equal(decisions_count(d), 151);
	assert_int_equal(decisions_find(d, 17)->at_s, 1790000017);
	assert_int_equal(decisions_last(d, "CORP\\exch0$")->id, 9000);
	decisions_close(d);
}

static void the_ring_keeps_the_newest(void **state)
{
	struct decisions *d = opened();
	for (unsigned i = 0; i < 3; i++) {
		note(d, 1 + i * 3000, 3000);
		assert_int_equal(keep(d).code, ERR_NONE);
		decisions_close(d);
		d = opened();
	}
	assert_int_equal(decisions_find(d, 9000)->id, 9000);
	assert_non_null(decisions_find(d, 9000 - DECISIONS_KEPT + DECISIONS_PER_SEGMENT));
	assert_null(decisions_find(d, 9000 - DECISIONS_KEPT));
	assert_in_range(decisions_count(d), DECISIONS_KEPT - DECISIONS_PER_SEGMENT, DECISIONS_KEPT);
	assert_int_equal(decisions_last(d, "CORP\\exch9$")->id, 8999);
	decisions_close(d);
}

static void what_does_not_fit_into_the_inbox_is_counted(void **state)
{
	struct decisions *d = opened();
	for (unsigned i = 1; i <= DECISIONS_INBOX + 5; i++) {
		struct decision_record r = record(i);
		decisions_note(d, &r);
	}
	decisions_take(d);
	assert_int_equal(decisions_lost(d), 5);
	decisions_take(d);
	assert_int_equal(decisions_lost(d), 5);
	assert_non_null(decisions_find(d, DECISIONS_INBOX));
	decisions_close(d);
}

static void garbage_is_moved_aside_and_decides_nothing(void **state)
{
	char path[96];
	struct decisions *d = opened();
	note(d, 1, 200);
	assert_int_equal(keep(d).code, ERR_NONE);
	decisions_close(d);
	snprintf(path, sizeof(path), "%s/decisions", directory);
	int fd = open(path, O_WRONLY);
	for (off_t at = 0; at < 64 * 1024; at += 512)
		assert_int_equal(pwrite(fd, "garbage!garbage!", 16, at), 16);
	close(fd);
	d = opened();
	assert_non_null(strstr(problem, "moved"));
	assert_int_equal(decisions_count(d), 0);
	note(d, 1, 1);
	assert_int_equal(keep(d).code, ERR_NONE);
	decisions_close(d);
	assert_int_equal(truncate(path, 100), 0);
	d = opened();
	assert_int_equal(decisions_count(d), 0);
	decisions_close(d);
}

static void a_full_disk_loses_nothing_in_memory(void **state)
{
	struct decisions *d = opened();
	note(d, 1, 10);
	assert_int_equal(keep(d).code, ERR_NONE);
	struct rlimit before, none = {0};
	getrlimit(RLIMIT_FSIZE, &before);
	none.rlim_max = before.rlim_max;
	none.rlim_cur = 4096;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &none);
	note(d, 100, 300);
	assert_int_equal(keep(d).code, ERR_FILE);
	assert_non_null(decisions_find(d, 399));
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(keep(d).code, ERR_NONE);
	decisions_close(d);
	d = opened();
	assert_int_equal(decisions_count(d), 310);
	decisions_close(d);
}

/* A writer that is killed at any moment leaves a file that opens, with whole records. */
static void a_killed_writer_leaves_what_it_had_written(void **state)
{
	for (int round = 0; round < 8; round++) {
		int fds[2];
		assert_int_equal(pipe(fds), 0);
		pid_t child = fork();
		if (child == 0) {
			struct decisions *d = opened();
			for (uint64_t i = 1;; i += 50) {
				note(d, i, 50);
				if (keep(d).code || write(fds[1], "x", 1) != 1)
					_exit(1);
			}
		}
		char byte;
		for (int i = 0; i < 2 + round; i++)
			assert_int_equal(read(fds[0], &byte, 1), 1);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		close(fds[0]);
		close(fds[1]);
		struct decisions *d = opened();
		assert_string_equal(problem, "");
		assert_true(decisions_count(d) >= 100);
		assert_int_equal(decisions_find(d, 3)->at_s, 1790000003);
		decisions_close(d);
	}
}

static void without_a_directory_they_are_in_memory(void **state)
{
	struct decisions *d;
	assert_int_equal(decisions_open(NULL, &d, problem).code, ERR_NONE);
	note(d, 1, 10);
	assert_non_null(decisions_find(d, 10));
	assert_int_equal(keep(d).code, ERR_NONE);
	decisions_close(d);
	decisions_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(ids_are_one_word),
	        cmocka_unit_test(a_record_comes_back_and_no_byte_can_be_missing),
	        cmocka_unit_test_setup_teardown(they_are_found_and_survive_a_restart, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(the_ring_keeps_the_newest, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(what_does_not_fit_into_the_inbox_is_counted, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(garbage_is_moved_aside_and_decides_nothing, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing_in_memory, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_killed_writer_leaves_what_it_had_written, set_up, tear_down),
	        cmocka_unit_test(without_a_directory_they_are_in_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
