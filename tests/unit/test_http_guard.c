/* F16: heads that two readers could understand differently are refused before a parser sees them. */
#include "core/base/check.h"
#include "proto/http_chars.h"
#include "proto/http_guard.h"
#include "proto/http_msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct guard_limits limits = {96 * 1024, 16 * 1024};

#define HEAD(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}
#define REQUEST(lines) HEAD("POST /a HTTP/1.1\r\n" lines "\r\n")

struct guard_case {
	struct slice bytes;
	enum guard_reason why; /* GUARD_FINE: a whole head */
};

static const struct guard_case requests[] = {
        {REQUEST("Host: x\r\n"), GUARD_FINE},
        {REQUEST(""), GUARD_FINE},
        {REQUEST("X:\r\nY: \t \r\nZ: a\tb\r\n8: \xff\xe4\r\n"), GUARD_FINE},
        {HEAD("\r\nPOST /a HTTP/1.1\r\n\r\n"), GUARD_FINE},
        {HEAD("M!#$%&'*+-.^_`|~9 /a HTTP/1.0\r\n\r\n"), GUARD_FINE},
        {HEAD("GET /\"<>\\^`{|}%zz?a?b;c HTTP/1.1\r\n\r\n"), GUARD_FINE},
        {HEAD("\r\n\r\nPOST /a HTTP/1.1\r\n\r\n"), GUARD_EMPTY_LINE},
        {HEAD("\nPOST /a HTTP/1.1\r\n\r\n"), GUARD_BARE_LF},
        {HEAD("POST /a HTTP/1.1\nHost: x\r\n\r\n"), GUARD_BARE_LF},
        {REQUEST("Host: x\nY: z\r\n"), GUARD_BARE_LF},
        {HEAD("POST /a HTTP/1.1\r\nHost: x\r\n\n"), GUARD_BARE_LF},
        {REQUEST("Host: x\rY: z\r\n"), GUARD_BARE_CR},
        {REQUEST("Host: x\r\r\n"), GUARD_BARE_CR},
        {HEAD("\rPOST /a HTTP/1.1\r\n\r\n"), GUARD_BARE_CR},
        {REQUEST("Host: x\0y\r\n"), GUARD_NUL_BYTE},
        {REQUEST("Ho\0st: x\r\n"), GUARD_NUL_BYTE},
        {REQUEST("Host: x\x0b\r\n"), GUARD_CONTROL_BYTE},
        {REQUEST("Host: x\x7f\r\n"), GUARD_CONTROL_BYTE},
        {REQUEST("Ho\x01st: x\r\n"), GUARD_CONTROL_BYTE},
        {HEAD("POST /\x1f HTTP/1.1\r\n\r\n"), GUARD_CONTROL_BYTE},
        {HEAD("\x16\x03\x01\x02"), GUARD_CONTROL_BYTE},
        {REQUEST("Host: x\r\n folded\r\n"), GUARD_FOLDED_LINE},
        {REQUEST("Host: x\r\n\tfolded\r\n"), GUARD_FOLDED_LINE},
        {REQUEST(" Host: x\r\n"), GUARD_FOLDED_LINE},
        {REQUEST("Host: x\r\n \r\n"), GUARD_FOLDED_LINE},
        {REQUEST("Host : x\r\n"), GUARD_SPACE_BEFORE_COLON},
        {REQUEST("Host\t : x\r\n"), GUARD_SPACE_BEFORE_COLON},
        {REQUEST("Host x\r\n"), GUARD_NO_COLON},
        {REQUEST("Host\r\n"), GUARD_NO_COLON},
        {REQUEST(": x\r\n"), GUARD_NAME_EMPTY},
        {REQUEST("Ho st: x\r\n"), GUARD_NAME_ODD},
        {REQUEST("Ho(st: x\r\n"), GUARD_NAME_ODD},
        {REQUEST("\"Host\": x\r\n"), GUARD_NAME_ODD},
        {REQUEST("H\xc3\xb6st: x\r\n"), GUARD_NAME_ODD},
        {HEAD("POST\r\n\r\n"), GUARD_REQUEST_LINE_ODD},
        {HEAD("POST /a\r\n\r\n"), GUARD_REQUEST_LINE_ODD},
        {HEAD("POST  /a HTTP/1.1\r\n\r\n"), GUARD_REQUEST_LINE_ODD},
        {HEAD("POST /a  HTTP/1.1\r\n\r\n"), GUARD_REQUEST_LINE_ODD},
        {HEAD("POST /a HTTP/1.1 \r\n\r\n"), GUARD_REQUEST_LINE_ODD},
        {HEAD("POST /a b HTTP/1.1\r\n\r\n"), GUARD_REQUEST_LINE_ODD},
        {HEAD("POST\t/a HTTP/1.1\r\n\r\n"), GUARD_REQUEST_LINE_ODD},
        {HEAD("POST /a\tHTTP/1.1\r\n\r\n"), GUARD_REQUEST_LINE_ODD},
        {HEAD(" POST /a HTTP/1.1\r\n\r\n"), GUARD_REQUEST_LINE_ODD},
        {HEAD("PO(ST /a HTTP/1.1\r\n\r\n"), GUARD_METHOD_ODD},
        {HEAD("P\xd6ST /a HTTP/1.1\r\n\r\n"), GUARD_METHOD_ODD},
        {HEAD("POST /a#b HTTP/1.1\r\n\r\n"), GUARD_TARGET_ODD},
        {HEAD("POST #b HTTP/1.1\r\n\r\n"), GUARD_TARGET_ODD},
        {HEAD("POST /\xe4 HTTP/1.1\r\n\r\n"), GUARD_TARGET_ODD},
        {HEAD("POST /a HTTP/1.2\r\n\r\n"), GUARD_VERSION_ODD},
        {HEAD("POST /a HTTP/2.0\r\n\r\n"), GUARD_VERSION_ODD},
        {HEAD("POST /a HTTP/0.9\r\n\r\n"), GUARD_VERSION_ODD},
        {HEAD("POST /a http/1.1\r\n\r\n"), GUARD_VERSION_ODD},
        {HEAD("POST /a HTTP/1.1x\r\n\r\n"), GUARD_VERSION_ODD},
        {HEAD("POST /a HTTP/1.10\r\n\r\n"), GUARD_VERSION_ODD},
        {HEAD("POST /a HTTP/01.1\r\n\r\n"), GUARD_VERSION_ODD},
        {HEAD("POST /a HTTP/1,1\r\n\r\n"), GUARD_VERSION_ODD},
        {HEAD("POST /a FTP/1.1\r\n\r\n"), GUARD_VERSION_ODD},
        {HEAD("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), GUARD_VERSION_ODD},
};

static const struct guard_case answers[] = {
        {HEAD("HTTP/1.1 200 OK\r\n\r\n"), GUARD_FINE},
        {HEAD("HTTP/1.1 200 \r\n\r\n"), GUARD_FINE},
        {HEAD("HTTP/1.1 200\r\n\r\n"), GUARD_FINE},
        {HEAD("HTTP/1.0 599 Gar\xfc nix\t!\r\n\r\n"), GUARD_FINE},
        {HEAD("HTTP/1.1 100 Continue\r\n\r\n"), GUARD_FINE},
        {HEAD("\r\nHTTP/1.1 200 OK\r\n\r\n"), GUARD_EMPTY_LINE},
        {HEAD("HTTP/1.1 99 OK\r\n\r\n"), GUARD_STATUS_LINE_ODD},
        {HEAD("HTTP/1.1 099 OK\r\n\r\n"), GUARD_STATUS_LINE_ODD},
        {HEAD("HTTP/1.1 600 OK\r\n\r\n"), GUARD_STATUS_LINE_ODD},
        {HEAD("HTTP/1.1 2000 OK\r\n\r\n"), GUARD_STATUS_LINE_ODD},
        {HEAD("HTTP/1.1 20x OK\r\n\r\n"), GUARD_STATUS_LINE_ODD},
        {HEAD("HTTP/1.1  200 OK\r\n\r\n"), GUARD_STATUS_LINE_ODD},
        {HEAD("HTTP/1.1 200\tOK\r\n\r\n"), GUARD_STATUS_LINE_ODD},
        {HEAD("HTTP/1.1 +20 OK\r\n\r\n"), GUARD_STATUS_LINE_ODD},
        {HEAD("HTTP/1.1\r\n\r\n"), GUARD_STATUS_LINE_ODD},
        {HEAD("HTTP/1.1 \r\n\r\n"), GUARD_STATUS_LINE_ODD},
        {HEAD("ICY 200 OK\r\n\r\n"), GUARD_STATUS_LINE_ODD},
        {HEAD("HTTP/2 200 OK\r\n\r\n"), GUARD_VERSION_ODD},
        {HEAD("HTTP/1.2 200 OK\r\n\r\n"), GUARD_VERSION_ODD},
        {HEAD("HTTP/1.1\t200 OK\r\n\r\n"), GUARD_VERSION_ODD},
        {HEAD("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"), GUARD_SPACE_BEFORE_COLON},
        {HEAD("HTTP/1.1 200 OK\nA: b\r\n\r\n"), GUARD_BARE_LF},
};

typedef long guard_fn(const char *, size_t, size_t *, const struct guard_limits *, enum guard_reason *);

/* The verdict on bytes that come in pieces of step bytes; each time in a block of their own, so that a sanitizer sees any byte read too many. */
static long in_pieces(guard_fn *guard, struct slice bytes, size_t step, const struct guard_limits *l,
                      enum guard_reason *why)
{
	size_t scanned = 0;
	long length = 0;
	for (size_t n = step; length == 0; n += step) {
		size_t have = n < bytes.len ? n : bytes.len;
		char *copy = malloc(have);
		memcpy(copy, bytes.at, have);
		length = guard(copy, have, &scanned, l, why);
		free(copy);
		if (have == bytes.len)
			break;
	}
	return length;
}

static void check_case(guard_fn *guard, const struct guard_case *c, struct slice tail)
{
	char bytes[1024];
	size_t n = c->bytes.len, with_tail = n + tail.len;
	memcpy(bytes, c->bytes.at, n);
	memcpy(bytes + n, tail.at, tail.len);
	for (size_t step = 1; step <= with_tail; step++) {
		enum guard_reason why = GUARD_FINE;
		long length = in_pieces(guard, slice_of(bytes, with_tail), step, &limits, &why);
		if (length != (c->why ? -1 : (long)n) || (length < 0 && why != c->why))
			fail_msg("%.*s in pieces of %zu: %ld, %s", (int)n, bytes, step, length, guard_reason_name(why));
	}
}

static void check_table(guard_fn *guard, const struct guard_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		check_case(guard, &cases[i], SLICE(""));
		if (cases[i].why == GUARD_FINE)
			check_case(guard, &cases[i], SLICE("body \n\0\r behind"));
	}
}

static void requests_are_judged_alike_in_any_pieces(void **state)
{
	check_table(http_guard_request, requests, ARRAY_COUNT(requests));
}

static void answers_are_judged_alike_in_any_pieces(void **state)
{
	check_table(http_guard_answer, answers, ARRAY_COUNT(answers));
}

static void a_head_is_asked_for_until_its_last_byte(void **state)
{
	struct slice head = REQUEST("Host: x\r\nA: b\r\n");
	size_t scanned = 0;
	enum guard_reason why;
	for (size_t n = 0; n < head.len; n++)
		assert_int_equal(http_guard_request(head.at, n, &scanned, &limits, &why), 0);
	assert_int_equal(http_guard_request(head.at, head.len, &scanned, &limits, &why), head.len);
}

static void every_control_byte_is_found_at_every_offset(void **state)
{
	for (int c = 0; c < 256; c++) {
		bool control = (c < 0x20 && c != '\t') || c == 0x7f;
		for (size_t at = 0; at < 40; at++) {
			char head[128];
			enum guard_reason why = GUARD_FINE;
			size_t scanned = 0;
			int n = snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nA: %047d\r\n\r\n", 0);
			head[19 + at] = (char)c;
			long length = http_guard_request(head, (size_t)n, &scanned, &limits, &why);
			assert_int_equal(length, control ? -1 : n);
			if (control)
				assert_int_equal(why, c == 0      ? GUARD_NUL_BYTE
				                      : c == '\r' ? GUARD_BARE_CR
				                      : c == '\n' ? GUARD_BARE_LF
				                                  : GUARD_CONTROL_BYTE);
		}
	}
}

/* A head with one line `name: vvv...`, in all `bytes` long. */
static char *head_of(size_t bytes, const char *name)
{
	char *head = malloc(bytes + 1);
	size_t n = (size_t)sprintf(head, "POST / HTTP/1.1\r\n%s: ", name);
	memset(head + n, 'v', bytes - 4 - n);
	memcpy(head + bytes - 4, "\r\n\r\n", 5);
	return head;
}

static void heads_are_bounded_with_and_without_authorization(void **state)
{
	/* The values of Authorization do not count as plain: "POST / HTTP/1.1\r\nAuthorization:" and "\r\n\r\n" do. */
	static const struct {
		const char *name;
		size_t bytes;
		enum guard_reason why;
	} cases[] = {
	        {"X", 16 * 1024, GUARD_FINE},
	        {"X", 16 * 1024 + 1, GUARD_PLAIN_TOO_LARGE},
	        {"Authorization", 96 * 1024, GUARD_FINE},
	        {"AUTHORIZATION", 96 * 1024, GUARD_FINE},
	        {"Authorization", 96 * 1024 + 1, GUARD_HEAD_TOO_LARGE},
	        {"Authorizatiom", 16 * 1024 + 1, GUARD_PLAIN_TOO_LARGE},
	        {"Proxy-Authorization", 16 * 1024 + 1, GUARD_PLAIN_TOO_LARGE},
	        {"X", 200 * 1024, GUARD_HEAD_TOO_LARGE},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		for (size_t step = 1; step <= cases[i].bytes; step = step * 31 + 1) {
			char *head = head_of(cases[i].bytes, cases[i].name);
			enum guard_reason why = GUARD_FINE;
			size_t scanned = 0;
			long length = 0;
			for (size_t n = step; length == 0 && n < cases[i].bytes + step; n += step)
				length = http_guard_request(head, n < cases[i].bytes ? n : cases[i].bytes, &scanned,
				                            &limits, &why);
			assert_int_equal(why, cases[i].why);
			assert_int_equal(length, cases[i].why ? -1 : (long)cases[i].bytes);
			free(head);
		}
	}
}

static void a_hundred_headers_are_enough(void **state)
{
	for (int count = 99; count <= 101; count++) {
		char head[2048];
		int n = sprintf(head, "POST / HTTP/1.1\r\n");
		for (int i = 0; i < count; i++)
			n += sprintf(head + n, "A: %d\r\n", i);
		n += sprintf(head + n, "\r\n");
		for (size_t step = 1; step < 2000; step = step * 7 + 1) {
			enum guard_reason why = GUARD_FINE;
			long length = in_pieces(http_guard_request, slice_of(head, (size_t)n), step, &limits, &why);
			assert_int_equal(length, count > 100 ? -1 : n);
			assert_int_equal(why, count > 100 ? GUARD_TOO_MANY_HEADERS : GUARD_FINE);
		}
	}
}

static void targets_are_bounded(void **state)
{
	for (size_t len = HTTP_TARGET_MAX - 1; len <= HTTP_TARGET_MAX + 1; len++) {
		char *head = malloc(len + 64), *p = head + sprintf(head, "POST ");
		enum guard_reason why = GUARD_FINE;
		size_t scanned = 0;
		memset(p, '/', len);
		sprintf(p + len, " HTTP/1.1\r\n\r\n");
		long length = http_guard_request(head, strlen(head), &scanned, &limits, &why);
		assert_int_equal(length, len > HTTP_TARGET_MAX ? -1 : (long)strlen(head));
		assert_int_equal(why, len > HTTP_TARGET_MAX ? GUARD_TARGET_TOO_LONG : GUARD_FINE);
		free(head);
	}
}

static void every_reason_has_name_words_and_status(void **state)
{
	for (enum guard_reason r = 1; r < GUARD_COUNT; r++) {
		assert_true(strlen(guard_reason_name(r)) > 4 && strlen(guard_reason_name(r)) < 31);
		assert_true(strlen(guard_reason_text(r)) > 10);
		uint16_t status = guard_reason_status(r);
		assert_true(status == 400 || status == 429 || status == 431);
	}
	assert_string_equal(guard_reason_name(GUARD_BARE_LF), "bare_lf");
	assert_string_equal(guard_reason_name(GUARD_VALUE_8BIT), "value_8bit");
}

static void the_byte_table_says_what_the_rfc_says(void **state)
{
	for (int i = 0; i < 256; i++) {
		char c = (char)i;
		bool digit = i >= '0' && i <= '9', letter = (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z');
		bool ascii = i > 0 && i < 0x80;
		assert_int_equal(http_char_is(c, CHAR_DIGIT), digit);
		assert_int_equal(http_char_is(c, CHAR_HEX), digit || (letter && (i | 0x20) <= 'f'));
		assert_int_equal(http_char_is(c, CHAR_TOKEN),
		                 digit || letter || (ascii && strchr("!#$%&'*+-.^_`|~", i)));
		assert_int_equal(http_char_is(c, CHAR_HOST), digit || letter || (ascii && strchr("-._~", i)));
		assert_int_equal(http_char_is(c, CHAR_TARGET), i > ' ' && i < 0x7f && i != '#');
		assert_int_equal(http_char_is(c, CHAR_VALUE), i == '\t' || (i >= ' ' && i != 0x7f));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(requests_are_judged_alike_in_any_pieces),
	        cmocka_unit_test(answers_are_judged_alike_in_any_pieces),
	        cmocka_unit_test(a_head_is_asked_for_until_its_last_byte),
	        cmocka_unit_test(every_control_byte_is_found_at_every_offset),
	        cmocka_unit_test(heads_are_bounded_with_and_without_authorization),
	        cmocka_unit_test(a_hundred_headers_are_enough),
	        cmocka_unit_test(targets_are_bounded),
	        cmocka_unit_test(every_reason_has_name_words_and_status),
	        cmocka_unit_test(the_byte_table_says_what_the_rfc_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
