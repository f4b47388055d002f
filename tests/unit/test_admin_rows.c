/* Rows of administration's commands, and their arguments. */
#include "core/ops/admin_rows.h"
#include "core/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct admin_row row = {
        .name = "servers add", .role = ADMIN_SECURITY, .usage = "NAME ROLE [NOTE] [--force] [--confirm-members N]"};

static void a_usage_says_what_there_is(void **state)
{
	struct admin_argument all[ADMIN_ARGUMENTS_MAX];
	assert_int_equal(admin_arguments(row.usage, all), 5);
	assert_string_equal(all[0].key, "name");
	assert_true(all[0].required && all[0].has_value && !all[0].option[0]);
	assert_false(all[2].required);
	assert_string_equal(all[3].option, "--force");
	assert_false(all[3].has_value);
	assert_string_equal(all[4].key, "confirm_members");
	assert_string_equal(all[4].option, "--confirm-members");
	assert_true(all[4].has_value && !all[4].required);
	assert_int_equal(admin_arguments("FILE", all), 1);
	assert_true(all[0].is_file);
	assert_int_equal(admin_arguments("KEYTAB [--password-file FILE] [--other FILES]", all), 3);
	assert_true(all[0].is_bytes && !all[0].is_file);
	assert_true(all[1].is_file && !all[1].is_bytes && all[1].has_value);
	assert_string_equal(all[1].key, "password_file");
	assert_false(all[2].is_file);
	assert_int_equal(admin_arguments("ACCOUNT|DECISION-ID [--fresh]", all), 2);
	assert_string_equal(all[0].key, "account");
}

static void words_become_the_object_of_the_protocol(void **state)
{
	const char *const words[] = {"CORP\\exch$", "--force", "exchange", "--confirm-members=3"};
	char problem[ADMIN_PROBLEM_BYTES];
	json_t *o = admin_arguments_read(&row, words, ARRAY_COUNT(words), problem);
	assert_non_null(o);
	assert_int_equal(json_object_size(o), 4);
	assert_string_equal(json_string_value(json_object_get(o, "name")), "CORP\\exch$");
	assert_string_equal(json_string_value(json_object_get(o, "role")), "exchange");
	assert_string_equal(json_string_value(json_object_get(o, "confirm_members")), "3");
	assert_true(json_is_true(json_object_get(o, "force")));
	json_decref(o);
}

static void wrong_words_are_refused_in_words(void **state)
{
	static const struct {
		const char *words[6], *says;
	} cases[] = {
	        {{"a"}, "missing: role"},
	        {{"a", "b", "c", "d"}, "too many: d"},
	        {{"a", "b", "--forse"}, "not known: --forse"},
	        {{"a", "b", "--force", "--force"}, "twice"},
	        {{"a", "b", "--force=1"}, "takes no value"},
	        {{"a", "b", "--confirm-members"}, "needs a value"},
	        {{"a", ""}, "may not be empty: role"},
	        {{"a", "\xff"}, "UTF-8"},
	        {{"a", "b", "--", "--c", "--d"}, "too many: --d"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char problem[ADMIN_PROBLEM_BYTES];
		size_t n = 0;
		while (n < 6 && cases[i].words[n])
			n++;
		assert_null(admin_arguments_read(&row, cases[i].words, n, problem));
		if (!strstr(problem, cases[i].says))
			fail_msg("case %zu says: %s", i, problem);
	}
}

static void an_object_of_a_program_is_checked_like_words(void **state)
{
	static const char *const bad[] = {"[]",
	                                  "{\"name\":\"a\"}",
	                                  "{\"name\":\"a\",\"role\":1}",
	                                  "{\"name\":\"a\",\"role\":\"b\",\"force\":\"yes\"}",
	                                  "{\"name\":\"a\",\"role\":\"b\",\"force\":false}",
	                                  "{\"name\":\"a\",\"role\":\"b\",\"other\":\"c\"}",
	                                  "{\"name\":\"a\\u0000b\",\"role\":\"b\"}"};
	char problem[ADMIN_PROBLEM_BYTES];
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		json_t *o = json_loads(bad[i], JSON_ALLOW_NUL, NULL);
		assert_non_null(o);
		assert_false(admin_arguments_check(&row, o, problem));
		json_decref(o);
	}
	json_t *good = json_loads("{\"name\":\"a\",\"role\":\"b\",\"force\":true}", 0, NULL);
	assert_true(admin_arguments_check(&row, good, problem));
	json_decref(good);
}

static void every_row_is_found_by_its_words_and_its_usage_can_be_read(void **state)
{
	struct admin_argument all[ADMIN_ARGUMENTS_MAX];
	for (unsigned i = 0; i < ADMIN_COMMAND_COUNT; i++) {
		char copy[64];
		const char *words[4];
		size_t n = 0, used;
		enum admin_command found;
		snprintf(copy, sizeof(copy), "%s", admin_row(i)->name);
		for (char *at = strtok(copy, " "); at; at = strtok(NULL, " "))
			words[n++] = at;
		words[n] = "more";
		assert_true(admin_find(words, n + 1, &found, &used));
		assert_int_equal(found, i);
		assert_int_equal(used, n);
		admin_arguments(admin_row(i)->usage, all);
		assert_true(admin_row(i)->role > ADMIN_NOBODY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_usage_says_what_there_is),
	        cmocka_unit_test(words_become_the_object_of_the_protocol),
	        cmocka_unit_test(wrong_words_are_refused_in_words),
	        cmocka_unit_test(an_object_of_a_program_is_checked_like_words),
	        cmocka_unit_test(every_row_is_found_by_its_words_and_its_usage_can_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
