#include "core/ops/config_problems.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void distance_counts_single_mistakes(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} rows[] = {
	        {"", "", 0},
	        {"", "abc", 3},
	        {"queue", "queue", 0},
	        {"Queue-MS", "queue_ms", 0}, /* case and dashes do not count */
	        {"queu", "queue", 1},
	        {"quueue", "queue", 1},
	        {"qeueu", "queue", 2},
	        {"qeuue", "queue", 1},
	        {"qeue", "queue", 1},
	        {"uqeue", "queue", 1}, /* swapped */
	        {"kitten", "sitting", 3},
	        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "b",
	         48}, /* the beginning counts */
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		assert_int_equal(config_word_distance(rows[i].a, rows[i].b), rows[i].distance);
		assert_int_equal(config_word_distance(rows[i].b, rows[i].a), rows[i].distance);
	}
}

static void near_words_are_those_one_may_have_meant(void **state)
{
	unsigned d;
	assert_true(config_word_near("conections", "connections", &d));
	assert_true(config_word_near("connect_timeout", "connect_timeout_ms", &d)); /* a beginning */
	assert_true(config_word_near("head_timeout_msec", "head_timeout_ms", &d));
	assert_false(config_word_near("colour", "connections", &d));
	assert_false(config_word_near("q", "url", &d));
	assert_false(config_word_near("ms", "queue_ms", &d));
}

static void problems_are_sorted_by_place(void **state)
{
	struct config_problems p = {.file = "f"};
	config_problem(&p, (struct config_place){9, 1}, "third");
	config_problem(&p, (struct config_place){2, 8}, "second");
	config_warning(&p, (struct config_place){2, 3}, "first");
	config_problem(&p, (struct config_place){9, 1}, "fourth");
	config_problem(&p, (struct config_place){0}, "file");
	config_problems_sort(&p);
	static const char *const want[] = {"f: file", "f:2:3: warning: first", "f:2:8: second", "f:9:1: third",
	                                   "f:9:1: fourth"};
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(p.list[i].text, want[i]);
	assert_int_equal(p.errors, 4);
	config_problems_done(&p);
	config_problems_done(&p);
}

static void a_long_text_is_cut(void **state)
{
	static char name[5000], words[5000];
	memset(name, 'n', sizeof(name) - 1);
	memset(words, 'w', sizeof(words) - 1);
	struct config_problems p = {.file = name};
	config_problem(&p, (struct config_place){1, 1}, "%s", words);
	config_warning(&p, (struct config_place){1, 1}, "%s", words);
	p.file = "f";
	config_problem(&p, (struct config_place){1, 1}, "%s", words);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(strlen(p.list[i].text), CONFIG_PROBLEM_BYTES - 1);
	config_problems_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(distance_counts_single_mistakes),
	        cmocka_unit_test(near_words_are_those_one_may_have_meant),
	        cmocka_unit_test(problems_are_sorted_by_place),
	        cmocka_unit_test(a_long_text_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
