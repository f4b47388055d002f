#include "bench/load_options.h"

#include "core/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WORDS_MAX = 32 };

/* Splits at spaces; "~" in a word stands for one. */
static bool parse(const char *line, struct load_options *o, char *words, size_t cap)
{
	static char copy[1024];
	char *argv[WORDS_MAX + 2] = {(char[]){"rms-load"}};
	int argc = 1;
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word && argc <= WORDS_MAX; word = strtok(NULL, " ")) {
		for (char *c = word; *c; c++)
			if (*c == '~')
				*c = ' ';
		argv[argc++] = word;
	}
	words[0] = 0;
	return load_options_parse(o, argc, argv, words, cap);
}

static void what_is_asked_for_is_understood(void **state)
{
	static struct load_options o;
	char words[1024];
	assert_true(
	        parse("http://127.0.0.1:8080 http://[::1]:8081 --profile mixed --rate 250.5 --poisson --duration 90s "
	              "--warmup 500ms --connections 64 --in-flight 32 --threads 2 --verify 5%",
	              &o, words, sizeof(words)));
	assert_int_equal(o.target_count, 2);
	assert_string_equal(o.targets[0].url, "http://127.0.0.1:8080");
	assert_string_equal(o.targets[1].authority, "[::1]:8081");
	assert_true(o.callers[CALLER_EXCHANGE] && o.callers[CALLER_SHAREPOINT] && o.callers[CALLER_FCI]);
	assert_false(o.callers[CALLER_FIXED]);
	assert_true(o.rate == 250.5 && o.duration_s == 90 && o.warmup_s == 0.5 && o.poisson);
	assert_true(o.verify > 0.0499 && o.verify < 0.0501);
	assert_int_equal(o.in_flight, 32);

	assert_true(
	        parse("https://localhost --op acquirelicense --request-bytes 16k --answer-bytes 24576 --json - "
	              "--header Authorization:~Negotiate~YII --resume --ca ca.pem --check p99<50ms --check errors=0",
	              &o, words, sizeof(words)));
	assert_int_equal(o.op->id, OP_ACQUIRE_LICENSE);
	assert_true(o.sized && o.request_bytes == 16384 && o.answer_bytes == 24576);
	assert_string_equal(o.targets[0].authority, "localhost");
	assert_int_equal(o.targets[0].uri.port, 443);
	assert_true(slice_equal(o.headers[0], SLICE("Authorization: Negotiate YII")));
	assert_int_equal(o.check_count, 2);
}

static void without_words_about_it_a_run_is_short_and_looks_at_answers(void **state)
{
	static struct load_options o;
	char words[1024];
	assert_true(parse("http://127.0.0.1 --profile exchange", &o, words, sizeof(words)));
	assert_true(o.duration_s == 10 && o.timeout_s == 30 && o.rate == 0 && o.verify == 0.01);
	assert_int_equal(o.in_flight, o.connections);
	assert_true(parse("http://127.0.0.1 --profile exchange --requests 1000", &o, words, sizeof(words)));
	assert_true(o.duration_s == 60 && o.requests == 1000);
	assert_true(parse("http://127.0.0.1 --op GetServerInfo", &o, words, sizeof(words)));
	assert_false(o.sized);
	assert_true(parse("http://127.0.0.1 --bootstrap", &o, words, sizeof(words)));
}

