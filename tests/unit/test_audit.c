/* The record of changes: whole, or the first line that is not. */
#include "core/ops/audit.h"
#include "core/base/check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64], path[96];
static const struct admin_peer who = {.uid = 42, .name = "alice"};

static int make_directory(void **state)
{
	snprintf(directory, sizeof(directory), "/var/tmp/rms-audit-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/audit.jsonl", directory);
	return 0;
}

static int remove_directory(void **state)
{
	unlink(path);
	return rmdir(directory);
}

static struct audit *open_it(void)
{
	struct audit *a = NULL;
	struct err e = audit_open(directory, &a);
	if (e.code)
		fail_msg("%s", err_text(e));
	return a;
}

static void append(struct audit *a, const char *what)
{
	json_t *after = json_pack("{s:s}", "sid", what);
	assert_int_equal(audit_append(a, &who, what, NULL, after).code, ERR_NONE);
	json_decref(after);
}

/* Three lines, closed. */
static void write_three(void)
{
	struct audit *a = open_it();
	append(a, "one");
	append(a, "two");
	audit_close(a);
	a = open_it(); /* the chain goes on after a restart */
	append(a, "three");
	assert_int_equal(audit_lines(a), 3);
	audit_close(a);
}

static char *read_text(void)
{
	char *text = calloc(1, 65536);
	FILE *in = fopen(path, "r");
	assert_non_null(in);
	assert_true(fread(text, 1, 65535, in) > 0);
	fclose(in);
	return text;
}

static void write_text(const char *text)
{
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static struct audit_check verify_it(void)
{
	struct audit_check check;
	struct audit *a = open_it();
	assert_int_equal(audit_verify(a, &check).code, ERR_NONE);
	audit_close(a);
	return check;
}

static void a_chain_survives_a_restart_and_is_whole(void **state)
{
	write_three();
	struct audit_check check = verify_it();
	assert_int_equal(check.lines, 3);
	assert_int_equal(check.broken_line, 0);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	struct audit *a = open_it();
	json_t *last = audit_last(a, 2);
	assert_int_equal(json_array_size(last), 2);
	json_t *line = json_array_get(last, 1);
	assert_string_equal(json_string_value(json_object_get(line, "what")), "three");
	assert_string_equal(json_string_value(json_object_get(json_object_get(line, "who"), "name")), "alice");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(line, "who"), "uid")), 42);
	json_decref(last);
	audit_close(a);
}

static void a_changed_line_is_the_first_broken_one(void **state)
{
	write_three();
	char *text = read_text();
	*strstr(text, "\"two\"") = '\''; /* still as long */
	write_text(text);
	free(text);
	struct audit_check check = verify_it();
	assert_int_equal(check.broken_line, 2);
	assert_int_equal(check.lines, 1);
	assert_non_null(strstr(check.why, "changed"));
}

static void a_missing_line_shows_in_its_place(void **state)
{
	write_three();
	char *text = read_text(), *second = strchr(text, '\n') + 1, *third = strchr(second, '\n') + 1;
	memmove(second, third, strlen(third) + 1);
	write_text(text);
	free(text);
	struct audit_check check = verify_it();
	assert_int_equal(check.broken_line, 2);
	assert_non_null(strstr(check.why, "taken out"));
}

static void a_line_of_another_chain_does_not_fit(void **state)
{
	write_three();
	char *ours = read_text();
	unlink(path);
	struct audit *a = open_it();
	append(a, "other");
	append(a, "two");
	audit_close(a);
	char *theirs = read_text(), *mixed = calloc(1, 131072);
	memcpy(mixed, ours, (size_t)(strchr(ours, '\n') + 1 - ours));
	strcat(mixed, strchr(theirs, '\n') + 1);
	write_text(mixed);
	free(ours);
	free(theirs);
	free(mixed);
	struct audit_check check = verify_it();
	assert_int_equal(check.broken_line, 2);
	assert_non_null(strstr(check.why, "does not follow"));
}

static void an_unfinished_line_is_cut_and_that_is_written_down(void **state)
{
	write_three();
	int fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "{\"n\":4,\"ti", 10), 10);
	close(fd);
	struct audit_check check = verify_it();
	assert_int_equal(check.broken_line, 0);
	assert_int_equal(check.lines, 4);
	char *text = read_text();
	assert_non_null(strstr(text, "incomplete last line was cut away\",\"before\":null,\"after\":{\"bytes\":10}"));
	free(text);
}

static void a_full_disk_refuses_the_change_and_leaves_the_chain_whole(void **state)
{
	write_three();
	struct stat st;
	struct rlimit old, small;
	struct audit *a = open_it();
	assert_int_equal(stat(path, &st), 0);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = (rlim_t)st.st_size + 20; /* some of the line fits, as on a real disk */
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	struct err e = audit_append(a, &who, "four", NULL, NULL);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(e.code, ERR_FILE);
	assert_non_null(strstr(e.what, "no room"));
	assert_int_equal(audit_lines(a), 3);
	append(a, "four again");
	audit_close(a);
	struct audit_check check = verify_it();
	assert_int_equal(check.broken_line, 0);
	assert_int_equal(check.lines, 4);
}

static void what_happens_to_the_file_behind_the_nodes_back_stops_changes(void **state)
{
	write_three();
	struct audit_check check;
	struct audit *a = open_it();
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(audit_append(a, &who, "four", NULL, NULL).code, ERR_FILE);
	assert_int_equal(audit_verify(a, &check).code, ERR_NONE);
	assert_int_equal(check.broken_line, 1);
	unlink(path);
	assert_int_equal(audit_append(a, &who, "four", NULL, NULL).code, ERR_FILE);
	assert_int_equal(audit_verify(a, &check).code, ERR_FILE);
	audit_close(a);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
}

static void two_nodes_do_not_share_one_record(void **state)
{
	struct audit *a = open_it(), *b = NULL;
	struct err e = audit_open(directory, &b);
	assert_int_equal(e.code, ERR_FILE);
	assert_non_null(strstr(e.what, "another node"));
	audit_close(a);
}

static void a_directory_that_is_not_there_is_said(void **state)
{
	struct audit *a = NULL;
	struct err e = audit_open("/nowhere/at/all", &a);
	assert_int_equal(e.code, ERR_FILE);
	assert_non_null(strstr(e.what, "/nowhere/at/all/audit.jsonl"));
	assert_null(a);
}

#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        WITH_DIRECTORY(a_chain_survives_a_restart_and_is_whole),
	        WITH_DIRECTORY(a_changed_line_is_the_first_broken_one),
	        WITH_DIRECTORY(a_missing_line_shows_in_its_place),
	        WITH_DIRECTORY(a_line_of_another_chain_does_not_fit),
	        WITH_DIRECTORY(an_unfinished_line_is_cut_and_that_is_written_down),
	        WITH_DIRECTORY(a_full_disk_refuses_the_change_and_leaves_the_chain_whole),
	        WITH_DIRECTORY(what_happens_to_the_file_behind_the_nodes_back_stops_changes),
	        WITH_DIRECTORY(two_nodes_do_not_share_one_record),
	        cmocka_unit_test(a_directory_that_is_not_there_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
