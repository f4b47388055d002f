/* F16: chunked bodies, read by llhttp and by a reader of our own, in any pieces. */
#include "core/base/check.h"
#include "proto/http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define BYTES(text)                    \
	{                              \
		text, sizeof(text) - 1 \
	}
#define X16  "xxxxxxxxxxxxxxxx"
#define X64  X16 X16 X16 X16
#define X256 X64 X64 X64 X64

static const struct chunk_case {
	struct slice bytes;
	enum guard_reason why;
	const char *content; /* up to the end or the mistake */
	size_t rest;         /* bytes behind the body */
} cases[] = {
        {BYTES("0\r\n\r\n"), GUARD_FINE, "", 0},
        {BYTES("5\r\nhello\r\n0\r\n\r\n"), GUARD_FINE, "hello", 0},
        {BYTES("5\r\nhello\r\n00000\r\n\r\nPOST"), GUARD_FINE, "hello", 4},
        {BYTES("000000000000000A\r\n0123456789\r\n1\r\na\r\n0\r\n\r\n\r\n"), GUARD_FINE, "0123456789a", 2},
        {BYTES("1;a\r\na\r\n1;a=\"d;e,\";b;c=d\r\nb\r\n0;x\r\n\r\n"), GUARD_FINE, "ab", 0},
        {BYTES("1\r\na\r\n0\r\nDigest: x\r\nE-Tag:\r\n\r\n5"), GUARD_FINE, "a", 1},
        {BYTES("1\r\na\r\n0\r\nX-" X64 ": \xe4\t\r\n\r\n"), GUARD_FINE, "a", 0},
        {BYTES("1;" X64 X64 X64 "\r\na\r\n0\r\n\r\n"), GUARD_FINE, "a", 0},
        {BYTES("\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES(" 1\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES("1 \r\na\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES("1\t\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES("+1\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES("-1\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES("0x1\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES("g\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES("1_0\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES(";a\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES("00000000000000001\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES("10000000000000000\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES("1\0\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_SIZE_ODD, "", 0},
        {BYTES("1\na\r\n0\r\n\r\n"), GUARD_CHUNK_LINE_END_ODD, "", 0},
        {BYTES("1\ra\r\n0\r\n\r\n"), GUARD_CHUNK_LINE_END_ODD, "", 0},
        {BYTES("1;a\na\r\n0\r\n\r\n"), GUARD_CHUNK_LINE_END_ODD, "", 0},
        {BYTES("1\r\nab\r\n0\r\n\r\n"), GUARD_CHUNK_LINE_END_ODD, "a", 0},
        {BYTES("1\r\na\n0\r\n\r\n"), GUARD_CHUNK_LINE_END_ODD, "a", 0},
        {BYTES("1\r\na\rb0\r\n\r\n"), GUARD_CHUNK_LINE_END_ODD, "a", 0},
        {BYTES("1\r\na0\r\n\r\n"), GUARD_CHUNK_LINE_END_ODD, "a", 0},
        {BYTES("0\r\n\n"), GUARD_CHUNK_LINE_END_ODD, "", 0},
        {BYTES("0\r\n\rx"), GUARD_CHUNK_LINE_END_ODD, "", 0},
        {BYTES("0\r\nA: b\n\r\n"), GUARD_CHUNK_LINE_END_ODD, "", 0},
        {BYTES("0\r\nA: b\rc\r\n\r\n"), GUARD_CHUNK_LINE_END_ODD, "", 0},
        {BYTES("1;\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_EXTENSION_ODD, "", 0},
        {BYTES("1; a\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_EXTENSION_ODD, "", 0},
        {BYTES("1;a=\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_EXTENSION_ODD, "", 0},
        {BYTES("1;a b\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_EXTENSION_ODD, "", 0},
        {BYTES("1;a=\"b\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_EXTENSION_ODD, "", 0},
        {BYTES("1;a=\"b\\\"\"\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_EXTENSION_ODD, "", 0},
        {BYTES("1;a=\"b\"c\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_EXTENSION_ODD, "", 0},
        {BYTES("1;a=b;c\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_EXTENSION_ODD, "", 0},
        {BYTES("1;a=b=c\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_EXTENSION_ODD, "", 0},
        {BYTES("1;a\xe4\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_EXTENSION_ODD, "", 0},
        {BYTES("1;\0\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_EXTENSION_ODD, "", 0},
        {BYTES("1;" X256 "\r\na\r\n0\r\n\r\n"), GUARD_CHUNK_LINE_TOO_LONG, "", 0},
        {BYTES("0\r\nContent-Length: 5\r\n\r\n"), GUARD_TRAILER_FORBIDDEN, "", 0},
        {BYTES("0\r\ntransfer-encoding: chunked\r\n\r\n"), GUARD_TRAILER_FORBIDDEN, "", 0},
        {BYTES("0\r\nHOST: x\r\n\r\n"), GUARD_TRAILER_FORBIDDEN, "", 0},
        {BYTES("0\r\nA: b\r\nAuthorization: x\r\n\r\n"), GUARD_TRAILER_FORBIDDEN, "", 0},
        {BYTES("0\r\n: b\r\n\r\n"), GUARD_TRAILER_ODD, "", 0},
        {BYTES("0\r\nA : b\r\n\r\n"), GUARD_TRAILER_ODD, "", 0},
        {BYTES("0\r\nA: b\r\n c\r\n\r\n"), GUARD_TRAILER_ODD, "", 0},
        {BYTES("0\r\nA\r\n\r\n"), GUARD_TRAILER_ODD, "", 0},
        {BYTES("0\r\nA: \0\r\n\r\n"), GUARD_TRAILER_ODD, "", 0},
        {BYTES("0\r\nA: \x7f\r\n\r\n"), GUARD_TRAILER_ODD, "", 0},
};

struct outcome {
	enum guard_reason why;
	char content[8192];
	size_t content_len, used;
	bool complete;
};

static void take_in_pieces(struct slice bytes, size_t step, struct outcome *out)
{
	struct http_head head = {.framing = BODY_CHUNKED};
	struct http_body body;
	memset(out, 0, sizeof(*out));
	http_body_start(&body, &head);
	for (size_t at = 0; at < bytes.len && !body.complete && !out->why; at += step) {
		size_t n = bytes.len - at < step ? bytes.len - at : step;
		char *copy = malloc(n);
		memcpy(copy, bytes.at + at, n);
		struct http_taken taken = http_body_take(&body, copy, n, &out->why);
		assert_int_equal(taken.ok, out->why == GUARD_FINE);
		memcpy(out->content + out->content_len, taken.data, taken.data_len);
		out->content_len += taken.data_len;
		out->used += taken.used;
		assert_true(!taken.ok || body.complete || taken.used == n);
		free(copy);
	}
	assert_int_equal(body.seen, out->content_len);
	out->complete = body.complete;
	http_body_done(&body);
}

static void chunks_are_read_alike_in_any_pieces(void **state)
{
	static struct outcome out;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct chunk_case *c = &cases[i];
		for (size_t step = 1; step <= c->bytes.len; step++) {
			take_in_pieces(c->bytes, step, &out);
			if (out.why != c->why)
				fail_msg("%.*s in pieces of %zu: %s", SLICE_ARG(c->bytes), step,
				         guard_reason_name(out.why));
			assert_true(slice_equal(slice_of(out.content, out.content_len), slice_str(c->content)));
			assert_int_equal(out.complete, c->why == GUARD_FINE);
			if (out.complete)
				assert_int_equal(out.used, c->bytes.len - c->rest);
		}
	}
}

static void trailers_are_bounded_in_lines_and_bytes(void **state)
{
	static struct outcome out;
	char bytes[8192];
	for (int lines = 31; lines <= 33; lines++) {
		int n = sprintf(bytes, "0\r\n");
		for (int i = 0; i < lines; i++)
			n += sprintf(bytes + n, "T%d: x\r\n", i);
		n += sprintf(bytes + n, "\r\n");
		take_in_pieces(slice_of(bytes, (size_t)n), 7, &out);
		assert_int_equal(out.why, lines > 32 ? GUARD_TRAILERS_TOO_LARGE : GUARD_FINE);
	}
	for (int size = 4095; size <= 4097; size++) {
		int n = sprintf(bytes, "0\r\nT: %0*d\r\n\r\n", size - 7, 0);
		assert_int_equal(n, size + 3);
		take_in_pieces(slice_of(bytes, (size_t)n), 1000, &out);
		assert_int_equal(out.why, size > 4096 ? GUARD_TRAILERS_TOO_LARGE : GUARD_FINE);
	}
}

static void extensions_are_bounded_in_all(void **state)
{
	static struct outcome out;
	static char bytes[100 * 300];
	for (int lines = 81; lines <= 82;
	     lines++) { /* 200 bytes of extension and the CR behind them: 81 times is 16281 */
		int n = 0;
		for (int i = 0; i < lines; i++)
			n += sprintf(bytes + n, "1;%0200d\r\na\r\n", 0);
		n += sprintf(bytes + n, "0\r\n\r\n");
		take_in_pieces(slice_of(bytes, (size_t)n), 11, &out);
		assert_int_equal(out.why, lines > 81 ? GUARD_CHUNK_EXTENSIONS_TOO_LONG : GUARD_FINE);
		assert_int_equal(out.content_len, 81);
	}
}

static void the_largest_size_is_not_an_overflow(void **state)
{
	static struct outcome out;
	take_in_pieces((struct slice)BYTES("ffffffffffffffff\r\nabc"), 4, &out);
	assert_int_equal(out.why, GUARD_FINE);
	assert_int_equal(out.content_len, 3);
	assert_false(out.complete);
}

/* Any body, in any chunks, in any pieces, comes back as it was. */
static void made_bodies_come_back(void **state)
{
	static struct outcome out;
	unsigned seed = 7;
	for (int round = 0; round < 500; round++) {
		char content[2048], bytes[16384];
		size_t n = 0, len = (size_t)rand_r(&seed) % sizeof(content);
		for (size_t i = 0; i < len; i++)
			content[i] = (char)rand_r(&seed);
		for (size_t at = 0; at < len;) {
			size_t chunk = 1 + (size_t)rand_r(&seed) % 200;
			chunk = chunk < len - at ? chunk : len - at;
			n += (size_t)sprintf(bytes + n, rand_r(&seed) % 2 ? "%zx\r\n" : "%08zX;e=\"x\"\r\n", chunk);
			memcpy(bytes + n, content + at, chunk);
			n += chunk;
			n += (size_t)sprintf(bytes + n, "\r\n");
			at += chunk;
		}
		n += (size_t)sprintf(bytes + n, "0\r\n\r\n");
		take_in_pieces(slice_of(bytes, n), 1 + (size_t)rand_r(&seed) % (n + 1), &out);
		assert_int_equal(out.why, GUARD_FINE);
		assert_true(out.complete);
		assert_true(slice_equal(slice_of(out.content, out.content_len), slice_of(content, len)));
	}
}

static void bodies_with_a_length_end_there(void **state)
{
	struct http_head head = {.framing = BODY_LENGTH, .content_length = 5};
	struct http_body body;
	enum guard_reason why;
	char bytes[] = "helloPOST";
	http_body_start(&body, &head);
	assert_false(http_body_end(&body));
	struct http_taken taken = http_body_take(&body, bytes, 3, &why);
	assert_true(taken.ok && taken.used == 3 && taken.data == bytes && taken.data_len == 3 && !body.complete);
	taken = http_body_take(&body, bytes + 3, 6, &why);
	assert_true(taken.ok && taken.used == 2 && taken.data_len == 2 && body.complete);
	assert_int_equal(body.seen, 5);
	taken = http_body_take(&body, bytes + 5, 4, &why);
	assert_true(taken.ok && taken.used == 0 && taken.data_len == 0);
	assert_true(http_body_end(&body));
	http_body_done(&body);
}

static void bodies_of_nothing_are_complete_from_the_start(void **state)
{
	struct http_head heads[] = {{.framing = BODY_NONE}, {.framing = BODY_LENGTH}};
	for (size_t i = 0; i < ARRAY_COUNT(heads); i++) {
		struct http_body body;
		enum guard_reason why;
		char bytes[] = "POST";
		http_body_start(&body, &heads[i]);
		assert_true(body.complete);
		assert_int_equal(http_body_take(&body, bytes, 4, &why).used, 0);
		http_body_done(&body);
	}
}

static void bodies_until_close_end_with_the_connection(void **state)
{
	struct http_head head = {.framing = BODY_UNTIL_CLOSE};
	struct http_body body;
	enum guard_reason why;
	char bytes[] = "anything";
	http_body_start(&body, &head);
	assert_int_equal(http_body_take(&body, bytes, 8, &why).data_len, 8);
	assert_false(body.complete);
	assert_true(http_body_end(&body));
	assert_true(body.complete);
	http_body_done(&body);
}

static void a_connection_that_ends_inside_chunks_cuts_the_body(void **state)
{
	struct http_head head = {.framing = BODY_CHUNKED};
	struct http_body body;
	enum guard_reason why;
	char bytes[] = "5\r\nhello\r\n0\r\n";
	http_body_start(&body, &head);
	assert_false(http_body_end(&body));
	assert_int_equal(http_body_take(&body, bytes, sizeof(bytes) - 1, &why).data_len, 5);
	assert_false(http_body_end(&body));
	http_body_done(&body);
	http_body_done(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(chunks_are_read_alike_in_any_pieces),
	        cmocka_unit_test(trailers_are_bounded_in_lines_and_bytes),
	        cmocka_unit_test(extensions_are_bounded_in_all),
	        cmocka_unit_test(the_largest_size_is_not_an_overflow),
	        cmocka_unit_test(made_bodies_come_back),
	        cmocka_unit_test(bodies_with_a_length_end_there),
	        cmocka_unit_test(bodies_of_nothing_are_complete_from_the_start),
	        cmocka_unit_test(bodies_until_close_end_with_the_connection),
	        cmocka_unit_test(a_connection_that_ends_inside_chunks_cuts_the_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
