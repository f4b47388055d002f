/* The list as text: taken whole or refused whole, with the place and the reason; written in one way only. */
#include "core/base/check.h"
#include "proto/authlist_doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define ENTRY         "{\"sid\": \"S-1-5-21-1-2-3-4\", \"role\": \"fci\", \"added\": \"2026-01-01T00:00:00Z\"}"
#define LIST(entries) "{\"version\": 1, \"entries\": [" entries "]}"

static const char canonical[] =
        "{\"version\": 1,\n"
        " \"entries\": [\n"
        "  {\"sid\": \"S-1-5-21-1-2-3-1104\", \"role\": \"exchange\", \"name\": \"CORP\\\\Exchange Servers\", "
        "\"kind\": "
        "\"group\", \"expand\": true, \"added\": \"2026-11-21T10:00:00Z\"},\n"
        "  {\"principal\": \"files@EXAMPLE.ORG\", \"role\": \"fci\", \"added\": \"2026-11-22T10:00:00Z\"}],\n"
        " \"deny\": [\n"
        "  {\"sid\": \"S-1-5-21-1-2-3-1120\", \"kind\": \"user\", \"until\": \"2026-12-24T00:00:00Z\", \"why\": "
        "\"under examination\"}]}\n";

static char problem[AUTHLIST_DOC_PROBLEM_BYTES];

static bool taken(struct slice text, struct authlist_rows *rows)
{
	*rows = (struct authlist_rows){0};
	return authlist_doc_read(text, rows, problem).code == ERR_NONE;
}

static void what_is_read_is_what_was_written(void **state)
{
	struct authlist_rows rows;
	size_t len;
	assert_true(taken(slice_str(canonical), &rows));
	assert_string_equal(problem, "");
	assert_int_equal(rows.entry_count, 2);
	assert_int_equal(rows.denial_count, 1);
	assert_string_equal(rows.entries[0].object.name, "CORP\\Exchange Servers");
	assert_int_equal(rows.entries[0].role, AUTHLIST_ROLE_EXCHANGE);
	assert_int_equal(rows.entries[0].kind, AUTHLIST_KIND_GROUP);
	assert_int_equal(rows.entries[0].added_s, 1795255200);
	assert_string_equal(rows.entries[1].object.principal, "files@EXAMPLE.ORG");
	assert_true(sid_is_none(&rows.entries[1].object.sid));
	assert_true(rows.entries[0].object.expand && !rows.denials[0].object.expand);
	assert_int_equal(rows.denials[0].kind, AUTHLIST_KIND_USER);
	assert_int_equal(rows.denials[0].until_s, 1798070400);
	assert_string_equal(rows.denials[0].why, "under examination");
	char *text = authlist_doc_write(&rows, &len);
	assert_string_equal(text, canonical);
	assert_int_equal(len, strlen(canonical));
	free(text);
	text = authlist_doc_write_entry(&rows.entries[1]);
	assert_string_equal(text, "{\"principal\": \"files@EXAMPLE.ORG\", \"role\": \"fci\", \"added\": "
	                          "\"2026-11-22T10:00:00Z\"}");
	free(text);
	text = authlist_doc_write_denial(&rows.denials[0]);
	assert_string_equal(text, "{\"sid\": \"S-1-5-21-1-2-3-1120\", \"kind\": \"user\", \"until\": "
	                          "\"2026-12-24T00:00:00Z\", \"why\": \"under examination\"}");
	free(text);
	authlist_rows_done(&rows);
}

static void equal_lists_are_equal_bytes(void **state)
{
	static const char other[] =
	        "{\"deny\":[{\"why\":\"under "
	        "examination\",\"until\":\"2026-12-24T00:00:00Z\",\"sid\":\"s-1-5-21-1-2-3-1120\",\"kind\":\"user\"}],"
	        "\"entries\":[\n\n{\"added\":\"2026-11-22T10:00:00Z\",\"kind\":\"unknown\",\"principal\":\"files@"
	        "EXAMPLE.ORG\","
	        "\"role\":\"fci\"},{\"kind\":\"group\",\"expand\":true,\"added\":\"2026-11-21T10:00:00Z\",\"name\":"
	        "\"CORP\\u005cExchange "
	        "Servers\",\"role\":\"exchange\",\"sid\":\"S-1-5-21-1-2-3-1104\"}],\"version\":1}";
	struct authlist_rows rows;
	size_t len;
	assert_true(taken(slice_str(other), &rows));
	char *text = authlist_doc_write(&rows, &len);
	assert_string_equal(text, canonical);
	free(text);
	authlist_rows_done(&rows);
}

