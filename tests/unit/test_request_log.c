#include "core/base/request_log.h"
#include "core/base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/test_request_log.XXXXXX";
static char path[64], moved[64];

static int set_up(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/requests", directory);
	snprintf(moved, sizeof(moved), "%s/requests.1", directory);
	return 0;
}

static int tear_down(void **state)
{
	unlink(path);
	unlink(moved);
	return rmdir(directory);
}

static struct request_log *open_log(const char *at)
{
	struct request_log *log = NULL;
	assert_int_equal(request_log_new(at, &log).code, ERR_NONE);
	assert_non_null(log);
	return log;
}

/* "worker number ....\n", of bytes bytes; false when dropped */
static bool put(struct request_log_buffer *b, unsigned worker, unsigned number, size_t bytes)
{
	char *at = request_log_reserve(b, bytes);
	if (!at)
		return false;
	memset(at, '.', bytes);
	int n = snprintf(at, bytes, "%u %u ", worker, number);
	at[n] = '.';
	at[bytes - 1] = '\n';
	request_log_commit(b, bytes);
	return true;
}

/* Number of lines; every one must be whole, and those of each worker ascend. */
static unsigned whole_lines(const char *file, size_t bytes)
{
	char line[1024];
	unsigned n = 0, next[16] = {0};
	FILE *f = fopen(file, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned worker, number;
		assert_int_equal(strlen(line), bytes);
		assert_int_equal(line[bytes - 1], '\n');
		assert_int_equal(sscanf(line, "%u %u", &worker, &number), 2);
		assert_true(worker < 16 && number >= next[worker]);
		next[worker] = number + 1;
		n++;
	}
	fclose(f);
	return n;
}

static void wait_until(uint64_t (*count)(const struct request_log *), struct request_log *log, uint64_t want)
{
	for (int i = 0; i < 2000 && count(log) < want; i++)
		usleep(5000);
	assert_int_equal(count(log), want);
}

static void no_log_costs_nothing(void **state)
{
	struct request_log *log = (struct request_log *)1;
	assert_int_equal(request_log_new("", &log).code, ERR_NONE);
	assert_null(log);
	struct request_log_buffer *b = request_log_buffer_new(log);
	assert_null(b);
	assert_null(request_log_reserve(b, 100));
	request_log_tick(b);
	request_log_buffer_free(b);
	request_log_reopen(log);
	request_log_free(log);
	assert_int_equal(request_log_dropped(log), 0);
}

