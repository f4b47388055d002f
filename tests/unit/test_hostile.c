/* F15, F16: every row of tests/hostile, through guard, parser and body reader, in one piece and in small ones: the same verdict, for the same reason. */
#include "core/base/check.h"
#include "proto/http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

static const struct guard_limits limits = {96 * 1024, 16 * 1024};

struct bytes {
	char *at;
	size_t len, cap;
};

static void bytes_add(struct bytes *b, const char *at, size_t len)
{
	if (b->len + len > b->cap)
		b->at = realloc(b->at, b->cap = (b->len + len) * 2 + 64);
	if (len)
		memcpy(b->at + b->len, at, len);
	b->len += len;
}

/* A character is a byte: U+0080 to U+00FF take two bytes in UTF-8. */
static void add_text(struct bytes *b, json_t *text)
{
	const char *s = json_string_value(text), *end = s + json_string_length(text);
	while (s < end) {
		char c = *s++;
		if (c & 0x80)
			c = (char)((c & 3) << 6 | (*s++ & 0x3f));
		bytes_add(b, &c, 1);
	}
}

static struct bytes bytes_of(json_t *parts)
{
	struct bytes b = {0};
	size_t i;
	json_t *part;
	json_array_foreach(parts, i, part)
	{
		json_int_t times = json_is_array(part) ? json_integer_value(json_array_get(part, 1)) : 1;
		while (times--)
			add_text(&b, json_is_array(part) ? json_array_get(part, 0) : part);
	}
	bytes_add(&b, "", 0);
	return b;
}

struct verdict {
	enum guard_reason why;
	bool cut; /* the bytes ended too early */
	unsigned status;
	struct bytes body;
	size_t rest;
};

/* Takes the body in pieces; *at: how far into bytes. */
static void read_body(const struct http_head *head, struct bytes bytes, size_t at, size_t piece, struct verdict *v)
{
	struct http_body body;
	http_body_start(&body, head);
	while (at < bytes.len && !body.complete && !v->why) {
		size_t n = bytes.len - at < piece ? bytes.len - at : piece;
		char *copy = malloc(n);
		memcpy(copy, bytes.at + at, n);
		struct http_taken taken = http_body_take(&body, copy, n, &v->why);
		bytes_add(&v->body, taken.data, taken.data_len);
		at += taken.used;
		free(copy);
	}
	v->cut = !v->why && !http_body_end(&body);
	v->rest = bytes.len - at;
	http_body_done(&body);
}

/* One head behind at. Its copy is what *head borrows: freed by the caller. */
static char *read_head(bool is_request, struct bytes bytes, size_t *at, size_t piece, enum http_method to,
                       struct http_head *head, struct verdict *v)
{
	size_t scanned = 0, have = 0;
	char *copy = malloc(bytes.len - *at + 1);
	long length = 0;
	while (length == 0 && have < bytes.len - *at) {
		size_t n = bytes.len - *at - have < piece ? bytes.len - *at - have : piece;
		memcpy(copy + have, bytes.at + *at + have, n);
		have += n;
		length = is_request ? http_guard_request(copy, have, &scanned, &limits, &v->why)
		                    : http_guard_answer(copy, have, &scanned, &limits, &v->why);
	}
	v->cut = length == 0;
	if (length > 0) {
		*at += (size_t)length;
		if (is_request)
			http_parse_request(copy, (size_t)length, head, &v->why);
		else
			http_parse_answer(copy, (size_t)length, to, head, &v->why);
	}
	return copy;
}

static struct verdict judge_request(struct bytes bytes, size_t piece)
{
	struct verdict v = {0};
	struct http_head head;
	size_t at = 0;
	free(read_head(true, bytes, &at, piece, HTTP_POST, &head, &v));
	if (!v.why && !v.cut)
		read_body(&head, bytes, at, piece, &v);
	return v;
}

static struct verdict judge_answer(struct bytes bytes, enum http_method to, size_t piece)
{
	struct verdict v = {0};
	struct http_head head = {.status = 100};
	size_t at = 0;
	while (head.status < 200 && !v.why && !v.cut)
		free(read_head(false, bytes, &at, piece, to, &head, &v));
	v.status = head.status;
	if (!v.why && !v.cut)
		read_body(&head, bytes, at, piece, &v);
	return v;
}

static json_t *load(const char *path)
{
	json_error_t error;
	json_t *rows = json_load_file(path, JSON_ALLOW_NUL, &error);
	if (!rows)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return rows;
}

static const char *text(json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

static void check_row(json_t *row, const struct verdict *v, size_t piece)
{
	const char *expect = text(row, "expect");
	bool refuse = strcmp(expect, "refuse") == 0 || strcmp(expect, "bad") == 0;
	if (refuse != (v->why != GUARD_FINE) || (refuse && strcmp(guard_reason_name(v->why), text(row, "reason")) != 0))
		fail_msg("%s, in pieces of %zu: %s", text(row, "name"), piece, guard_reason_name(v->why));
	if (refuse)
		return;
	if (v->cut != (strcmp(expect, "cut") == 0))
		fail_msg("%s, in pieces of %zu: %scut", text(row, "name"), piece, v->cut ? "" : "not ");
	struct bytes body = bytes_of(json_object_get(row, "body"));
	if (!slice_equal(slice_of(body.at, body.len), slice_of(v->body.at, v->body.len)))
		fail_msg("%s, in pieces of %zu: body %.*s", text(row, "name"), piece, (int)v->body.len, v->body.at);
	free(body.at);
	if (!v->cut)
		assert_int_equal(v->rest, json_integer_value(json_object_get(row, "rest")));
	if (!v->cut && json_object_get(row, "status"))
		assert_int_equal(v->status, json_integer_value(json_object_get(row, "status")));
}

static void check_rows(const char *path, bool are_requests, size_t at_least)
{
	json_t *rows = load(path), *row;
	size_t i;
	assert_true(json_array_size(rows) >= at_least);
	json_array_foreach(rows, i, row)
	{
		struct bytes bytes = bytes_of(json_object_get(row, "bytes"));
		const size_t pieces[] = {1, 2, 7, 4096, bytes.len + 1};
		/* What is long is long on purpose; byte by byte, each of its bytes would be looked at by a sanitizer. */
		for (size_t p = bytes.len > 20000 ? 2 : 0; p < ARRAY_COUNT(pieces); p++) {
			bool head = !are_requests && strcmp(text(row, "method"), "HEAD") == 0;
			struct verdict v = are_requests ? judge_request(bytes, pieces[p])
			                                : judge_answer(bytes, head ? HTTP_HEAD : HTTP_POST, pieces[p]);
			check_row(row, &v, pieces[p]);
			free(v.body.at);
		}
		free(bytes.at);
	}
	json_decref(rows);
}

static void hostile_requests_get_their_verdicts(void **state)
{
	check_rows(SOURCE_DIR "/tests/hostile/requests.json", true, 300);
}

static void hostile_answers_get_their_verdicts(void **state)
{
	check_rows(SOURCE_DIR "/tests/hostile/answers.json", false, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(hostile_requests_get_their_verdicts),
	        cmocka_unit_test(hostile_answers_get_their_verdicts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
