/* Remembered answers and questions that several wait for: a whole relay on connections and a clock that are not real (support/fake_streams.h). */
#include "tests/support/fake_streams.h"

#include "core/relay/client_conn.h"
#include "core/relay/flight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct {
	struct loop loop;
	struct settings *settings;
	struct metric_block *metrics;
	struct upstream_endpoint endpoint;
	struct relay relay;
	struct listener listener;
	struct entrance entrance;
	uint32_t node_clients;
	bool empty;
	struct cached *remembered; /* the last, for the main thread */
	unsigned remembered_count;
	uint64_t purges;
	bool crowded;
} w;

#define NAMESPACE "http://microsoft.com/DRM/ServerService"
#define MESSAGE(what)                                                                                    \
	"<soap:Envelope "                                                                                \
	"xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><FindServiceLocations" what \
	" xmlns=\"" NAMESPACE "\"></FindServiceLocations" what "></soap:Body></soap:Envelope>"
#define BODY MESSAGE("Response")

enum { TEXT = 4096 };

static void ask_with(struct wire *caller, const char *headers, const char *body)
{
	char bytes[TEXT];
	int n = snprintf(bytes, sizeof(bytes),
	                 "POST /_wmcs/certification/server.asmx HTTP/1.1\r\nHost: rms\r\nContent-Type: text/xml; "
	                 "charset=utf-8\r\nSOAPAction: \"" NAMESPACE
	                 "/FindServiceLocations\"\r\n%sContent-Length: %zu\r\n\r\n%s",
	                 headers, strlen(body), body);
	assert_true(wire_bytes(caller, bytes, (size_t)n));
}

static void ask(struct wire *caller)
{
	ask_with(caller, "", MESSAGE(""));
}

static bool says(struct wire *up, const char *bytes)
{
	char copy[TEXT];
	strcpy(copy, bytes); /* what is read may be changed in place */
	return wire_bytes(up, copy, strlen(bytes));
}

static const char *answer(const char *status, const char *headers, const char *body)
{
	static char bytes[TEXT];
	snprintf(bytes, sizeof(bytes), "HTTP/1.1 %s\r\nContent-Type: text/xml\r\n%sContent-Length: %zu\r\n\r\n%s",
	         status, headers, strlen(body), body);
	return bytes;
}

static void end_turn(void)
{
	w.relay.before_poll.prepare_cb(&w.relay.before_poll);
	stream_flush_all(&w.loop);
	wires_deliver_closed();
}

static struct wire *new_caller(void)
{
	struct wire *made = &wires.all[wires.count];
	client_conn_accept(&w.relay, &w.listener);
	return made;
}

static struct wire *new_upstream(void)
{
	struct wire *made = &wires.all[wires.count];
	wires_resolve();
	assert_ptr_not_equal(made, &wires.all[wires.count]);
	wire_connected(made);
	end_turn();
	return made;
}

static unsigned times_in(const char *bytes, const char *what)
{
	unsigned n = 0;
	for (; (bytes = strstr(bytes, what)); bytes++)
		n++;
	return n;
}

static unsigned requests_at(struct wire *up)
{
	return times_in(wire_take(up), "POST /");
}

static bool has_answer(struct wire *caller)
{
	const char *got = wire_take(caller);
	return times_in(got, "HTTP/1.1 200 OK") == 1 && strstr(got, "\r\n\r\n" BODY) != NULL;
}

static int64_t counted(enum metric_id id)
{
	return metric_sum(&w.metrics, 1, id, OP_FIND_SERVICE_LOCATIONS, 0);
}

/* The main thread has these and no others. */
static void publish(struct cached *const *rows, size_t count)
{
	struct cache_index *index = cache_index_new(rows, count, w.purges);
	assert_non_null(index);
	index->crowded = w.crowded;
	recall_take_index(&w.relay, index);
	cache_index_unref(index);
}

static void on_remembered(struct relay *r, struct cached *answer, uint64_t purges)
{
	cached_unref(w.remembered);
	w.remembered = answer;
	w.remembered_count++;
	assert_int_equal(purges, w.purges);
}

