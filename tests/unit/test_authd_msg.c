/* Messages between node and authd: what is written is read again; what breaks a rule is neither. */
#include "core/base/check.h"
#include "proto/authd_msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static char room[AUTHD_REPLY_BYTES], token[AUTHD_TOKEN_BYTES + 1];
static struct sid_set sids;
static char *sids_wire;

static int set_up(void **state)
{
	struct sid domain, s;
	memset(token, 't', sizeof(token));
	assert_true(sid_parse(SLICE("S-1-5-21-1-2-3"), &domain));
	for (uint32_t rid = 500; rid < 520; rid++) {
		sid_with_rid(&domain, rid, &s);
		sid_set_add(&sids, &s);
	}
	sid_set_seal(&sids);
	sids_wire = malloc(sid_set_bytes(&sids));
	sid_set_write(&sids, sids_wire);
	return 0;
}

static int tear_down(void **state)
{
	free(sids_wire);
	sid_set_done(&sids);
	return 0;
}

static struct authd_msg done_reply(void)
{
	return (struct authd_msg){
	        .type = AUTHD_REPLY,
	        .reply = {.id = 0x0102030405060708,
	                  .outcome = AUTHD_DONE,
	                  .answer = SLICE("answer"),
	                  .detail = SLICE("HTTP/rmsconnector.corp.test"),
	                  .mechanism = AUTHD_KERBEROS,
	                  .until_s = 1800000000,
	                  .account = SLICE("CORP\\exch$"),
	                  .principal = SLICE("exch$@CORP.TEST"),
	                  .sid = sids.at[0],
	                  .sids = {sids_wire, sid_set_bytes(&sids)},
	                  .sid_count = sids.count},
	};
}

static struct authd_msg request(void)
{
	return (struct authd_msg){.type = AUTHD_REQUEST,
	                          .request = {.id = 1, .origin = 77, .wait_ms = 5000, .token = {token, 3000}}};
}

static struct authd_msg again(const struct authd_msg *m)
{
	struct authd_msg out;
	size_t n = authd_msg_bytes(m), used = 99;
	assert_true(n > 0 && n <= sizeof(room));
	authd_msg_write(m, room);
	assert_null(authd_msg_read(slice_of(room, n), &out, &used));
	assert_int_equal(used, n);
	assert_int_equal(out.type, m->type);
	return out;
}

static void a_request_survives(void **state)
{
	struct authd_msg m = request();
	m.request.conversation = 9;
	m.request.flags = AUTHD_OVER_TLS | AUTHD_BINDING_REQUIRED;
	m.request.binding = SLICE("tls-server-end-point:0123");
	struct authd_msg got = again(&m);
	assert_int_equal(got.request.id, 1);
	assert_int_equal(got.request.conversation, 9);
	assert_int_equal(got.request.origin, 77);
	assert_int_equal(got.request.wait_ms, 5000);
	assert_int_equal(got.request.flags, 3);
	assert_true(slice_equal(got.request.binding, m.request.binding));
	assert_true(slice_equal(got.request.token, m.request.token));
}

static void a_reply_survives_with_its_sids(void **state)
{
	struct authd_msg m = done_reply(), got = again(&m);
	struct sid_set set = {0};
	assert_true(got.reply.id == m.reply.id && got.reply.outcome == AUTHD_DONE && got.reply.reason == AUTHD_NONE);
	assert_true(got.reply.mechanism == AUTHD_KERBEROS && got.reply.until_s == 1800000000 &&
	            got.reply.sid_count == 20);
	assert_true(slice_equal(got.reply.answer, m.reply.answer) && slice_equal(got.reply.detail, m.reply.detail));
	assert_true(slice_equal(got.reply.account, m.reply.account) &&
	            slice_equal(got.reply.principal, m.reply.principal));
	assert_int_equal(sid_compare(&got.reply.sid, &m.reply.sid), 0);
	assert_true(sid_set_read(got.reply.sids, got.reply.sid_count, &set));
	assert_int_equal(set.count, 20);
	sid_set_done(&set);
}