static void an_empty_list_is_a_list(void **state)
{
	struct authlist_rows rows;
	size_t len;
	assert_true(taken(SLICE(LIST("")), &rows));
	assert_int_equal(rows.entry_count + rows.denial_count, 0);
	char *text = authlist_doc_write(&rows, &len);
	assert_string_equal(text, "{\"version\": 1,\n \"entries\": [],\n \"deny\": []}\n");
	free(text);
	authlist_rows_done(&rows);
}

/* D08: malformed lists are refused whole, with the place. */
static void wrong_documents_are_refused_with_place_and_reason(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
	        {"", "line 1"},
	        {"{\"version\": 1,\n \"entries\": [\n  {\"sid\": \"S-1", "line 3, column"},
	        {"{\"version\": 1, \"entries\": []} x", "line 1, column 31"},
	        {"{\"version\": 1, \"version\": 1, \"entries\": []}", "duplicate"},
	        {"[]", "not an object"},
	        {"{}", "\"version\""},
	        {"{\"version\": 2, \"entries\": []}", "\"version\""},
	        {"{\"version\": \"1\", \"entries\": []}", "\"version\""},
	        {"{\"version\": 1}", "\"entries\" is missing"},
	        {"{\"version\": 1, \"entries\": {}}", "\"entries\""},
	        {"{\"version\": 1, \"entries\": [], \"deny\": {}}", "\"deny\""},
	        {"{\"version\": 1, \"entries\": [], \"denied\": []}", "\"denied\" is not known"},
	        {LIST("[[[]]]"), "nested"},
	        {LIST(ENTRY ", 7"), "entry 2: is not an object"},
	        {LIST(ENTRY ", {\"sid\": \"S-1-5-21-1-2-3-5\", \"role\": \"fci\"}"), "entry 2: has no \"added\""},
	        {LIST("{\"sid\": \"S-1-5-21-1-2-3-5\", \"added\": \"2026-01-01T00:00:00Z\"}"),
	         "entry 1: has no \"role\""},
	        {LIST("{\"role\": \"fci\", \"added\": \"2026-01-01T00:00:00Z\"}"), "either \"sid\" or \"principal\""},
	        {LIST("{\"sid\": \"S-1-5-21-1-2-3-5\", \"principal\": \"a@R\", \"role\": \"fci\"}"), "either"},
	        {LIST("{\"sid\": \"CORP\\\\x\", \"role\": \"fci\"}"), "\"sid\" is not a SID"},
	        {LIST("{\"sid\": 5, \"role\": \"fci\"}"), "\"sid\" is not a text"},
	        {LIST("{\"sid\": \"\", \"role\": \"fci\"}"), "\"sid\" is empty"},
	        {LIST("{\"sid\": \"S-1-1-0\", \"role\": \"fci\", \"added\": \"2026-01-01T00:00:00Z\"}"),
	         "no account or group"},
	        {LIST("{\"principal\": \"a\", \"role\": \"fci\"}"), "NAME@REALM"},
	        {LIST("{\"sid\": \"S-1-5-21-1-2-3-5\", \"role\": \"admin\"}"),
	         "exchange, sharepoint or fci, not admin"},
	        {LIST("{\"sid\": \"S-1-5-21-1-2-3-5\", \"role\": \"fci\", \"kind\": \"x\"}"), "\"kind\""},
	        {LIST("{\"sid\": \"S-1-5-21-1-2-3-5\", \"role\": \"fci\", \"expand\": 1}"),
	         "\"expand\" is neither true nor false"},
	        {LIST("{\"sid\": \"S-1-5-21-1-2-3-5\", \"role\": \"fci\", \"name\": \"a\\nb\"}"),
	         "\"name\" has control"},
	        {LIST("{\"sid\": \"S-1-5-21-1-2-3-5\", \"role\": \"fci\", \"adedd\": \"x\"}"),
	         "\"adedd\" is not known"},
	        {LIST("{\"sid\": \"S-1-5-21-1-2-3-5\", \"role\": \"fci\", \"added\": \"2026-02-30T00:00:00Z\"}"),
	         "not a time"},
	        {LIST(ENTRY
	              ", {\"sid\": \"S-1-5-21-1-2-3-4\", \"role\": \"exchange\", \"added\": \"2020-01-01T00:00:00Z\"}"),
	         "entry 2: S-1-5-21-1-2-3-4 is also entry 1"},
	        {"{\"version\": 1, \"entries\": [], \"deny\": [{\"sid\": \"S-1-5-21-1-2-3-4\"}, {\"sid\": "
	         "\"S-1-5-21-1-2-3-4\"}]}",
	         "deny entry 2: S-1-5-21-1-2-3-4 is also deny entry 1"},
	        {"{\"version\": 1, \"entries\": [], \"deny\": [{\"sid\": \"S-1-5-21-1-2-3-4\", \"role\": \"fci\"}]}",
	         "deny entry 1: \"role\" is not known"},
	        {"{\"version\": 1, \"entries\": [], \"deny\": [{\"sid\": \"S-1-5-21-1-2-3-4\", \"until\": "
	         "\"1970-01-01T00:00:00Z\"}]}",
	         "1970"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct authlist_rows rows;
		if (taken(slice_str(bad[i].text), &rows))
			fail_msg("taken: %s", bad[i].text);
		if (!strstr(problem, bad[i].says))
			fail_msg("%s\nsays: %s\nnot: %s", bad[i].text, problem, bad[i].says);
		assert_null(rows.entries);
	}
}

