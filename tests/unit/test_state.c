/* What must survive a restart, and what must not be believed afterwards. */
#include "store/state.h"

#include "core/base/check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE = 4096, DOCUMENT = 20000 };

static char directory[64], path[96], command[400], problem[DB_PROBLEM_BYTES];

static int make_directory(void **state)
{
	/* In memory where there is such a place: these tests sync some thousand times. */
	snprintf(directory, sizeof(directory), "%s/rms-state-XXXXXX",
	         access("/dev/shm", W_OK) ? "/var/tmp" : "/dev/shm");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/state", directory);
	return 0;
}

static int remove_directory(void **state)
{
	snprintf(command, sizeof(command), "rm -r '%s'", directory);
	return system(command);
}

static struct state *open_it(void)
{
	struct state *s = NULL;
	struct err e = state_open(directory, &s, problem);
	if (e.code)
		fail_msg("%s: %s", err_text(e), problem);
	return s;
}

static struct state *open_well(void)
{
	struct state *s = open_it();
	assert_string_equal(problem, "");
	return s;
}

/* A document that tells its number in each byte. */
static struct slice document(unsigned number, size_t len)
{
	static char text[1 << 20];
	memset(text, 'a' + (int)(number % 26), len);
	return slice_of(text, len);
}

static struct err keep(struct state *s, unsigned number, size_t len)
{
	return state_keep(s, STATE_LIST,
	                  &(struct state_record){.confirmed_s = number, .document = document(number, len)});
}

/* Its number; 0: none. */
static unsigned last(struct state *s, size_t len)
{
	struct state_record list;
	char *record;
	struct err e = state_last(s, STATE_LIST, &list, &record);
	if (e.code)
		fail_msg("%s", err_text(e));
	if (!record)
		return 0;
	unsigned number = (unsigned)list.confirmed_s;
	assert_true(slice_equal(list.document, document(number, len)));
	free(record);
	return number;
}

static void fill(unsigned times)
{
	struct state *s = open_well();
	for (unsigned i = 1; i <= times; i++)
		assert_int_equal(keep(s, i, DOCUMENT).code, ERR_NONE);
	state_close(s);
}

static off_t file_bytes(void)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* D04 */
static void test_the_last_one_is_there_after_a_restart(void **state)
{
	struct state *s = open_well();
	assert_int_equal(last(s, DOCUMENT), 0);
	state_close(s);
	fill(7);
	s = open_well();
	assert_int_equal(last(s, DOCUMENT), 7);
	state_close(s);
}

static void test_many_writes_do_not_make_it_grow(void **state)
{
	fill(20);
	off_t before = file_bytes();
	fill(300);
	assert_true(file_bytes() <= before + 16 * PAGE);
}

static void test_no_directory_is_an_error_with_words(void **state)
{
	struct state *s;
	assert_int_equal(state_open("/var/tmp/rms-state-is-not-there", &s, problem).code, ERR_FILE);
	assert_non_null(strstr(problem, "No such file"));
}

/* ---- damage ---- */

static bool has_aside(void)
{
	snprintf(command, sizeof(command), "ls '%s' | grep -q damaged && rm '%s'/*damaged*", directory, directory);
	return system(command) == 0;
}

/* Opened, whatever is in it: moved aside and said so, and then it works. */
static void opens_anew(void)
{
	struct state *s = open_it();
	assert_non_null(strstr(problem, "moved to"));
	assert_true(has_aside());
	assert_int_equal(last(s, DOCUMENT), 0);
	assert_int_equal(keep(s, 9, DOCUMENT).code, ERR_NONE);
	assert_int_equal(last(s, DOCUMENT), 9);
	state_close(s);
}

static void test_cut_at_every_page(void **state)
{
	fill(5);
	off_t whole = file_bytes();
	snprintf(command, sizeof(command), "cp '%s' '%s.whole'", path, path);
	assert_int_equal(system(command), 0);
	assert_true(whole / PAGE > 10);
	for (off_t at = 1; at < whole; at = at == 1 ? PAGE : at + PAGE) {
		snprintf(command, sizeof(command), "cp '%s.whole' '%s'", path, path);
		assert_int_equal(system(command), 0);
		assert_int_equal(truncate(path, at), 0);
		opens_anew();
	}
	assert_int_equal(truncate(path, 0), 0); /* as a new one */
	state_close(open_well());
}