static void refusals_and_the_small_ones_survive(void **state)
{
	for (int reason = AUTHD_NONE + 1; reason < AUTHD_REASON_COUNT; reason++) {
		struct authd_msg m = {
		        .type = AUTHD_REPLY,
		        .reply = {.id = 2, .outcome = AUTHD_REFUSED, .reason = (enum authd_reason)reason}};
		assert_int_equal(again(&m).reply.reason, reason);
	}
	struct authd_msg m = {.type = AUTHD_REPLY,
	                      .reply = {.outcome = AUTHD_CONTINUE, .conversation = 5, .answer = SLICE("next")}};
	assert_int_equal(again(&m).reply.conversation, 5);
	m = (struct authd_msg){.type = AUTHD_HELLO, .hello = {AUTHD_VERSION, AUTHD_CAN_KERBEROS}};
	assert_int_equal(again(&m).hello.features, AUTHD_CAN_KERBEROS);
	m = (struct authd_msg){.type = AUTHD_CANCEL, .cancel = {6}};
	assert_int_equal(again(&m).cancel.conversation, 6);
}

static void an_ask_and_what_is_told_survive(void **state)
{
	struct authd_msg m = {.type = AUTHD_ASK, .ask = {8, SLICE("{\"ask\":\"status\"}")}};
	struct authd_msg got = again(&m);
	assert_true(got.ask.id == 8 && slice_equal(got.ask.text, m.ask.text));
	m = (struct authd_msg){.type = AUTHD_TOLD, .told = {9, SLICE("{\"ok\":true}")}};
	got = again(&m);
	assert_true(got.told.id == 9 && slice_equal(got.told.text, m.told.text));
	m.told.text.len = 0;
	assert_int_equal(authd_msg_bytes(&m), 0);
	static char empty[] = "\20\0\0\0\6\0\0\0........\0\0\0"; /* and the NUL */
	size_t used;
	assert_string_equal(authd_msg_read(slice_of(empty, sizeof(empty)), &got, &used),
	                    "an ask or its answer is empty");
	char *big = calloc(1, AUTHD_MSG_BYTES), *text = malloc(AUTHD_JSON_BYTES);
	memset(text, 't', AUTHD_JSON_BYTES);
	m.told.text = slice_of(text, AUTHD_JSON_BYTES);
	assert_int_equal(authd_msg_bytes(&m), AUTHD_MSG_BYTES);
	authd_msg_write(&m, big);
	assert_null(authd_msg_read(slice_of(big, AUTHD_MSG_BYTES), &got, &used));
	assert_int_equal(used, AUTHD_MSG_BYTES);
	m.told.text.len++;
	assert_int_equal(authd_msg_bytes(&m), 0);
	free(text);
	free(big);
}

static void reasons_have_texts_of_their_own(void **state)
{
	for (int a = 0; a < AUTHD_REASON_COUNT; a++) {
		const struct authd_reason_row *row = authd_reason_row((enum authd_reason)a);
		assert_true(strlen(row->text) > 5 && (a == AUTHD_NONE || strlen(row->mend) > 5));
		for (int b = 0; b < a; b++)
			assert_string_not_equal(row->text, authd_reason_row((enum authd_reason)b)->text);
	}
}

static void the_largest_messages_fit_their_bounds(void **state)
{
	struct authd_msg m = request();
	m.request.token.len = AUTHD_TOKEN_BYTES;
	m.request.binding = slice_of(token, AUTHD_BINDING_BYTES);
	assert_true(authd_msg_bytes(&m) && authd_msg_bytes(&m) <= AUTHD_REQUEST_BYTES);
	again(&m);
	struct sid_set many = {0};
	struct sid s = {.bytes = {1, SID_SUBS_MAX}};
	for (uint32_t i = 0; i < SID_SET_MAX; i++) {
		s.bytes[8] = (uint8_t)i;
		s.bytes[9] = (uint8_t)(i >> 8);
		assert_true(sid_set_add(&many, &s));
	}
	sid_set_seal(&many);
	char *wire = malloc(sid_set_bytes(&many));
	sid_set_write(&many, wire);
	m = done_reply();
	m.reply.sids = slice_of(wire, sid_set_bytes(&many));
	m.reply.sid_count = many.count;
	m.reply.sid = s;
	m.reply.answer = slice_of(token, AUTHD_TOKEN_BYTES);
	m.reply.account = m.reply.principal = slice_of(token, AUTHD_NAME_BYTES);
	m.reply.detail = slice_of(token, AUTHD_DETAIL_BYTES);
	assert_true(authd_msg_bytes(&m) <= AUTHD_REPLY_BYTES);
	assert_int_equal(again(&m).reply.sid_count, SID_SET_MAX);
	free(wire);
	sid_set_done(&many);
}

static void every_piece_of_a_message_waits_for_the_rest(void **state)
{
	struct authd_msg m = done_reply(), got;
	size_t n = authd_msg_bytes(&m), used;
	authd_msg_write(&m, room);
	for (size_t i = 0; i < n; i++) {
		used = 99;
		assert_null(authd_msg_read(slice_of(room, i), &got, &used));
		assert_int_equal(used, 0);
	}
	room[n] = 'x'; /* the beginning of the next one */
	assert_null(authd_msg_read(slice_of(room, n + 1), &got, &used));
	assert_int_equal(used, n);
}