static void everything_is_written_at_the_end(void **state)
{
	unlink(path);
	struct request_log *log = open_log(path);
	struct request_log_buffer *b = request_log_buffer_new(log);
	for (unsigned i = 0; i < 5000; i++)
		assert_true(put(b, 0, i, 280));
	request_log_buffer_free(b);
	request_log_free(log);
	assert_int_equal(whole_lines(path, 280), 5000);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void lines_are_appended_to_what_is_there(void **state)
{
	unlink(path);
	for (unsigned round = 0; round < 2; round++) {
		struct request_log *log = open_log(path);
		struct request_log_buffer *b = request_log_buffer_new(log);
		assert_true(put(b, round, 0, 100));
		request_log_buffer_free(b);
		request_log_free(log);
	}
	assert_int_equal(whole_lines(path, 100), 2);
}

static void a_tick_writes_what_waits(void **state)
{
	unlink(path);
	struct request_log *log = open_log(path);
	struct request_log_buffer *b = request_log_buffer_new(log);
	request_log_tick(b);
	put(b, 0, 0, 50);
	assert_int_equal(request_log_lines(log), 0);
	request_log_tick(b);
	wait_until(request_log_lines, log, 1);
	assert_int_equal(whole_lines(path, 50), 1);
	request_log_buffer_free(b);
	request_log_free(log);
}

struct writer {
	struct request_log *log;
	unsigned index, written;
};

static void *write_lines(void *arg)
{
	struct writer *w = arg;
	struct request_log_buffer *b = request_log_buffer_new(w->log);
	for (unsigned i = 0; i < 3000; i++)
		w->written += put(b, w->index, i, 200);
	request_log_buffer_free(b);
	return NULL;
}

static void workers_do_not_mix_their_lines(void **state)
{
	unlink(path);
	struct request_log *log = open_log(path);
	struct writer writers[4];
	pthread_t threads[4];
	unsigned written = 0;
	for (unsigned i = 0; i < 4; i++) {
		writers[i] = (struct writer){log, i, 0};
		pthread_create(&threads[i], NULL, write_lines, &writers[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		written += writers[i].written;
	}
	assert_int_equal(request_log_dropped(log), 4 * 3000 - written);
	request_log_free(log);
	assert_int_equal(whole_lines(path, 200), written);
}

static void reopening_follows_a_moved_file(void **state)
{
	unlink(path);
	struct request_log *log = open_log(path);
	struct request_log_buffer *b = request_log_buffer_new(log);
	put(b, 0, 0, 60);
	request_log_tick(b);
	wait_until(request_log_lines, log, 1);
	assert_int_equal(rename(path, moved), 0);
	request_log_reopen(log);
	struct stat st;
	for (int i = 0; i < 2000 && stat(path, &st); i++)
		usleep(5000);
	put(b, 0, 1, 60);
	request_log_buffer_free(b);
	request_log_free(log);
	assert_int_equal(whole_lines(path, 60), 1);
	assert_int_equal(whole_lines(moved, 60), 1);
	unlink(moved);
}

static void a_full_disk_drops_lines_and_is_told_once(void **state)
{
	uint64_t failed = log_count(EVENT_REQUEST_LOG_FAILED), recovered = log_count(EVENT_REQUEST_LOG_RECOVERED);
	assert_int_equal(symlink("/dev/full", moved), 0);
	struct request_log *log = open_log(moved);
	struct request_log_buffer *b = request_log_buffer_new(log);
	for (unsigned i = 0; i < 3; i++) {
		put(b, 0, i, 60);
		request_log_tick(b);
	}
	wait_until(request_log_dropped, log, 3);
	assert_int_equal(request_log_lines(log), 0);
	assert_int_equal(log_count(EVENT_REQUEST_LOG_FAILED), failed + 1);
	/* the disk has room again */
	unlink(moved);
	request_log_reopen(log);
	struct stat st;
	for (int i = 0; i < 2000 && stat(moved, &st); i++)
		usleep(5000);
	put(b, 0, 3, 60);
	request_log_tick(b);
	wait_until(request_log_lines, log, 1);
	for (int i = 0; i < 2000 && log_count(EVENT_REQUEST_LOG_RECOVERED) == recovered; i++)
		usleep(5000);
	assert_int_equal(log_count(EVENT_REQUEST_LOG_RECOVERED), recovered + 1);
	request_log_buffer_free(b);
	request_log_free(log);
	assert_int_equal(whole_lines(moved, 60), 1);
	unlink(moved);
}

/* A limit of the file size cuts a write in the middle of a line: the half line is taken back. */
static void a_line_cut_by_the_disk_is_taken_back(void **state)
{
	enum { LINE = 100, ROOM = 1050 };
	unlink(path);
	struct rlimit before, small;
	getrlimit(RLIMIT_FSIZE, &before);
	struct request_log *log = open_log(path);
	struct request_log_buffer *b = request_log_buffer_new(log);
	small = (struct rlimit){ROOM, before.rlim_max};
	for (unsigned i = 0; i < 30; i++)
		put(b, 0, i, LINE);
	setrlimit(RLIMIT_FSIZE, &small);
	request_log_tick(b);
	wait_until(request_log_dropped, log, 20);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(request_log_lines(log), 10);
	put(b, 0, 30, LINE);
	request_log_buffer_free(b);
	request_log_free(log);
	assert_int_equal(whole_lines(path, LINE), 11);
}

/* Nobody reads the pipe: the thread waits, the queue fills, and workers lose lines but no time. */
static void a_disk_that_hangs_never_holds_up_a_worker(void **state)
{
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	int reader = open(path, O_RDONLY | O_NONBLOCK);
	struct request_log *log = open_log(path);
	struct request_log_buffer *b = request_log_buffer_new(log);
	usec_t begin = clock_now();
	unsigned lost = 0;
	for (unsigned i = 0; i < 40000; i++)
		lost += !put(b, 0, i, 250); /* 10 MB, and 4 MiB may wait */
	assert_true(clock_now() - begin < 5000000);
	assert_true(lost > 10000);
	assert_true(request_log_dropped(log) >= lost);
	request_log_buffer_free(b);
	close(reader); /* EPIPE: the thread goes on, and signals do not end us */
	request_log_free(log);
	unlink(path);
}

static void a_line_larger_than_a_buffer_is_dropped(void **state)
{
	struct request_log *log = open_log(path);
	struct request_log_buffer *b = request_log_buffer_new(log);
	assert_null(request_log_reserve(b, REQUEST_LOG_CHUNK_BYTES + 1));
	assert_non_null(request_log_reserve(b, REQUEST_LOG_CHUNK_BYTES));
	assert_int_equal(request_log_dropped(log), 1);
	request_log_buffer_free(b);
	request_log_free(log);
}

static void a_path_that_cannot_be_opened_is_told(void **state)
{
	struct request_log *log;
	struct err e = request_log_new("/nonexistent/requests", &log);
	assert_int_equal(e.code, ERR_FILE);
	assert_int_equal(e.sys, 2);
	assert_non_null(strstr(e.what, "log.requests_file"));
	assert_null(log);
	assert_int_equal(request_log_new(directory, &log).code, ERR_FILE);
}

int main(void)
{
	signal(SIGXFSZ, SIG_IGN);
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(no_log_costs_nothing),
	        cmocka_unit_test(everything_is_written_at_the_end),
	        cmocka_unit_test(lines_are_appended_to_what_is_there),
	        cmocka_unit_test(a_tick_writes_what_waits),
	        cmocka_unit_test(workers_do_not_mix_their_lines),
	        cmocka_unit_test(reopening_follows_a_moved_file),
	        cmocka_unit_test(a_full_disk_drops_lines_and_is_told_once),
	        cmocka_unit_test(a_line_cut_by_the_disk_is_taken_back),
	        cmocka_unit_test(a_disk_that_hangs_never_holds_up_a_worker),
	        cmocka_unit_test(a_line_larger_than_a_buffer_is_dropped),
	        cmocka_unit_test(a_path_that_cannot_be_opened_is_told),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