static void wrong_usage_is_explained(void **state)
{
	static const struct {
		const char *line, *word;
	} cases[] = {
	        {"", "URL"},
	        {"--profile exchange", "URL"},
	        {"http://127.0.0.1", "--profile"},
	        {"http://127.0.0.1 --profile nobody", "--profile nobody"},
	        {"http://127.0.0.1 --op Nothing", "AcquireLicense"},
	        {"http://127.0.0.1 --op GetServerInfo --profile fci", "exclude"},
	        {"http://127.0.0.1 --profile fci --request-bytes 100", "--op"},
	        {"http://127.0.0.1 --profile fci --rate 0", "--rate"},
	        {"http://127.0.0.1 --profile fci --rate -5", "--rate"},
	        {"http://127.0.0.1 --profile fci --poisson", "--rate"},
	        {"http://127.0.0.1 --profile fci --duration 2h", "--duration"},
	        {"http://127.0.0.1 --profile fci --duration 7200", "--duration"},
	        {"http://127.0.0.1 --profile fci --duration 0", "--duration"},
	        {"http://127.0.0.1 --profile fci --connections 0", "--connections"},
	        {"http://127.0.0.1 --profile fci --connections 2.5", "--connections"},
	        {"http://127.0.0.1 --profile fci --connections 4 --in-flight 5", "--in-flight"},
	        {"http://127.0.0.1 --profile mixed --connections 2", "--connections"},
	        {"http://127.0.0.1 --profile fci --connections 2 --threads 4", "--connections"},
	        {"http://127.0.0.1 --profile fci --verify 101%", "--verify"},
	        {"http://127.0.0.1 --profile fci --frobnicate", "--frobnicate"},
	        {"http://127.0.0.1 --profile fci -x", "two dashes"},
	        {"http://127.0.0.1 --profile", "needs a value"},
	        {"http://127.0.0.1 --profile fci --check p99<50", "unit"},
	        {"http://127.0.0.1 --profile fci --header nonsense", "Name: value"},
	        {"http://127.0.0.1 --profile fci --header Host:~x", "itself"},
	        {"http://127.0.0.1 --profile fci --header A\r:~x", "character"},
	        {"http://127.0.0.1 --profile fci --header A:~x\n", "control"},
	        {"http://127.0.0.1/_wmcs --profile fci", "paths"},
	        {"ftp://127.0.0.1 --profile fci", "http"},
	        {"http://127.0.0.1 https://127.0.0.1 --profile fci", "all"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		static struct load_options o;
		char words[1024];
		if (parse(cases[i].line, &o, words, sizeof(words)))
			fail_msg("'%s' was taken", cases[i].line);
		if (!strstr(words, cases[i].word))
			fail_msg("'%s': no '%s' in: %s", cases[i].line, cases[i].word, words);
	}
}

static void other_machines_are_refused_until_they_are_claimed(void **state)
{
	static const struct {
		const char *url;
		bool claimed, fine;
	} cases[] = {
	        {"http://127.0.0.1:8080", false, true},  {"http://[::1]:8080", false, true},
	        {"http://127.8.9.10:8080", false, true}, {"http://192.0.2.1:8080", false, false},
	        {"http://192.0.2.1:8080", true, true},   {"http://[2001:db8::1]", false, false},
	        {"http://0.0.0.0:8080", false, false},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		static struct load_options o;
		char words[1024], line[128];
		snprintf(line, sizeof(line), "%s --profile fci", cases[i].url);
		assert_true(parse(line, &o, words, sizeof(words)));
		bool fine = load_target_resolve(&o.targets[0], cases[i].claimed, words, sizeof(words));
		if (fine != cases[i].fine)
			fail_msg("%s: %s", cases[i].url, fine ? "taken" : words);
		if (!fine)
			assert_non_null(strstr(words, "--i-own-this-server"));
	}
}

static void help_names_every_option(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	load_options_help(out);
	fclose(out);
#define HEADING(words)
#define OPTION(id, name, argument, help) \
	if (!strstr(text, "--" name))    \
		fail_msg("no --%s", name);
#include "bench/load_options.def"
#undef OPTION
#undef HEADING
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_asked_for_is_understood),
	        cmocka_unit_test(without_words_about_it_a_run_is_short_and_looks_at_answers),
	        cmocka_unit_test(wrong_usage_is_explained),
	        cmocka_unit_test(other_machines_are_refused_until_they_are_claimed),
	        cmocka_unit_test(help_names_every_option),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