/* One that was asked for, but with other times: fresh and stale, in seconds from now. */
static void remembered_was(int born, int fresh, int stale)
{
	struct cached_facts f = w.remembered->facts;
	uint64_t now = clock_wall() / 1000000;
	f.born_s = now + (uint64_t)(int64_t)born;
	f.fresh_until_s = now + (uint64_t)(int64_t)fresh;
	f.stale_until_s = now + (uint64_t)(int64_t)stale;
	struct cached *c = cached_new(&f, w.remembered->head, w.remembered->body);
	assert_non_null(c);
	w.purges++; /* what the worker remembered itself goes */
	publish(&c, 1);
	cached_unref(c);
}

static void on_empty(struct relay *r)
{
	w.empty = true;
}

static int name_labels(void **state)
{
	static const char *names[ERR_COUNT];
	for (unsigned i = 0; i < ARRAY_COUNT(names); i++)
		names[i] = "x";
	metric_labels(METRIC_LABEL_OP, names, OP_COUNT);
	metric_labels(METRIC_LABEL_GUARD_REASON, names, GUARD_COUNT);
	metric_labels(METRIC_LABEL_CLOSE_REASON, names, CLOSE_COUNT);
	return 0;
}

static int begin(void **state)
{
	static char account[] = "CORP\\exch$", role[] = "exchange";
	static const struct listener_settings plain = {0};
	memset(&w, 0, sizeof(w));
	list_init(&w.loop.deadline_queues);
	assert_int_equal(uv_loop_init(&w.loop.uv), 0);
	w.loop.uv.time = 1000000;
	w.loop.plain_block = wires.block;
	w.settings = settings_new();
	w.settings->loopback_caller = (struct loopback_caller){account, role};
	w.settings->upstream_connections = 1;
	w.metrics = metric_block_new();
	strcpy(w.endpoint.host, "cloud.test");
	w.endpoint.port = 443;
	w.settings->credentials = calloc(1, sizeof(*w.settings->credentials));
	assert_non_null(w.settings->credentials);
	w.settings->credentials[0] = (struct credential_settings){.name = strdup("none"), .roles = ~0u};
	w.settings->credential_count = 1;
	static struct rate_limit no_limit;
	no_limit = (struct rate_limit){0};
	w.relay.node_clients = &w.node_clients;
	w.relay.node_rate = &no_limit;
	w.relay.clients_max = 40;
	w.relay.on_empty = on_empty;
	w.relay.on_remembered = on_remembered;
	assert_int_equal(entrance_open(&w.entrance, &plain).code, ERR_NONE);
	w.listener.context = &w.entrance;
	assert_int_equal(relay_open(&w.relay, &w.loop, w.settings, w.metrics, NULL, &w.endpoint, true).code, ERR_NONE);
	struct credential_words *words = credential_words_new(SLICE("cloud.test"), SLICE(""), 1);
	assert_non_null(words);
	upstreams_offer(&w.relay.upstreams, 0, words);
	credential_words_unref(words);
	relay_take_words(&w.relay);
	publish(NULL, 0);
	return 0;
}

/* Whatever a case did: nothing is left of it. */
static int end(void **state)
{
	relay_stop(&w.relay, true);
	end_turn();
	assert_true(w.empty);
	assert_true(list_empty(&w.relay.flights));
	assert_int_equal(w.relay.exchanges, 0);
	assert_int_equal(w.relay.held_bytes, 0);
	assert_int_equal(w.relay.upstreams.list[0].pool.leased_count, 0);
	assert_int_equal(w.relay.upstreams.list[0].pool.waiting_count, 0);
	assert_int_equal(metric_sum(&w.metrics, 1, METRIC_unexpected_events, 0, 0), 0);
	relay_close(&w.relay);
	wires_deliver_closed();
	w.settings->loopback_caller = (struct loopback_caller){0};
	relay_done(&w.relay);
	uv_run(&w.loop.uv, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w.loop.uv), 0);
	metric_block_free(w.metrics);
	settings_free(w.settings);
	cached_unref(w.remembered);
	entrance_close(&w.entrance);
	wires_free();
	return 0;
}