/* A message whose length says one byte more, or one less, than its fields. */
static void a_length_that_disagrees_is_refused(void **state)
{
	struct authd_msg all[] = {request(), done_reply(), {.type = AUTHD_CANCEL, .cancel = {1}}}, got;
	for (size_t i = 0; i < ARRAY_COUNT(all); i++)
		for (int by = -1; by <= 1; by += 2) {
			size_t n = authd_msg_bytes(&all[i]), used;
			memset(room, 0, n + 8);
			authd_msg_write(&all[i], room);
			room[0] = (char)(room[0] + by);
			assert_non_null(authd_msg_read(slice_of(room, n + 8), &got, &used));
			assert_int_equal(used, 0);
		}
}

static void what_breaks_a_rule_is_not_written(void **state)
{
	struct authd_msg m = request();
	m.request.token.len = 0;
	assert_int_equal(authd_msg_bytes(&m), 0);
	m.request.token.len = AUTHD_TOKEN_BYTES + 1;
	assert_int_equal(authd_msg_bytes(&m), 0);
	m = request();
	m.request.flags = 8;
	assert_int_equal(authd_msg_bytes(&m), 0);
	m.request.flags = AUTHD_BINDING_REQUIRED | AUTHD_OVER_TLS; /* and no binding */
	assert_int_equal(authd_msg_bytes(&m), 0);
#define REPLY_WITH(change)                                \
	do {                                              \
		m = done_reply();                         \
		change;                                   \
		assert_int_equal(authd_msg_bytes(&m), 0); \
	} while (0)
	REPLY_WITH(m.reply.outcome = 0);
	REPLY_WITH(m.reply.outcome = 4);
	REPLY_WITH(m.reply.reason = AUTHD_REPLAY);
	REPLY_WITH(m.reply.outcome = AUTHD_REFUSED; m.reply.reason = AUTHD_REPLAY); /* and still an account */
	REPLY_WITH(m.reply.conversation = 1);
	REPLY_WITH(m.reply.mechanism = AUTHD_NO_MECHANISM);
	REPLY_WITH(m.reply.until_s = 0);
	REPLY_WITH(m.reply.account.len = 0);
	REPLY_WITH(m.reply.account = SLICE("CORP\\a\nb"));
	REPLY_WITH(m.reply.detail = SLICE("a\tb"));
	REPLY_WITH(m.reply.sid_count--);
	REPLY_WITH(m.reply.sids.len--);
	REPLY_WITH(m.reply.sid = (struct sid){0});
}

static void strangers_and_other_versions_are_told_apart(void **state)
{
	struct authd_msg m = {.type = AUTHD_HELLO, .hello = {AUTHD_VERSION + 1, 0}}, got;
	size_t n = authd_msg_bytes(&m), used;
	authd_msg_write(&m, room);
	assert_non_null(strstr(authd_msg_read(slice_of(room, n), &got, &used), "version"));
	room[8] = 'X';
	assert_non_null(strstr(authd_msg_read(slice_of(room, n), &got, &used), "protocol"));
	assert_non_null(authd_msg_read(SLICE("GET / HTTP/1.1\r\n"), &got, &used)); /* a length beyond all bounds */
	assert_non_null(authd_msg_read(SLICE("\3\0\0\0"), &got, &used));
	assert_non_null(authd_msg_read(SLICE("\10\0\0\0\7\0\0\0"), &got, &used)); /* no such type */
	assert_non_null(authd_msg_read(SLICE("\0\0\1\0\1\0\0\0"), &got,
	                               &used)); /* 64 KiB of HELLO, known before they are there */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_request_survives),
	        cmocka_unit_test(a_reply_survives_with_its_sids),
	        cmocka_unit_test(refusals_and_the_small_ones_survive),
	        cmocka_unit_test(an_ask_and_what_is_told_survive),
	        cmocka_unit_test(reasons_have_texts_of_their_own),
	        cmocka_unit_test(the_largest_messages_fit_their_bounds),
	        cmocka_unit_test(every_piece_of_a_message_waits_for_the_rest),
	        cmocka_unit_test(a_length_that_disagrees_is_refused),
	        cmocka_unit_test(what_breaks_a_rule_is_not_written),
	        cmocka_unit_test(strangers_and_other_versions_are_told_apart),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
