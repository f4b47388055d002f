#include "bench/cloud_sim_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORDS_MAX = 16 };

/* line is cut at its spaces. */
static bool read_line(const char *line, struct sim_options *o, int *status)
{
	static char words[512];
	char *argv[WORDS_MAX + 2] = {strdup("rms-cloud-sim")};
	int argc = 1;
	snprintf(words, sizeof words, "%s", line);
	char *rest = words;
	for (char *word; argc <= WORDS_MAX && (word = strsep(&rest, " ")) != NULL;)
		argv[argc++] = word;
	fflush(stderr);
	int kept = dup(2);
	assert_non_null(freopen("/dev/null", "w", stderr));
	bool good = sim_options_read(o, argc, argv, status);
	fflush(stderr);
	dup2(kept, 2);
	close(kept);
	free(argv[0]);
	return good;
}

static void a_whole_line_is_read(void **state)
{
	struct sim_options o;
	int status;
	assert_true(read_line("--listen 127.0.0.1:0 --listen [::1]:443,cert=c,key=k,tls-max=1.1,no-tickets --listen "
	                      "127.9.9.9:1,plain "
	                      "--tls-cert a --tls-key b --control 127.0.0.1:9 --workers 3 --delay-ms 50",
	                      &o, &status));
	assert_int_equal(o.listen_count, 3);
	assert_string_equal(o.listen[0].certificate, "a");
	assert_int_equal(o.listen[0].tls_lowest, 0x0303);
	assert_int_equal(o.listen[0].tls_highest, 0x0304);
	assert_string_equal(o.listen[1].key, "k");
	assert_int_equal(o.listen[1].tls_lowest, 0x0302);
	assert_int_equal(o.listen[1].tls_highest, 0x0302);
	assert_true(o.listen[1].no_tickets);
	assert_null(o.listen[2].certificate);
	assert_true(o.has_control);
	assert_int_equal(o.workers, 3);
	assert_int_equal(o.delay_ms, 50);
	assert_false(o.fixed);
	assert_true(read_line("--listen 127.0.0.1:0 --plain --bench-answer 0", &o, &status));
	assert_true(o.fixed);
	assert_int_equal(o.answer_bytes, 0);
}

static void what_is_wrong_is_refused(void **state)
{
	static const char *const lines[] = {
	        "",
	        "--plain",
	        "--listen",
	        "--listen 127.0.0.1",
	        "--listen 127.0.0.1:0",
	        "--listen 127.0.0.1:0 --tls-cert a",
	        "--listen 0.0.0.0:0 --plain",
	        "--listen 10.0.0.1:0 --plain",
	        "--listen [::]:0 --plain",
	        "--listen localhost:0 --plain",
	        "--listen , --plain",
	        "--listen 127.0.0.1:0,odd --plain",
	        "--listen 127.0.0.1:0,cert=c --tls-cert a --tls-key b",
	        "--listen 127.0.0.1:0,cert=c,key=k --plain",
	        "--listen 127.0.0.1:0,tls-max=1.4 --tls-cert a --tls-key b",
	        "--listen 127.0.0.1:0,tls-min=1.3,tls-max=1.2 --tls-cert a --tls-key b",
	        "--listen 127.0.0.1:0 --plain --control 8.8.8.8:80",
	        "--listen 127.0.0.1:0 --plain --workers 65",
	        "--listen 127.0.0.1:0 --plain --workers -1",
	        "--listen 127.0.0.1:0 --plain --delay-ms 5x",
	        "--listen 127.0.0.1:0 --plain --templates 201",
	        "--listen 127.0.0.1:0 --plain --seconds",
	        "--listen 127.0.0.1:0 --plain extra",
	        "--listen 127.0.0.1:0 --plain --nothing",
	};
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		struct sim_options o;
		int status = 0;
		if (read_line(lines[i], &o, &status))
			fail_msg("taken: %s", lines[i]);
		assert_int_equal(status, 2);
	}
}

static void more_listeners_than_fit_are_refused(void **state)
{
	char *argv[2 + 2 * (SIM_LISTENERS_MAX + 1)] = {strdup("x"), strdup("--plain")};
	struct sim_options o;
	int status = 0, argc = 2;
	for (int i = 0; i <= SIM_LISTENERS_MAX; i++) {
		argv[argc++] = strdup("--listen");
		argv[argc++] = strdup("127.0.0.1:0");
	}
	int kept = dup(2);
	assert_non_null(freopen("/dev/null", "w", stderr));
	assert_false(sim_options_read(&o, argc, argv, &status));
	fflush(stderr);
	dup2(kept, 2);
	close(kept);
	assert_int_equal(status, 2);
	/* getopt may have moved them: every one is still there once. */
	for (int i = 0; i < argc; i++)
		free(argv[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_whole_line_is_read),
	        cmocka_unit_test(what_is_wrong_is_refused),
	        cmocka_unit_test(more_listeners_than_fit_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