/* Somebody had the answer of the cloud; the connection to it was kept. */
static struct wire *warm_up(void)
{
	struct wire *caller = new_caller();
	ask(caller);
	struct wire *up = new_upstream();
	assert_int_equal(requests_at(up), 1);
	assert_true(says(up, answer("200 OK", "X-Powered-By: ASP.NET\r\n", BODY)));
	end_turn();
	assert_true(has_answer(caller));
	assert_int_equal(w.remembered_count, 1);
	return up;
}

/* ---- one after the other ---- */

/* I02: the same bytes, the headers that travel, and Age; nothing is asked. */
static void an_answer_is_given_again(void **state)
{
	struct wire *up = warm_up(), *caller = new_caller();
	ask(caller);
	end_turn();
	assert_int_equal(requests_at(up), 0);
	const char *got = wire_take(caller);
	assert_non_null(strstr(got, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(got, "X-Powered-By: ASP.NET\r\n"));
	assert_non_null(strstr(got, "\r\nAge: "));
	assert_int_equal(times_in(got, "Content-Length"), 1);
	assert_non_null(strstr(got, "\r\n\r\n" BODY));
	assert_int_equal(counted(METRIC_cache_hits), 1);
	assert_int_equal(counted(METRIC_cache_stored), 1);
}

/* I06: what is over is not given while the cloud answers. */
static void what_is_over_is_asked_again(void **state)
{
	struct wire *up = warm_up(), *caller = new_caller();
	remembered_was(-100, -1, 1000);
	ask(caller);
	end_turn();
	assert_int_equal(requests_at(up), 1);
	assert_true(says(up, answer("200 OK", "", BODY)));
	end_turn();
	assert_true(has_answer(caller));
	assert_int_equal(counted(METRIC_cache_stale), 0);
	assert_int_equal(counted(METRIC_cache_hits), 0);
}

static void a_clock_that_was_set_back_makes_nothing_live_longer(void **state)
{
	struct wire *up = warm_up(), *caller = new_caller();
	remembered_was(1000, 2000, 3000);
	ask(caller);
	end_turn();
	assert_int_equal(requests_at(up), 1);
}

/* I06: while the cloud is away, an old answer; and counted. */
static void an_old_answer_is_given_while_the_cloud_is_away(void **state)
{
	struct wire *up = warm_up(), *caller = new_caller();
	remembered_was(-100, -1, 1000);
	ask(caller);
	end_turn();
	assert_true(says(up, answer("503 Service Unavailable", "", "down")));
	end_turn();
	assert_true(has_answer(caller));
	assert_int_equal(counted(METRIC_cache_stale), 1);
}

/* I06: neither that it throttles, nor that it refuses us. */
static void an_old_answer_is_not_given_for_any_failure(void **state)
{
	static const char *const others[] = {"429 Too Many Requests", "403 Forbidden", "302 Found"};
	struct wire *up = warm_up();
	remembered_was(-100, -1, 1000);
	for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
		struct wire *caller = new_caller();
		ask(caller);
		end_turn();
		assert_true(says(up, answer(others[i], "", "no")));
		end_turn();
		assert_null(strstr(wire_take(caller), " 200 OK"));
	}
	assert_int_equal(counted(METRIC_cache_stale), 0);
}

/* I06: and not for ever. */
static void an_old_answer_has_an_end(void **state)
{
	struct wire *up = warm_up(), *caller = new_caller();
	remembered_was(-100, -50, -1);
	ask(caller);
	end_turn();
	assert_true(says(up, answer("503 Service Unavailable", "", "down")));
	end_turn();
	assert_non_null(strstr(wire_take(caller), "HTTP/1.1 500 "));
}

