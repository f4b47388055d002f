/* E14: what NTLM's third message says about the TLS connection it was made for. */
#include "core/base/check.h"
#include "proto/ntlm_authenticate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { HEAD = 64, USER_LEN = 10, PAIRS_AT = 44 };

#define BINDING "0123456789abcdef"
#define ZEROS   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define NAME    "\x02\x00\x04\x00\x43\x00\x4f\x00" /* MsvAvNbDomainName "CO" */
#define CHANNEL "\x0a\x00\x10\x00"
#define END     "\0\0\0\0"

static void put(char *at, unsigned value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (char)(value >> (8 * i));
}

/* A message with this response, the account's name before it; returns its length. */
static size_t make(char *out, struct slice response, unsigned user_len)
{
	memset(out, 0, HEAD);
	memcpy(out, "NTLMSSP\0\3", 9);
	put(out + 20, (unsigned)response.len, 2);
	put(out + 24, HEAD + USER_LEN, 4);
	put(out + 36, user_len, 2);
	put(out + 40, HEAD, 4);
	memset(out + HEAD, 'u', USER_LEN);
	memcpy(out + HEAD + USER_LEN, response.at, response.len);
	return HEAD + USER_LEN + response.len;
}

/* Reads a copy of the exact size, so that a sanitizer sees any byte read too many. */
static const char *read_copy(const char *bytes, size_t n, struct ntlm_authenticate *out)
{
	char *copy = malloc(n ? n : 1);
	memcpy(copy, bytes, n);
	const char *wrong = ntlm_authenticate_read(slice_of(copy, n), out);
	free(copy);
	return wrong;
}

static const char *read_pairs(struct slice pairs, struct ntlm_authenticate *out)
{
	char response[400] = {0}, message[600];
	memcpy(response + PAIRS_AT, pairs.at, pairs.len);
	return read_copy(message, make(message, slice_of(response, PAIRS_AT + pairs.len), USER_LEN), out);
}

static const struct {
	struct slice pairs;
	bool bound;
	const char *wrong; /* words of it; NULL: fine */
} rows[] = {
        {SLICE(END), false, NULL},
        {SLICE(NAME END), false, NULL},
        {SLICE(NAME CHANNEL ZEROS END), false, NULL},
        {SLICE(NAME CHANNEL BINDING END), true, NULL},
        {SLICE(CHANNEL BINDING NAME END "\0\0\0\0"), true, NULL}, /* Windows has four bytes more */
        {SLICE(""), false, "no end"},
        {SLICE(NAME), false, "no end"},
        {SLICE(NAME "\0\0\0"), false, "no end"},
        {SLICE(CHANNEL BINDING), false, "no end"},
        {SLICE("\0\0\4\0abcd"), false, "not empty"},
        {SLICE("\x0a\x00\x10\x00"
               "0123456789abcde"),
         false, "cut off"},
        {SLICE("\x02\x00\xff\xff" END), false, "cut off"},
        {SLICE("\x0a\x00\x0f\x00"
               "0123456789abcde" END),
         false, "not 16 bytes"},
        {SLICE("\x0a\x00\x00\x00" END), false, "not 16 bytes"},
        {SLICE(CHANNEL BINDING CHANNEL BINDING END), false, "twice"},
        {SLICE(CHANNEL ZEROS CHANNEL BINDING END), false, "twice"},
};

static void bindings_are_found_or_the_message_is_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct ntlm_authenticate got;
		const char *wrong = read_pairs(rows[i].pairs, &got);
		if (!wrong != !rows[i].wrong || (wrong && !strstr(wrong, rows[i].wrong)))
			print_error("row %zu: %s\n", i, wrong ? wrong : "fine");
		assert_int_equal(!wrong, !rows[i].wrong);
		if (wrong) {
			assert_non_null(strstr(wrong, rows[i].wrong));
			continue;
		}
		assert_true(got.v2 && !got.anonymous);
		assert_int_equal(got.bound, rows[i].bound);
		if (got.bound)
			assert_memory_equal(got.binding, BINDING, sizeof(got.binding));
	}
}

static void older_answers_are_bound_to_nothing(void **state)
{
	static const char zeros[PAIRS_AT];
	char message[200];
	struct ntlm_authenticate got;
	for (size_t len = 0; len < PAIRS_AT; len++) {
		const char *wrong = read_copy(message, make(message, slice_of(zeros, len), len ? USER_LEN : 0), &got);
		assert_int_equal(!wrong, len <= 24); /* 24: NTLMv1 */
		if (!wrong)
			assert_false(got.bound || got.v2);
		if (!wrong)
			assert_int_equal(got.anonymous, len == 0);
	}
}

static void fields_lie_inside(void **state)
{
	static const char pairs[] = NAME CHANNEL BINDING END;
	char response[PAIRS_AT + sizeof(pairs) - 1] = {0}, message[300];
	struct ntlm_authenticate got;
	memcpy(response + PAIRS_AT, pairs, sizeof(pairs) - 1);
	size_t len = make(message, slice_of(response, sizeof(response)), USER_LEN);
	assert_null(read_copy(message, len, &got));
	for (size_t n = 0; n < len; n++)
		assert_non_null(read_copy(message, n, &got));
	for (size_t at = 20; at <= 36; at += 16) {
		char changed[300];
		memcpy(changed, message, len);
		put(changed + at + 4, (unsigned)len + 1, 4);
		assert_non_null(read_copy(changed, len, &got));
		put(changed + at + 4, 0xffffffff, 4);
		assert_non_null(read_copy(changed, len, &got));
		put(changed + at + 4, HEAD, 4);
		put(changed + at, 0xffff, 2);
		assert_non_null(read_copy(changed, len, &got));
	}
	message[8] = 1;
	assert_non_null(read_copy(message, len, &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(bindings_are_found_or_the_message_is_refused),
	        cmocka_unit_test(older_answers_are_bound_to_nothing),
	        cmocka_unit_test(fields_lie_inside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