/* Each page in turn is other bytes: never a crash, never a list that was not kept. */
static void overwrite_each_page(int with)
{
	fill(5);
	off_t whole = file_bytes();
	unsigned rebuilt = 0, refused = 0, harmless = 0;
	uint8_t bytes[PAGE];
	snprintf(command, sizeof(command), "cp '%s' '%s.whole'", path, path);
	assert_int_equal(system(command), 0);
	srand(7);
	for (off_t at = 0; at < whole; at += PAGE) {
		snprintf(command, sizeof(command), "cp '%s.whole' '%s'", path, path);
		assert_int_equal(system(command), 0);
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = with >= 0 ? (uint8_t)with : (uint8_t)rand();
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		assert_int_equal(pwrite(fd, bytes, sizeof(bytes), at), PAGE);
		close(fd);
		struct state *s = open_it();
		struct state_record list;
		char *record = NULL;
		struct err e = state_last(s, STATE_LIST, &list, &record);
		rebuilt += *problem != 0;
		refused += e.code != ERR_NONE;
		harmless += !*problem && !e.code;
		if (record)
			assert_int_equal(list.confirmed_s, 5);
		free(record);
		for (unsigned i = 10; i < 14; i++)
			assert_int_equal(keep(s, i, DOCUMENT).code, ERR_NONE);
		assert_int_equal(last(s, DOCUMENT), 13);
		state_close(s);
		has_aside();
	}
	assert_true(rebuilt >= 3); /* both first pages and the root */
	assert_true(refused >= DOCUMENT / PAGE - 1);
	assert_true(harmless > 0); /* pages that are free */
}

static void test_every_page_garbage(void **state)
{
	overwrite_each_page(-1);
}

static void test_every_page_empty(void **state)
{
	overwrite_each_page(0);
}

/* One byte at a time, where LMDB keeps its own books: names of records, lists of free pages. Four writes use and give back what they say. */
static void test_each_byte_of_the_books(void **state)
{
	enum { FLAGS_AT = 10, LOWER_AT = 12, HEAD = 16, LEAF = 2 };
	static uint8_t whole[64 * PAGE];
	unsigned rebuilt = 0, tried = 0;
	fill(9);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ssize_t len = read(fd, whole, sizeof(whole));
	close(fd);
	assert_true(len > 0 && (size_t)len < sizeof(whole));
	for (ssize_t at = 2 * PAGE; at < len; at++) {
		const uint8_t *page = whole + at / PAGE * PAGE;
		uint16_t flags, bounds[2];
		memcpy(&flags, page + FLAGS_AT, sizeof(flags));
		memcpy(bounds, page + LOWER_AT, sizeof(bounds));
		if (flags != LEAF || (at % PAGE >= bounds[0] && at % PAGE < bounds[1]))
			continue;
		uint8_t other = whole[at] ^ 0x55;
		fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
		assert_int_equal(write(fd, whole, (size_t)len), len);
		assert_int_equal(pwrite(fd, &other, 1, at), 1);
		close(fd);
		struct state *s = open_it();
		rebuilt += *problem != 0;
		tried++;
		for (unsigned i = 10; i < 14; i++)
			assert_int_equal(keep(s, i, i % 2 ? DOCUMENT : 3 * DOCUMENT).code, ERR_NONE);
		assert_int_equal(last(s, DOCUMENT), 13);
		state_close(s);
		has_aside();
	}
	assert_true(tried > 100 && rebuilt > 20);
}

static void test_a_whole_file_of_garbage(void **state)
{
	FILE *out = fopen(path, "w");
	for (unsigned i = 0; i < 10 * PAGE; i++)
		fputc((int)(i * 2654435761u >> 13 & 255), out);
	fclose(out);
	opens_anew();
}