/* I05: what was asked before the cache was emptied is not kept after it. */
static void what_was_asked_before_the_cache_was_emptied_is_not_kept(void **state)
{
	struct wire *up = warm_up(), *caller = new_caller();
	w.purges++;
	publish(NULL, 0);
	ask(caller);
	end_turn();
	assert_int_equal(requests_at(up), 1);
	w.purges++;
	publish(NULL, 0);
	w.purges--; /* what on_remembered() is told: the main thread compares it */
	assert_true(says(up, answer("200 OK", "", BODY)));
	end_turn();
	w.purges++;
	assert_true(has_answer(caller));
	ask(caller);
	end_turn();
	assert_int_equal(requests_at(up), 1);
}

/* I01 I04 */
static void answers_that_are_not_kept(void **state)
{
	static const struct {
		const char *status, *headers, *body;
	} cases[] = {
	        {"200 OK", "Content-Encoding: gzip\r\n", BODY},  {"200 OK", "Age: 7\r\n", BODY},
	        {"203 Non-Authoritative Information", "", BODY}, {"200 OK", "", MESSAGE("")},
	        {"500 Internal Server Error", "", BODY},
	};
	struct wire *up = NULL;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct wire *caller = new_caller();
		ask(caller);
		end_turn();
		up = up ? up : new_upstream();
		assert_int_equal(requests_at(up), 1);
		assert_true(says(up, answer(cases[i].status, cases[i].headers, cases[i].body)));
		end_turn();
		assert_int_equal(times_in(wire_take(caller), "HTTP/1.1 "), 1);
	}
	assert_int_equal(w.remembered_count, 0);
}

/* What is asked for only once costs no more than relaying it, and drives nothing out. */
static void when_there_is_little_room_only_what_is_asked_for_twice_is_remembered(void **state)
{
	struct wire *caller = new_caller(), *up = NULL;
	w.crowded = true;
	publish(NULL, 0);
	for (unsigned asked = 0; asked < 2; asked++) {
		ask(caller);
		end_turn();
		up = up ? up : new_upstream();
		assert_int_equal(requests_at(up), 1);
		assert_true(says(up, answer("200 OK", "", BODY)));
		end_turn();
		assert_true(has_answer(caller));
		assert_int_equal(w.remembered_count, asked);
	}
	ask(caller);
	end_turn();
	assert_int_equal(requests_at(up), 0);
	assert_int_equal(w.remembered_count, 1);
}

/* ---- at the same time ---- */

enum { OTHERS = 5 };

/* One that asked and others that wait for its answer. */
static struct wire *take_off(struct wire *callers[static OTHERS])
{
	for (unsigned i = 0; i < OTHERS; i++) {
		callers[i] = new_caller();
		ask(callers[i]);
		end_turn();
	}
	struct wire *up = new_upstream();
	assert_int_equal(requests_at(up), 1);
	return up;
}

/* I01: one question for all. */
static void who_asks_the_same_at_the_same_time_waits_for_the_first(void **state)
{
	struct wire *callers[OTHERS], *up = take_off(callers);
	assert_true(says(up, answer("200 OK", "", BODY)));
	end_turn();
	for (unsigned i = 0; i < OTHERS; i++)
		assert_true(has_answer(callers[i]));
	assert_int_equal(requests_at(up), 0);
	assert_int_equal(counted(METRIC_cache_shared), OTHERS - 1);
	assert_int_equal(w.remembered_count, 1);
}

static void several_at_once_are_as_good_as_twice(void **state)
{
	w.crowded = true;
	publish(NULL, 0);
	struct wire *callers[OTHERS], *up = take_off(callers);
	assert_true(says(up, answer("200 OK", "", BODY)));
	end_turn();
	for (unsigned i = 0; i < OTHERS; i++)
		assert_true(has_answer(callers[i]));
	assert_int_equal(requests_at(up), 0);
	assert_int_equal(w.remembered_count, 1);
}

static void who_asks_otherwise_does_not_wait(void **state)
{
	struct wire *callers[OTHERS], *up = take_off(callers), *other = new_caller();
	ask_with(other, "Accept-Language: de\r\n", MESSAGE(""));
	end_turn();
	assert_true(says(up, answer("200 OK", "", BODY)));
	end_turn();
	assert_int_equal(requests_at(up), 1);
	assert_true(says(up, answer("200 OK", "", BODY)));
	end_turn();
	assert_true(has_answer(other));
}

