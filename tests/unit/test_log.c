/* J12: numbers, levels and source as administrators know them, and a machine-readable form. */
#include "core/base/log.h"
#include "core/base/slice.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

static char directory[] = "/tmp/test_log.XXXXXX";
static char path[64], moved[64];
static usec_t now = 1000000;
static int real_stderr, captured;

static usec_t fake_now(void)
{
	return now;
}

/* Standard error goes to a file of which captured_text() gives what came since the last call. */
static int set_up(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/events", directory);
	snprintf(moved, sizeof(moved), "%s/events.1", directory);
	FILE *f = tmpfile();
	captured = dup(fileno(f));
	fclose(f);
	real_stderr = dup(STDERR_FILENO);
	clock_replace(fake_now);
	unsetenv("JOURNAL_STREAM");
	return 0;
}

static int tear_down(void **state)
{
	clock_replace(NULL);
	unlink(path);
	unlink(moved);
	rmdir(directory);
	close(captured);
	close(real_stderr);
	return 0;
}

static void begin_capture(void)
{
	now += 120 * 1000000ull; /* another minute: no test feels another's limit */
	(void)!ftruncate(captured, 0);
	lseek(captured, 0, SEEK_SET);
	dup2(captured, STDERR_FILENO);
}

static const char *captured_text(void)
{
	static char text[65536];
	dup2(real_stderr, STDERR_FILENO);
	ssize_t n = pread(captured, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static unsigned lines_in(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void vendors_numbers_and_levels_are_kept(void **state) /* J12 */
{
	static const struct {
		unsigned number;
		const char *level;
	} known[] = {{1000, "Information"}, {1001, "Information"}, {1002, "Information"}, {1003, "Information"},
	             {1004, "Information"}, {2000, "Warning"},     {2001, "Warning"},     {2002, "Warning"},
	             {2003, "Warning"},     {3000, "Error"},       {3001, "Error"}};
	unsigned found = 0, last = 0;
	for (unsigned id = 0; id < EVENT_COUNT; id++) {
		const struct event_row *row = event_row(id);
		assert_true(row->number > last); /* ascending, so none is there twice */
		last = row->number;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (known[i].number == row->number) {
				assert_string_equal(event_level_name(row->level), known[i].level);
				found++;
			}
		if (row->number >= 4000)
			continue;
		assert_true(row->number < 3002);
	}
	assert_int_equal(found, 11);
}

static void words_go_to_standard_error(void **state)
{
	begin_capture();
	event_log(EVENT_STARTED, "version %s, %d workers", "1.2", 4);
	const char *text = captured_text();
	assert_int_equal(lines_in(text), 1);
	assert_non_null(strstr(text, "Z Information 1000 service started: version 1.2, 4 workers\n"));
	assert_int_equal(text[10], 'T');
}

static void the_journal_gets_the_level(void **state)
{
	setenv("JOURNAL_STREAM", "8:1", 1);
	begin_capture();
	event_log(EVENT_UPSTREAM_UNREACHABLE, "x");
	assert_int_equal(strncmp(captured_text(), "<3>20", 5), 0);
	begin_capture();
	event_log(EVENT_STARTED, "x");
	assert_int_equal(strncmp(captured_text(), "<6>20", 5), 0);
	unsetenv("JOURNAL_STREAM");
}

static void a_strangers_bytes_cannot_fake_a_line(void **state)
{
	begin_capture();
	event_log(EVENT_UPSTREAM_CERTIFICATE, "%s", "evil\n2026-01-01 Information 1000\x1b[2J\r\x7f");
	const char *text = captured_text();
	assert_int_equal(lines_in(text), 1);
	assert_null(strchr(text, 0x1b));
	assert_null(strchr(text, '\r'));
	assert_non_null(strstr(text, "evil?2026"));
}

static void a_long_text_is_cut(void **state)
{
	static char much[10000];
	memset(much, 'a', sizeof(much) - 1);
	begin_capture();
	event_log(EVENT_STARTED, "%s", much);
	const char *text = captured_text();
	assert_int_equal(lines_in(text), 1);
	assert_in_range(strlen(text), 500, 4096);
	struct log_event e;
	assert_int_equal(log_recent(&e, 1), 1);
	assert_string_equal(e.text + strlen(e.text) - 3, "...");
}

static void a_flood_is_counted_not_written(void **state)
{
	begin_capture();
	uint64_t before = log_count(EVENT_BODY_TOO_LARGE);
	for (int i = 0; i < 1000; i++)
		event_log(EVENT_BODY_TOO_LARGE, "%d", i);
	event_log(EVENT_CONNECTIONS_FULL, "others are not held back");
	log_tick();
	assert_int_equal(lines_in(captured_text()), LOG_BURST + 1);
	assert_int_equal(log_count(EVENT_BODY_TOO_LARGE), before + 1000);
	begin_capture(); /* moves the clock */
	log_tick();
	const char *text = captured_text();
	assert_int_equal(lines_in(text), 1);
	assert_non_null(strstr(text, "and 990 more in the last minute"));
	begin_capture();
	log_tick();
	assert_string_equal(captured_text(), "");
}

static void the_next_event_tells_what_was_left_out(void **state)
{
	begin_capture();
	for (int i = 0; i < LOG_BURST + 3; i++)
		event_log(EVENT_OVERLOAD, "x");
	begin_capture();
	event_log(EVENT_OVERLOAD, "later");
	const char *text = captured_text();
	assert_int_equal(lines_in(text), 2);
	assert_non_null(strstr(text, "and 3 more"));
	assert_true(strstr(text, "and 3 more") < strstr(text, "later"));
}

static json_t *line_of_file(const char *from, size_t index)
{
	char line[4096];
	json_t *parsed = NULL;
	FILE *f = fopen(from, "r");
	assert_non_null(f);
	for (size_t i = 0; fgets(line, sizeof(line), f); i++)
		if (i == index)
			parsed = json_loads(line, 0, NULL);
	fclose(f);
	assert_non_null(parsed);
	return parsed;
}

static void the_file_has_json_lines(void **state) /* J12 */
{
	begin_capture();
	assert_int_equal(log_open("node-7", path).code, ERR_NONE);
	event_log(EVENT_STOPPED, "reason \"%s\"", "CORP\\x");
	event_log(EVENT_INTERNAL_ERROR, "\xff");
	log_close();
	assert_string_equal(captured_text(), "");
	json_t *line = line_of_file(path, 0);
	assert_string_equal(json_string_value(json_object_get(line, "source")), "rms-connector");
	assert_int_equal(json_integer_value(json_object_get(line, "event")), 1001);
	assert_string_equal(json_string_value(json_object_get(line, "level")), "Information");
	assert_string_equal(json_string_value(json_object_get(line, "node")), "node-7");
	assert_string_equal(json_string_value(json_object_get(line, "text")), "service stopped: reason \"CORP\\x\"");
	assert_int_equal(strlen(json_string_value(json_object_get(line, "time"))), 24);
	json_decref(line);
	json_decref(line_of_file(path, 1));
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0007, 0);
}

static void what_must_be_seen_goes_to_standard_error_too(void **state)
{
	begin_capture();
	unlink(path);
	assert_int_equal(log_open("n", path).code, ERR_NONE);
	event_log(EVENT_AUTHENTICATION_OFF, "loud");
	event_log(EVENT_START_FAILED, "why");
	event_log(EVENT_STOPPED, "quiet");
	log_close();
	const char *text = captured_text();
	assert_int_equal(lines_in(text), 2);
	assert_non_null(strstr(text, "4001 AUTHENTICATION OFF"));
	json_decref(line_of_file(path, 2));
	begin_capture();
	assert_int_equal(log_open("n", "/dev/full").code, ERR_NONE);
	event_log(EVENT_START_FAILED, "once");
	log_close();
	text = captured_text();
	assert_non_null(strstr(text, "once"));
	assert_null(strstr(strstr(text, "once") + 1, "once"));
}

static void reopening_follows_a_moved_file(void **state)
{
	begin_capture();
	unlink(path);
	assert_int_equal(log_open("n", path).code, ERR_NONE);
	event_log(EVENT_STARTED, "before");
	assert_int_equal(rename(path, moved), 0);
	event_log(EVENT_STARTED, "still before");
	assert_int_equal(log_reopen().code, ERR_NONE);
	event_log(EVENT_STARTED, "after");
	log_close();
	captured_text();
	json_decref(line_of_file(moved, 1));
	json_t *line = line_of_file(path, 0);
	assert_string_equal(json_string_value(json_object_get(line, "text")), "service started: after");
	json_decref(line);
	assert_int_equal(log_reopen().code, ERR_NONE); /* without a file it does nothing */
}

static void a_file_that_cannot_be_opened_is_told(void **state)
{
	struct err e = log_open("n", "/nonexistent/events");
	assert_int_equal(e.code, ERR_FILE);
	assert_int_equal(e.sys, 2);
	begin_capture();
	event_log(EVENT_STARTED, "still heard");
	assert_non_null(strstr(captured_text(), "still heard"));
	log_close();
}

static void a_full_disk_sends_events_to_standard_error(void **state)
{
	assert_int_equal(log_open("n", "/dev/full").code, ERR_NONE);
	begin_capture();
	event_log(EVENT_STARTED, "one");
	event_log(EVENT_STARTED, "two");
	const char *text = captured_text();
	assert_non_null(strstr(text, "4017"));
	assert_non_null(strstr(text, "/dev/full: No space left on device"));
	assert_null(strstr(strstr(text, "4017") + 4, "4017")); /* told once */
	assert_non_null(strstr(text, "one"));
	assert_non_null(strstr(text, "two"));
	log_close();
}

/* The other end of the pipe is open, and nobody reads. */
static void a_reader_that_stands_still_holds_up_nobody(void **state)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	begin_capture();
	dup2(ends[1], STDERR_FILENO);
	alarm(60);
	for (int i = 0; i < 3000; i++, now += 30 * 1000000ull)
		event_log(EVENT_STARTED, "%0512d", i);
	alarm(0);
	dup2(real_stderr, STDERR_FILENO);
	char line[8192];
	size_t whole = 0;
	close(ends[1]);
	FILE *f = fdopen(ends[0], "r");
	for (; fgets(line, sizeof(line), f); whole++)
		assert_true(strlen(line) > 512 && line[strlen(line) - 1] == '\n');
	assert_in_range(whole, 50, 200); /* what a pipe holds, and no half line */
	fclose(f);
}

static void the_last_events_stay_in_memory(void **state)
{
	struct log_event recent[LOG_RECENT + 8];
	begin_capture();
	for (int i = 0; i < LOG_RECENT + 5; i++) {
		event_log(EVENT_DRAIN_BEGAN, "number %d", i);
		now += 61 * 1000000ull;
	}
	captured_text();
	assert_int_equal(log_recent(recent, LOG_RECENT + 8), LOG_RECENT);
	assert_non_null(strstr(recent[0].text, "number 36"));
	assert_non_null(strstr(recent[LOG_RECENT - 1].text, "number 5"));
	assert_int_equal(log_recent(recent, 3), 3);
	assert_int_equal(recent[0].id, EVENT_DRAIN_BEGAN);
	assert_true(recent[0].wall > 1700000000ull * 1000000);
}

static void *log_much(void *arg)
{
	for (int i = 0; i < 500; i++)
		event_log((unsigned)i % 2 ? EVENT_STARTED : EVENT_OVERLOAD, "thread %d", i);
	return NULL;
}

static void any_thread_may_log(void **state)
{
	pthread_t threads[4];
	uint64_t before = log_count(EVENT_OVERLOAD);
	begin_capture();
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, log_much, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(lines_in(captured_text()), 2 * LOG_BURST);
	assert_int_equal(log_count(EVENT_OVERLOAD), before + 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(vendors_numbers_and_levels_are_kept),
	        cmocka_unit_test(words_go_to_standard_error),
	        cmocka_unit_test(the_journal_gets_the_level),
	        cmocka_unit_test(a_strangers_bytes_cannot_fake_a_line),
	        cmocka_unit_test(a_long_text_is_cut),
	        cmocka_unit_test(a_flood_is_counted_not_written),
	        cmocka_unit_test(the_next_event_tells_what_was_left_out),
	        cmocka_unit_test(the_file_has_json_lines),
	        cmocka_unit_test(what_must_be_seen_goes_to_standard_error_too),
	        cmocka_unit_test(reopening_follows_a_moved_file),
	        cmocka_unit_test(a_file_that_cannot_be_opened_is_told),
	        cmocka_unit_test(a_full_disk_sends_events_to_standard_error),
	        cmocka_unit_test(a_reader_that_stands_still_holds_up_nobody),
	        cmocka_unit_test(the_last_events_stay_in_memory),
	        cmocka_unit_test(any_thread_may_log),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
