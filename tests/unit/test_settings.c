#include "core/base/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void defaults_are_those_of_the_rows(void **state)
{
	struct settings *s = settings_new();
	assert_non_null(s);
	assert_int_equal(s->upstream_connections, 512);
	assert_int_equal(s->limits_connections, 0);
	assert_string_equal(s->stats_address, "127.0.0.1:9180");
	assert_string_equal(s->upstream_url, "");
	assert_int_equal(s->listener_count, 0);
	assert_null(s->loopback_caller.account);
	settings_free(s);
	settings_free(NULL);
}

static void rows_are_sane(void **state)
{
	for (unsigned id = 0; id < SETTING_COUNT; id++) {
		const struct setting_row *row = &setting_rows[id];
		assert_true(row->min <= row->max);
		assert_true(strlen(row->help) > 10);
		if (row->type == SETTING_U32)
			assert_in_range(row->number, row->min, row->max);
		if (row->type == SETTING_TEXT || row->type == SETTING_PATH)
			assert_in_range(strlen(row->text), row->min, row->max);
		for (unsigned other = 0; other < id; other++) {
			assert_false(strcmp(row->section, setting_rows[other].section) == 0 &&
			             strcmp(row->name, setting_rows[other].name) == 0);
			/* a section's rows stand together: the example and the tables rely on it */
			if (strcmp(row->section, setting_rows[other].section) == 0)
				assert_string_equal(setting_rows[id - 1].section, row->section);
		}
	}
}

static void text_is_copied_and_replaced(void **state)
{
	struct settings *s = settings_new();
	char text[] = "node-1 and more";
	assert_true(settings_set_text(s, SETTING_node_name, text, 6));
	text[0] = 'x';
	assert_string_equal(s->node_name, "node-1");
	assert_true(settings_set_text(s, SETTING_node_name, "b", 1));
	assert_string_equal(settings_get_text(s, SETTING_node_name), "b");
	assert_null(settings_get_text(s, SETTING_node_workers));
	settings_free(s);
}

static void everything_a_snapshot_holds_is_freed(void **state) /* the sanitizer tells */
{
	struct settings *s = settings_new();
	s->listeners = calloc(2, sizeof(*s->listeners));
	s->listener_count = 2;
	s->listeners[0].address = strdup("a");
	s->listeners[1].certificates[1] = strdup("c");
	s->listeners[1].keys[0] = strdup("k");
	s->stats_allow = calloc(1, sizeof(char *));
	s->stats_allow[s->stats_allow_count++] = strdup("10.0.0.0/8");
	s->loopback_caller.account = strdup("x");
	s->loopback_caller.role = strdup("y");
	settings_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(defaults_are_those_of_the_rows),
	        cmocka_unit_test(rows_are_sane),
	        cmocka_unit_test(text_is_copied_and_replaced),
	        cmocka_unit_test(everything_a_snapshot_holds_is_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