static void an_answer_that_is_not_kept_lets_the_others_ask(void **state)
{
	struct wire *callers[OTHERS], *up = take_off(callers);
	assert_true(says(up, answer("200 OK", "", MESSAGE(""))));
	end_turn();
	for (unsigned i = 1; i < OTHERS; i++) {
		assert_int_equal(requests_at(up), 1);
		assert_true(says(up, answer("200 OK", "", MESSAGE(""))));
		end_turn();
	}
	for (unsigned i = 0; i < OTHERS; i++)
		assert_int_equal(times_in(wire_take(callers[i]), "HTTP/1.1 200 OK"), 1);
}

/* A cloud that asks to slow down is not asked by all the others. */
static void a_failure_is_everybodys(void **state)
{
	struct wire *callers[OTHERS], *up = take_off(callers);
	assert_true(says(up, answer("429 Too Many Requests", "Retry-After: 77\r\n", "slow")));
	end_turn();
	assert_int_equal(requests_at(up), 0);
	for (unsigned i = 0; i < OTHERS; i++) {
		const char *got = wire_take(callers[i]);
		assert_non_null(strstr(got, "HTTP/1.1 429 "));
		assert_non_null(strstr(got, "Retry-After: 77\r\n"));
	}
}

/* The question belongs to those who wait: nothing is asked twice when the first leaves before the answer. */
static void the_first_leaves_before_the_answer(void **state)
{
	struct wire *callers[OTHERS], *up = take_off(callers);
	wire_gone(callers[0], ERR_CLOSED);
	end_turn();
	assert_non_null(up->stream);
	assert_true(says(up, answer("200 OK", "", BODY)));
	end_turn();
	for (unsigned i = 1; i < OTHERS; i++)
		assert_true(has_answer(callers[i]));
	assert_int_equal(requests_at(up), 0);
	assert_int_equal(w.remembered_count, 1);
	assert_int_equal(w.relay.upstreams.list[0].pool.idle_count, 1);
}

/* And in the middle of it: byte for byte. */
static void the_first_two_leave_in_the_middle_of_the_answer(void **state)
{
	struct wire *callers[OTHERS], *up = take_off(callers);
	char whole[TEXT], part[TEXT];
	snprintf(whole, sizeof(whole), "%s", answer("200 OK", "X-Id: 1\r\n", BODY));
	size_t len = strlen(whole), cuts[] = {len - 100, len - 50, len};
	for (size_t i = 0, at = 0; i < ARRAY_COUNT(cuts); at = cuts[i++]) {
		snprintf(part, sizeof(part), "%.*s", (int)(cuts[i] - at), whole + at);
		assert_true(says(up, part));
		end_turn();
		if (i < 2) {
			wire_gone(callers[i], ERR_CLOSED);
			end_turn();
		}
	}
	for (unsigned i = 2; i < OTHERS; i++) {
		const char *got = wire_take(callers[i]);
		assert_int_equal(times_in(got, "X-Id: 1\r\n"), 1);
		assert_int_equal(times_in(got, "Content-Length: "), 1);
		assert_non_null(strstr(got, "\r\n\r\n" BODY));
	}
	assert_int_equal(requests_at(up), 0);
	assert_int_equal(w.remembered_count, 1);
}

