/* Words, order and what may stand in the list of authorized servers. */
#include "core/base/authlist_rows.h"
#include "core/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* C02: roles are exchange, sharepoint and fci, and no other. */
static void words_are_read_as_they_are_written(void **state)
{
	enum authlist_role role = AUTHLIST_ROLE_FCI;
	enum authlist_kind kind = AUTHLIST_KIND_GROUP;
	for (unsigned i = 0; i < AUTHLIST_ROLE_COUNT; i++) {
		assert_true(authlist_role_read(slice_str(authlist_role_word((enum authlist_role)i)), &role));
		assert_int_equal(role, i);
	}
	for (unsigned i = 0; i < AUTHLIST_KIND_COUNT; i++) {
		assert_true(authlist_kind_read(slice_str(authlist_kind_word((enum authlist_kind)i)), &kind));
		assert_int_equal(kind, i);
		assert_true(strlen(authlist_kind_people((enum authlist_kind)i)) > 0);
	}
	assert_int_equal(AUTHLIST_ROLE_COUNT, 3);
	static const char *const no_roles[] = {"", "Exchange", "exchange ", "admin", "exch"};
	for (size_t i = 0; i < ARRAY_COUNT(no_roles); i++)
		assert_false(authlist_role_read(slice_str(no_roles[i]), &role));
	assert_false(authlist_kind_read(SLICE("people"), &kind));
	assert_int_equal(kind, AUTHLIST_KIND_COUNT - 1);
}

static struct authlist_object object(const char *id)
{
	struct authlist_object o = {0};
	if (!sid_parse(slice_str(id), &o.sid))
		o.principal = strdup(id);
	return o;
}

static void entries_are_ordered_by_age_then_by_what_they_name(void **state)
{
	static const struct {
		const char *id;
		int64_t added_s;
	} rows[] = {{"b@X", 7}, {"S-1-5-21-1-2-3-9", 7}, {"S-1-5-21-1-2-3-8", 9}, {"a@X", 7}, {"S-1-5-21-9-9-9-9", 3}};
	static const char *const expected[] = {"S-1-5-21-9-9-9-9", "a@X", "b@X", "S-1-5-21-1-2-3-9",
	                                       "S-1-5-21-1-2-3-8"};
	struct authlist_rows list = {.entries = calloc(5, sizeof(struct authlist_entry)),
	                             .denials = calloc(2, sizeof(struct authlist_denial)),
	                             .entry_count = 5,
	                             .denial_count = 2};
	char id[AUTHLIST_ID_BYTES];
	for (size_t i = 0; i < 5; i++)
		list.entries[i] = (struct authlist_entry){.object = object(rows[i].id), .added_s = rows[i].added_s};
	list.denials[0].object = object("S-1-5-21-1-2-3-9");
	list.denials[1].object = object("S-1-5-21-1-2-3-8");
	list.denials[1].why = strdup("left");
	authlist_rows_sort(&list);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(authlist_object_id(&list.entries[i].object, id), expected[i]);
	assert_string_equal(list.denials[0].why, "left");
	authlist_rows_done(&list);
	assert_int_equal(list.entry_count, 0);
	assert_null(list.entries);
}

static void sids_that_everybody_has_are_no_entries(void **state)
{
	static const char *const good[] = {"S-1-5-21-1-2-3-500", "S-1-5-21-0-0-1-1104"};
	static const char *const bad[] = {
	        "S-1-1-0",        "S-1-5-11",           "S-1-18-1",           "S-1-5-32-544", "S-1-5-21-1-2",
	        "S-1-5-21-1-2-3", "S-1-5-21-0-0-0-497", "S-1-5-21-0-0-0-496", "S-1-5-80-1-2", "S-1-5-21-1-2-3-4-5"};
	struct sid s;
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		assert_true(sid_parse(slice_str(good[i]), &s) && !authlist_sid_wrong(&s));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_true(sid_parse(slice_str(bad[i]), &s) && authlist_sid_wrong(&s));
}

static void principals_have_a_name_and_a_realm(void **state)
{
	static const char *const good[] = {"exch@EXAMPLE.ORG", "host/mail.example.org@EXAMPLE.ORG", "fs1$@R"};
	static const char *const bad[] = {"",      "a",     "@",     "a@",      "@R",  "a@b@R",
	                                  "a b@R", "a@R\n", "a\\@R", "\"a\"@R", "ä@R", "a@R\x7f"};
	char longest[AUTHLIST_TEXT_MAX + 1];
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		assert_null(authlist_principal_wrong(slice_str(good[i])));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_non_null(authlist_principal_wrong(slice_str(bad[i])));
	memset(longest, 'x', sizeof(longest));
	longest[3] = '@';
	assert_null(authlist_principal_wrong(slice_of(longest, AUTHLIST_TEXT_MAX)));
	assert_non_null(authlist_principal_wrong(slice_of(longest, AUTHLIST_TEXT_MAX + 1)));
}

static void names_do_not_deceive(void **state)
{
	static const char *const good[] = {"CORP\\Exchange Servers", "Verzeichnis-Prüfung \"A\"", "交换服务器"};
	static const char *const bad[] = {"",
	                                  "a\nb",
	                                  "a\tb",
	                                  "\x1b[31m",
	                                  "a\x7f",
	                                  "a\xc2\x85",
	                                  "a\xe2\x80\xae",
	                                  "a\xe2\x81\xa6",
	                                  "\xef\xbb\xbf",
	                                  "a\xff",
	                                  "a\xe2\x80\xa8",
	                                  "a\xd8\x9c"};
	char longest[AUTHLIST_TEXT_MAX + 1];
	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		assert_null(authlist_text_wrong(slice_str(good[i])));
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_non_null(authlist_text_wrong(slice_str(bad[i])));
	memset(longest, 'x', sizeof(longest));
	assert_null(authlist_text_wrong(slice_of(longest, AUTHLIST_TEXT_MAX)));
	assert_non_null(authlist_text_wrong(slice_of(longest, AUTHLIST_TEXT_MAX + 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(words_are_read_as_they_are_written),
	        cmocka_unit_test(entries_are_ordered_by_age_then_by_what_they_name),
	        cmocka_unit_test(sids_that_everybody_has_are_no_entries),
	        cmocka_unit_test(principals_have_a_name_and_a_realm),
	        cmocka_unit_test(names_do_not_deceive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