static void test_cut_while_in_use(void **state)
{
	fill(5);
	struct state *s = open_well();
	struct state_record list;
	char *record;
	assert_int_equal(truncate(path, 3 * PAGE), 0);
	assert_int_equal(state_last(s, STATE_LIST, &list, &record).code, ERR_FILE);
	assert_int_equal(keep(s, 6, DOCUMENT).code, ERR_FILE);
	state_close(s);
	opens_anew();
}

/* ---- a writer that is killed, a disk that is full ---- */

static void test_a_killed_writer_loses_nothing_it_had(void **state)
{
	volatile unsigned written = 0;
	for (unsigned round = 0; round < 25; round++) {
		int pipes[2];
		assert_int_equal(pipe(pipes), 0);
		pid_t child = fork();
		if (child == 0) {
			struct state *s = open_well();
			for (unsigned i = written + 1;; i++)
				if (keep(s, i, DOCUMENT).code || write(pipes[1], &i, sizeof(i)) != sizeof(i))
					_exit(1);
		}
		close(pipes[1]);
		unsigned last_told = written, told;
		for (unsigned wanted = 1 + round % 5; wanted && read(pipes[0], &told, sizeof(told)) == sizeof(told);
		     wanted--)
			last_told = told;
		nanosleep(&(struct timespec){.tv_nsec = (long)(round * 397 % 3000) * 1000}, NULL);
		kill(child, SIGKILL);
		while (read(pipes[0], &told, sizeof(told)) == sizeof(told))
			last_told = told;
		close(pipes[0]);
		assert_int_equal(waitpid(child, NULL, 0), child);
		struct state *s = open_well();
		written = last(s, DOCUMENT);
		assert_true(last_told > 0 && (written == last_told || written == last_told + 1));
		state_close(s);
	}
}

static void test_a_full_disk_keeps_what_was_there(void **state)
{
	fill(5);
	struct state *s = open_well();
	struct rlimit old, small;
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = (rlim_t)file_bytes();
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	struct err e = keep(s, 6, 1 << 20);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(e.code, ERR_FILE);
	assert_int_not_equal(e.sys, 0);
	assert_int_equal(last(s, DOCUMENT), 5);
	assert_int_equal(keep(s, 7, DOCUMENT).code, ERR_NONE); /* there is room again */
	state_close(s);
	s = open_well();
	assert_int_equal(last(s, DOCUMENT), 7);
	state_close(s);
}

/* ---- the record ---- */

static void test_each_byte_of_a_record_counts(void **state)
{
	struct state_record list = {.confirmed_s = 1790000000, .document = SLICE("{\"version\": 1}\n")}, read;
	size_t len;
	char *record = state_record_write(STATE_LIST, &list, &len);
	assert_true(state_record_read(STATE_LIST, slice_of(record, len), &read));
	assert_int_equal(read.confirmed_s, 1790000000);
	assert_true(slice_equal(read.document, list.document));
	for (size_t i = 0; i < len; i++) {
		record[i] ^= 1;
		assert_false(state_record_read(STATE_LIST, slice_of(record, len), &read));
		record[i] ^= 1;
		assert_false(state_record_read(STATE_LIST, slice_of(record, i), &read));
	}
	free(record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define IN_A_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
	        IN_A_DIRECTORY(test_the_last_one_is_there_after_a_restart),
	        IN_A_DIRECTORY(test_many_writes_do_not_make_it_grow),
	        cmocka_unit_test(test_no_directory_is_an_error_with_words),
	        IN_A_DIRECTORY(test_cut_at_every_page),
	        IN_A_DIRECTORY(test_every_page_garbage),
	        IN_A_DIRECTORY(test_every_page_empty),
	        IN_A_DIRECTORY(test_each_byte_of_the_books),
	        IN_A_DIRECTORY(test_a_whole_file_of_garbage),
	        IN_A_DIRECTORY(test_cut_while_in_use),
	        IN_A_DIRECTORY(test_a_killed_writer_loses_nothing_it_had),
	        IN_A_DIRECTORY(test_a_full_disk_keeps_what_was_there),
	        cmocka_unit_test(test_each_byte_of_a_record_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