/* In chunks, to one who knows chunks and then to one who does not. */
static void an_answer_in_chunks_is_passed_on(void **state)
{
	struct wire *first = new_caller(), *second = new_caller();
	char bytes[TEXT];
	ask(first);
	end_turn();
	ask(second);
	end_turn();
	struct wire *up = new_upstream();
	snprintf(bytes, sizeof(bytes),
	         "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n%.20s\r\n",
	         BODY);
	assert_true(says(up, bytes));
	end_turn();
	wire_gone(first, ERR_CLOSED);
	end_turn();
	snprintf(bytes, sizeof(bytes), "%zx\r\n%s\r\n0\r\n\r\n", strlen(BODY) - 20, &BODY[20]);
	assert_true(says(up, bytes));
	end_turn();
	const char *got = wire_take(second);
	assert_non_null(strstr(got, "Transfer-Encoding: chunked\r\n"));
	snprintf(bytes, sizeof(bytes), "\r\n\r\n14\r\n%.20s\r\n%zx\r\n%s\r\n0\r\n\r\n", BODY, strlen(BODY) - 20,
	         &BODY[20]);
	assert_non_null(strstr(got, bytes));
	assert_int_equal(w.remembered_count, 1);
	assert_true(slice_equal(w.remembered->body, slice_str(BODY)));
}

/* The first had no connection yet: the next one waits for it. */
static void the_first_leaves_before_it_could_ask(void **state)
{
	struct wire *callers[OTHERS];
	for (unsigned i = 0; i < OTHERS; i++) {
		callers[i] = new_caller();
		ask(callers[i]);
		end_turn();
	}
	wire_gone(callers[0], ERR_CLOSED);
	end_turn();
	struct wire *up = new_upstream();
	assert_int_equal(requests_at(up), 1);
	assert_true(says(up, answer("200 OK", "", BODY)));
	end_turn();
	for (unsigned i = 1; i < OTHERS; i++)
		assert_true(has_answer(callers[i]));
}

static void all_leave(void **state)
{
	struct wire *callers[OTHERS], *up = take_off(callers);
	for (unsigned i = OTHERS; i--;) {
		wire_gone(callers[i], ERR_CLOSED);
		end_turn();
	}
	assert_true(list_empty(&w.relay.flights));
	assert_null(up->stream);
}

/* A kept connection ends before it answered: who took the question over asks once more, with its own copy of it. */
static void what_was_passed_on_can_be_asked_again(void **state)
{
	struct wire *up = warm_up(), *first = new_caller(), *second = new_caller();
	w.purges++;
	publish(NULL, 0);
	ask(first);
	end_turn();
	ask(second);
	end_turn();
	assert_int_equal(requests_at(up), 1);
	wire_gone(first, ERR_CLOSED);
	end_turn();
	wire_gone(up, ERR_CLOSED);
	end_turn();
	struct wire *again = new_upstream();
	const char *got = wire_take(again);
	assert_int_equal(times_in(got, "POST /"), 1);
	assert_non_null(strstr(got, "\r\n\r\n" MESSAGE("")));
	assert_true(says(again, answer("200 OK", "", BODY)));
	end_turn();
	assert_true(has_answer(second));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	        CASE(an_answer_is_given_again),
	        CASE(what_is_over_is_asked_again),
	        CASE(a_clock_that_was_set_back_makes_nothing_live_longer),
	        CASE(an_old_answer_is_given_while_the_cloud_is_away),
	        CASE(an_old_answer_is_not_given_for_any_failure),
	        CASE(an_old_answer_has_an_end),
	        CASE(what_was_asked_before_the_cache_was_emptied_is_not_kept),
	        CASE(answers_that_are_not_kept),
	        CASE(when_there_is_little_room_only_what_is_asked_for_twice_is_remembered),
	        CASE(several_at_once_are_as_good_as_twice),
	        CASE(who_asks_the_same_at_the_same_time_waits_for_the_first),
	        CASE(who_asks_otherwise_does_not_wait),
	        CASE(an_answer_that_is_not_kept_lets_the_others_ask),
	        CASE(a_failure_is_everybodys),
	        CASE(the_first_leaves_before_the_answer),
	        CASE(the_first_two_leave_in_the_middle_of_the_answer),
	        CASE(an_answer_in_chunks_is_passed_on),
	        CASE(the_first_leaves_before_it_could_ask),
	        CASE(all_leave),
	        CASE(what_was_passed_on_can_be_asked_again),
#undef CASE
	};
	return cmocka_run_group_tests(tests, name_labels, NULL);
}
