/* Questions of the control thread to authd: answered by their number in any order, each told once, however it ends. */
#include "core/net/loop.h"
#include "core/relay/authd_ask.h"
#include "proto/authd_msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { LONG_MS = 60000, SHORT_MS = 30 };

struct one {
	unsigned told;
	enum err_code code;
	char value[200]; /* "value" of the answer, or what went wrong */
};

static struct world {
	struct loop loop;
	struct authd_ask *asks;
	char path[64];
	int listening, fd;
	char in[65536];
	size_t in_len;
	struct one ones[AUTHD_QUESTIONS_MAX + 4];
} w;

static void on_told(void *data, const json_t *answer, struct err why)
{
	struct one *o = data;
	char problem[AUTHD_PROBLEM_BYTES];
	o->told++;
	o->code = why.code;
	if (!authd_ask_problem(answer, why, problem))
		snprintf(problem, sizeof(problem), "%s", json_string_value(json_object_get(answer, "value")));
	snprintf(o->value, sizeof(o->value), "%.190s", problem);
}

static bool put(unsigned i, msec_t timeout_ms)
{
	return authd_ask_put(w.asks, json_pack("{s:s, s:i}", "ask", "test", "number", (int)i), timeout_ms, on_told,
	                     &w.ones[i]);
}

static void turn(void)
{
	uv_run(&w.loop.uv, UV_RUN_ONCE); /* the loop's own tick bounds it to 100 ms */
}

static void until_told(unsigned i)
{
	for (int turns = 0; turns < 100 && !w.ones[i].told; turns++)
		turn();
	assert_int_equal(w.ones[i].told, 1);
}

/* ---- authd ---- */

static void send_msg(const struct authd_msg *m)
{
	char bytes[4096];
	size_t n = authd_msg_bytes(m);
	assert_in_range(n, 1, sizeof(bytes));
	authd_msg_write(m, bytes);
	assert_int_equal(write(w.fd, bytes, n), n);
}

static void listen_again(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", w.path);
	unlink(w.path);
	w.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(w.listening, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(w.listening, 8), 0);
}

/* The next whole message of the node's; false: none came. */
static bool next_msg(struct authd_msg *m, char text[static 256])
{
	for (int turns = 0; turns < 20; turns++) {
		size_t used = 0;
		if (w.in_len)
			assert_null(authd_msg_read(slice_of(w.in, w.in_len), m, &used));
		if (used) {
			if (m->type == AUTHD_ASK)
				snprintf(text, 256, "%.*s", SLICE_ARG(m->ask.text));
			memmove(w.in, w.in + used, w.in_len - used);
			w.in_len -= used;
			return true;
		}
		turn();
		ssize_t n = recv(w.fd, w.in + w.in_len, sizeof(w.in) - w.in_len, MSG_DONTWAIT);
		if (n > 0)
			w.in_len += (size_t)n;
	}
	return false;
}

static void greet(void)
{
	struct authd_msg m;
	char text[256];
	w.in_len = 0;
	for (w.fd = -1; w.fd < 0; turn())
		w.fd = accept(w.listening, NULL, NULL);
	assert_true(next_msg(&m, text));
	assert_int_equal(m.type, AUTHD_HELLO);
	send_msg(&(struct authd_msg){.type = AUTHD_HELLO, .hello = {AUTHD_VERSION, AUTHD_CAN_GROUPS}});
	while (!authd_ask_is_up(w.asks))
		turn();
}

static void tell(uint64_t id, const char *json)
{
	send_msg(&(struct authd_msg){.type = AUTHD_TOLD, .told = {id, slice_str(json)}});
}

static uint64_t asked(unsigned number)
{
	struct authd_msg m;
	char text[256], wanted[64];
	assert_true(next_msg(&m, text));
	assert_int_equal(m.type, AUTHD_ASK);
	snprintf(wanted, sizeof(wanted), "{\"ask\":\"test\",\"number\":%u}", number);
	assert_string_equal(text, wanted);
	return m.ask.id;
}

