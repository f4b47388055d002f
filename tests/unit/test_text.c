#include "bench/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void pieces_join_in_order(void **state)
{
	struct text t = {0};
	text_add(&t, SLICE("a"));
	text_add(&t, SLICE(""));
	text_add_str(&t, "bc");
	text_format(&t, "-%d-%s", 7, "x");
	for (int i = 0; i < 1000; i++)
		text_add_str(&t, "0123456789");
	assert_int_equal(t.len, 7 + 10000);
	assert_memory_equal(t.at, "abc-7-x0123", 11);
	text_clear(&t);
	assert_int_equal(t.len, 0);
	text_free(&t);
	assert_null(t.at);
}

static void escaping_and_back_is_the_identity(void **state)
{
	static const struct {
		const char *plain, *escaped;
	} cases[] = {
	        {"", ""},
	        {"plain", "plain"},
	        {"<a b=\"c\">&</a>", "&lt;a b=&quot;c&quot;&gt;&amp;&lt;/a&gt;"},
	        {"&amp;", "&amp;amp;"},
	        {"it's", "it's"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct text there = {0}, back = {0};
		text_add_escaped(&there, slice_str(cases[i].plain));
		assert_true(slice_equal(text_slice(&there), slice_str(cases[i].escaped)));
		text_add_unescaped(&back, text_slice(&there));
		assert_true(slice_equal(text_slice(&back), slice_str(cases[i].plain)));
		text_free(&there);
		text_free(&back);
	}
}

static void what_is_no_entity_stays(void **state)
{
	static const struct {
		const char *text, *plain;
	} cases[] = {
	        {"&apos;&#65;&#x42;&#x43;", "'ABC"},
	        {"&", "&"},
	        {"&&lt;", "&<"},
	        {"&unknown;", "&unknown;"},
	        {"&#0;", "&#0;"},
	        {"&#x;", "&#x;"},
	        {"&#300;", "&#300;"},
	        {"&#12", "&#12"},
	        {"&#xzz;", "&#xzz;"},
	        {"a&l", "a&l"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct text t = {0};
		text_add_unescaped(&t, slice_str(cases[i].text));
		assert_true(slice_equal(text_slice(&t), slice_str(cases[i].plain)));
		text_free(&t);
	}
}

static void base64_is_appended_without_an_end(void **state)
{
	struct text t = {0};
	text_add_str(&t, "x");
	text_add_base64(&t, "hi", 2);
	text_add_base64(&t, "there!", 6);
	assert_true(slice_equal(text_slice(&t), SLICE("xaGk=dGhlcmUh")));
	text_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(pieces_join_in_order),
	        cmocka_unit_test(escaping_and_back_is_the_identity),
	        cmocka_unit_test(what_is_no_entity_stays),
	        cmocka_unit_test(base64_is_appended_without_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
