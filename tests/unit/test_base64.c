/* Base64: one text for each byte string, in both directions and in place. */
#include "core/base/check.h"
#include "proto/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct {
	struct slice bytes, text;
} pairs[] = {
        {{"", 0}, {"", 0}},
        {{"f", 1}, {"Zg==", 4}},
        {{"fo", 2}, {"Zm8=", 4}},
        {{"foo", 3}, {"Zm9v", 4}},
        {{"foob", 4}, {"Zm9vYg==", 8}},
        {{"fooba", 5}, {"Zm9vYmE=", 8}},
        {{"foobar", 6}, {"Zm9vYmFy", 8}},
        {{"\0\0\0", 3}, {"AAAA", 4}},
        {{"\377\377\377", 3}, {"////", 4}},
        {{"\373\357\276", 3}, {"++++", 4}},
        {{"NTLMSSP\0\1\0\0\0", 12}, {"TlRMTVNTUAABAAAA", 16}},
};

static void bytes_and_text_are_the_same(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
		char text[32], bytes[32];
		size_t n = 99;
		assert_int_equal(base64_len(pairs[i].bytes.len), pairs[i].text.len);
		assert_int_equal(base64_encode(pairs[i].bytes, text), pairs[i].text.len);
		assert_memory_equal(text, pairs[i].text.at, pairs[i].text.len);
		assert_true(base64_decode(pairs[i].text, bytes, &n));
		assert_true(slice_equal(slice_of(bytes, n), pairs[i].bytes));
	}
}

static void decoding_works_in_place(void **state)
{
	char room[] = "Zm9vYmE=";
	size_t n;
	assert_true(base64_decode(slice_of(room, 8), room, &n));
	assert_true(slice_equal(slice_of(room, n), SLICE("fooba")));
}

static void every_byte_survives(void **state)
{
	char all[256], text[344], again[258];
	size_t n;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	for (size_t len = 0; len <= sizeof(all); len++) {
		size_t chars = base64_encode(slice_of(all, len), text);
		assert_true(base64_decode(slice_of(text, chars), again, &n));
		assert_true(slice_equal(slice_of(all, len), slice_of(again, n)));
	}
}

static void one_strange_character_is_found_anywhere(void **state)
{
	char text[16], out[12];
	size_t n;
	for (size_t i = 0; i < sizeof(text); i++)
		for (int c = 0; c < 256; c++) {
			bool digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			             c == '+' || c == '/';
			memset(text, 'A', sizeof(text));
			text[i] = (char)c;
			bool fine = digit || (c == '=' && i == sizeof(text) - 1);
			if (base64_decode(slice_of(text, sizeof(text)), out, &n) != fine)
				fail_msg("character %d at %zu", c, i);
		}
}

static void what_is_not_strictly_base64_is_refused(void **state)
{
	static const struct slice bad[] = {
	        {"Zg", 2},   {"Zg=", 3},    {"Zg===", 5},        {"====", 4},  {"=Zg=", 4},
	        {"Z===", 4}, {"Zh==", 4}, /* stray bits */
	        {"Zm9=", 4}, {"Zm9v\n", 5}, {"Zm 9v", 5},        {"Zm9v ", 5}, {"Zg==Zg==", 8},
	        {"Zm-_", 4}, {"Zm9\0", 4},  {"Zm9v\r\n\r\n", 8}, {"Zg=A", 4},  {"\x80m9v", 4},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		char out[16];
		size_t n;
		if (base64_decode(bad[i], out, &n))
			fail_msg("case %zu was accepted: %.*s", i, SLICE_ARG(bad[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(bytes_and_text_are_the_same),
	        cmocka_unit_test(decoding_works_in_place),
	        cmocka_unit_test(every_byte_survives),
	        cmocka_unit_test(one_strange_character_is_found_anywhere),
	        cmocka_unit_test(what_is_not_strictly_base64_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