static bool nothing_is_asked(void)
{
	for (int turns = 0; turns < 3; turns++)
		turn();
	return w.in_len == 0 && recv(w.fd, w.in, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

static int begin(void **state)
{
	w = (struct world){.fd = -1};
	snprintf(w.path, sizeof(w.path), "/tmp/test_authd_ask.%d", (int)getpid());
	listen_again();
	assert_int_equal(loop_init(&w.loop).code, ERR_NONE);
	assert_int_equal(authd_ask_open(&w.loop, w.path, &w.asks).code, ERR_NONE);
	return 0;
}

static int end(void **state)
{
	authd_ask_close(w.asks);
	loop_stop(&w.loop);
	loop_run(&w.loop);
	loop_done(&w.loop);
	close(w.listening);
	if (w.fd >= 0)
		close(w.fd);
	unlink(w.path);
	return 0;
}

/* ---- cases ---- */

static void answers_find_their_questions_in_any_order(void **state)
{
	assert_true(put(0, LONG_MS)); /* authd is not there yet: it waits a moment */
	greet();
	assert_true(put(1, LONG_MS));
	uint64_t first = asked(0), second = asked(1);
	tell(second, "{\"ok\": true, \"value\": \"second\"}");
	until_told(1);
	assert_int_equal(w.ones[0].told, 0);
	tell(first, "{\"ok\": true, \"value\": \"first\"}");
	until_told(0);
	assert_string_equal(w.ones[0].value, "first");
	assert_string_equal(w.ones[1].value, "second");
	tell(first, "{\"ok\": true, \"value\": \"again\"}"); /* nobody waits for it: no harm */
	assert_true(put(2, LONG_MS));
	tell(asked(2), "{\"ok\": false, \"error\": \"no such domain\", \"mend\": \"add it\"}");
	until_told(2);
	assert_int_equal(w.ones[2].code, ERR_NONE);
	assert_string_equal(w.ones[2].value, "no such domain; add it");
	assert_int_equal(w.ones[0].told, 1);
}

static void a_few_are_with_authd_and_the_others_wait_in_turn(void **state)
{
	uint64_t ids[AUTHD_QUESTIONS_SENT];
	greet();
	for (unsigned i = 0; i < AUTHD_QUESTIONS_MAX; i++)
		assert_true(put(i, LONG_MS));
	assert_false(put(AUTHD_QUESTIONS_MAX, LONG_MS));
	for (unsigned i = 0; i < AUTHD_QUESTIONS_SENT; i++)
		ids[i] = asked(i);
	assert_true(nothing_is_asked());
	tell(ids[3], "{\"ok\": true, \"value\": \"\"}");
	tell(asked(AUTHD_QUESTIONS_SENT), "{\"ok\": true, \"value\": \"\"}");
	uint64_t tenth = asked(AUTHD_QUESTIONS_SENT + 1);
	until_told(3);
	until_told(AUTHD_QUESTIONS_SENT);
	authd_ask_cancel(w.asks, &w.ones[0]); /* makes room; what is answered then finds nobody */
	asked(AUTHD_QUESTIONS_SENT + 2);
	tell(ids[0], "{\"ok\": true, \"value\": \"\"}");
	tell(tenth, "{\"ok\": true, \"value\": \"\"}");
	until_told(AUTHD_QUESTIONS_SENT + 1);
	assert_int_equal(w.ones[0].told, 0);
	authd_ask_close(w.asks); /* the others are told that the node ends */
	for (unsigned i = 0; i < AUTHD_QUESTIONS_MAX; i++)
		assert_int_equal(w.ones[i].told, i > 0);
	assert_int_equal(w.ones[20].code, ERR_CLOSED);
	assert_false(put(0, LONG_MS));
	authd_ask_cancel(w.asks, &w.ones[0]);
	authd_ask_close(w.asks);
	w.asks = NULL;
}

static void a_question_has_its_time(void **state)
{
	greet();
	assert_true(put(0, SHORT_MS));
	assert_true(put(1, LONG_MS));
	uint64_t id = asked(0);
	until_told(0);
	assert_int_equal(w.ones[0].code, ERR_AUTH_UNAVAILABLE);
	assert_string_equal(w.ones[0].value, "rms-connector-authd did not answer in time");
	tell(id, "{\"ok\": true, \"value\": \"late\"}");
	tell(asked(1), "{\"ok\": true, \"value\": \"good\"}");
	until_told(1);
	assert_string_equal(w.ones[1].value, "good");
	assert_int_equal(w.ones[0].told, 1);
}

static void authd_that_goes_away_ends_what_it_was_asked(void **state)
{
	greet();
	assert_true(put(0, LONG_MS));
	asked(0);
	close(w.listening);
	close(w.fd);
	until_told(0);
	assert_string_equal(w.ones[0].value, "rms-connector-authd went away before it answered");
	assert_true(put(1, LONG_MS)); /* waits a moment for it */
	assert_int_equal(w.ones[1].told, 0);
	until_told(1);
	assert_int_equal(w.ones[1].code, ERR_AUTH_UNAVAILABLE);
	assert_non_null(strstr(w.ones[1].value, "is not there"));
	assert_non_null(strstr(w.ones[1].value, w.path));
	listen_again();
	greet();
	assert_true(put(2, LONG_MS));
	tell(asked(2), "{\"ok\": true, \"value\": \"back\"}");
	until_told(2);
	assert_string_equal(w.ones[2].value, "back");
}

static void what_is_no_answer_ends_the_connection(void **state)
{
	static const char *const wrong[] = {"no JSON", "[]", "{\"value\": \"x\"}", "{\"ok\": 1}",
	                                    "{\"ok\": true, \"ok\": true}"};
	for (unsigned i = 0; i < ARRAY_COUNT(wrong); i++) {
		greet();
		assert_true(put(i, LONG_MS));
		tell(asked(i), wrong[i]);
		until_told(i);
		assert_string_equal(w.ones[i].value, "rms-connector-authd went away before it answered");
		close(w.fd);
	}
	greet();
	assert_true(put(10, LONG_MS));
	asked(10);
	tell(1000, "{\"ok\": true}");
	until_told(10);
	assert_int_equal(w.ones[10].code, ERR_AUTH_UNAVAILABLE);
}

static void what_cannot_be_asked_is_told(void **state)
{
	char *text = calloc(1, AUTHD_JSON_BYTES + 1);
	memset(text, 'x', AUTHD_JSON_BYTES);
	greet();
	assert_false(authd_ask_put(w.asks, NULL, LONG_MS, on_told, &w.ones[0]));
	assert_true(authd_ask_put(w.asks, json_pack("{s:s}", "ask", text), LONG_MS, on_told, &w.ones[0]));
	assert_int_equal(w.ones[0].told, 0);
	until_told(0);
	assert_int_equal(w.ones[0].code, ERR_NO_MEMORY);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(answers_find_their_questions_in_any_order, begin, end),
	        cmocka_unit_test_setup_teardown(a_few_are_with_authd_and_the_others_wait_in_turn, begin, end),
	        cmocka_unit_test_setup_teardown(a_question_has_its_time, begin, end),
	        cmocka_unit_test_setup_teardown(authd_that_goes_away_ends_what_it_was_asked, begin, end),
	        cmocka_unit_test_setup_teardown(what_is_no_answer_ends_the_connection, begin, end),
	        cmocka_unit_test_setup_teardown(what_cannot_be_asked_is_told, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