/* D08: cut off anywhere, it is no list. */
static void a_list_that_was_cut_is_refused(void **state)
{
	for (size_t n = 0; n + 1 < strlen(canonical); n++) {
		struct authlist_rows rows;
		assert_false(taken(slice_of(canonical, n), &rows));
	}
}

static void the_problem_line_is_printable(void **state)
{
	static const char *const bad[] = {
	        "{\"version\": 1, \"entries\": [], \"\\u202e\\u0007\xc3\xa4\": 1}",
	        LIST("{\"sid\": \"\\u001b[31m\xe2\x80\xae\", \"role\": \"fci\"}"),
	        "{\"version\": 1, \"entries\": [], \"a\nb\": 1}",
	        "{\"version\": \x01}",
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct authlist_rows rows;
		assert_false(taken(slice_str(bad[i]), &rows));
		assert_true(strlen(problem) > 10);
		for (const char *c = problem; *c; c++)
			assert_true(*c >= ' ' && *c <= '~');
	}
}

static void size_is_bounded(void **state)
{
	struct authlist_rows rows;
	size_t n = AUTHLIST_DOC_BYTES_MAX + 1;
	char *text = malloc(n);
	memset(text, ' ', n);
	assert_false(taken(slice_of(text, n), &rows));
	assert_non_null(strstr(problem, "too large"));
	for (size_t i = 0; i < n; i++)
		text[i] = i % 2 ? ',' : '1';
	text[0] = '[';
	assert_false(taken(slice_of(text, n - 1), &rows));
	assert_non_null(strstr(problem, "too large"));
	free(text);
	/* One entry more than allowed. */
	size_t len;
	FILE *out = open_memstream(&text, &len);
	fputs("{\"version\": 1, \"entries\": [", out);
	for (int i = 0; i <= AUTHLIST_ROWS_MAX; i++)
		fprintf(out,
		        "%s{\"sid\": \"S-1-5-21-1-2-3-%d\", \"role\": \"fci\", \"added\": \"2026-01-01T00:00:00Z\"}",
		        i ? "," : "", i);
	fputs("]}", out);
	fclose(out);
	assert_false(taken(slice_of(text, len), &rows));
	assert_non_null(strstr(problem, "more than 10000 entries"));
	char *last = strrchr(text, '{') - 1;
	memcpy(last, "]}", 2);
	assert_true(taken(slice_of(text, (size_t)(last + 2 - text)), &rows));
	assert_int_equal(rows.entry_count, AUTHLIST_ROWS_MAX);
	authlist_rows_done(&rows);
	free(text);
}

static void times_have_one_form(void **state)
{
	static const char *const bad[] = {
	        "",
	        "2026-11-22",
	        "2026-11-22 10:00:00Z",
	        "2026-11-22T10:00:00",
	        "2026-11-22T10:00:00z",
	        "2026-11-22T10:00:00+00:00",
	        "2026-11-22T10:00:60Z",
	        "2026-11-22T24:00:00Z",
	        "2026-13-22T10:00:00Z",
	        "2026-00-22T10:00:00Z",
	        "2025-02-29T10:00:00Z",
	        "1969-12-31T23:59:59Z",
	        "2026-11-22T10:00:0 Z",
	        "2026-11-22T10:00:00Z ",
	};
	int64_t at;
	char text[AUTHLIST_TIME_BYTES];
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_false(authlist_time_read(slice_str(bad[i]), &at));
	assert_true(authlist_time_read(SLICE("1970-01-01T00:00:00Z"), &at) && at == 0);
	assert_true(authlist_time_read(SLICE("2024-02-29T00:00:00Z"), &at) && at == 1709164800);
	assert_true(authlist_time_read(SLICE("9999-12-31T23:59:59Z"), &at));
	authlist_time_write(at, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	authlist_time_write(at + 1, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_read_is_what_was_written),
	        cmocka_unit_test(equal_lists_are_equal_bytes),
	        cmocka_unit_test(an_empty_list_is_a_list),
	        cmocka_unit_test(wrong_documents_are_refused_with_place_and_reason),
	        cmocka_unit_test(a_list_that_was_cut_is_refused),
	        cmocka_unit_test(the_problem_line_is_printable),
	        cmocka_unit_test(size_is_bounded),
	        cmocka_unit_test(times_have_one_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
