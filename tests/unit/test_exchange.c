/* The life of a request by itself: a whole relay on connections, names and a clock that are not real (support/fake_streams.h), so that what takes
 * an unlucky turn of the loop happens each time. */
#include "tests/support/fake_streams.h"

#include "core/relay/client_conn.h"
#include "core/relay/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct {
	struct loop loop; /* never run: its clock, its queues of deadlines and its buffer are used */
	struct settings *settings;
	struct metric_block *metrics;
	struct upstream_endpoint endpoint;
	struct relay relay;
	struct listener listener;
	uint32_t node_clients;
	bool empty;
} w;

/* ---- messages ---- */

#define MESSAGE_START                                                                         \
	"<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>" \
	"<Certify xmlns=\"http://microsoft.com/DRM/CertificationService\">"
#define MESSAGE_END "</Certify></soap:Body></soap:Envelope>"

enum { REQUEST_BYTES = 300 * 1024 };

/* A request to certify whose body has that many bytes; the caller sends as much of it as it likes. */
static size_t request(char out[static REQUEST_BYTES], size_t body)
{
	int head = snprintf(out, REQUEST_BYTES,
	                    "POST /_wmcs/certification/servercertification.asmx HTTP/1.1\r\nHost: rms\r\nContent-Type: "
	                    "text/xml; charset=utf-8\r\nSOAPAction: "
	                    "\"http://microsoft.com/DRM/CertificationService/Certify\"\r\nContent-Length: %zu\r\n\r\n",
	                    body);
	size_t padding = body - (sizeof(MESSAGE_START) - 1) - (sizeof(MESSAGE_END) - 1);
	char *at = out + head;
	at += sprintf(at, "%s", MESSAGE_START);
	memset(at, 'p', padding);
	at += padding;
	at += sprintf(at, "%s", MESSAGE_END);
	return (size_t)(at - out);
}

#define ANSWER       "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\n<a/>"
#define ANSWER_CLOSE "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: 4\r\n\r\n<a/>"

/* ---- the world's acts ---- */

/* The loop sleeps: what was granted runs, what was written goes out, what closed is gone. */
static void end_turn(void)
{
	w.relay.before_poll.prepare_cb(&w.relay.before_poll);
	stream_flush_all(&w.loop);
	wires_deliver_closed();
}

static void pass_ms(unsigned ms)
{
	w.loop.uv.time += ms;
	deadlines_expire(&w.loop);
}

static struct wire *new_caller(void)
{
	struct wire *made = &wires.all[wires.count];
	static const struct listener_settings plain = {0};
	static struct entrance entrance;
	if (!entrance.balancers)
		assert_int_equal(entrance_open(&entrance, &plain).code, ERR_NONE);
	w.listener.context = &entrance;
	client_conn_accept(&w.relay, &w.listener);
	return made;
}

static struct client_conn *conn_of(struct wire *caller)
{
	return container_of(caller->stream, struct client_conn, io);
}

/* Sends bytes from..to of a request with a body of that size. */
static void ask_part(struct wire *caller, size_t body, size_t from, size_t to)
{
	static char bytes[REQUEST_BYTES];
	size_t len = request(bytes, body);
	assert_true(wire_bytes(caller, bytes + from, (to < len ? to : len) - from));
}

static void ask(struct wire *caller, size_t body)
{
	ask_part(caller, body, 0, SIZE_MAX);
}

/* Answers the name, and the connection that is then made. */
static struct wire *new_upstream(void)
{
	struct wire *made = &wires.all[wires.count];
	wires_resolve();
	assert_ptr_not_equal(made, &wires.all[wires.count]);
	wire_connected(made);
	end_turn();
	return made;
}

/* A caller that had one answer, and the connection to the cloud that was kept. */
static struct wire *warm_up(struct wire *caller)
{
	ask(caller, 500);
	struct wire *up = new_upstream();
	assert_non_null(strstr(wire_take(up), "POST /_wmcs/certification/servercertification.asmx HTTP/1.1"));
	assert_true(wire_bytes(up, ANSWER, sizeof(ANSWER) - 1));
	end_turn();
	assert_non_null(strstr(wire_take(caller), "200 OK"));
	assert_int_equal(w.relay.upstreams.list[0].pool.idle_count, 1);
	return up;
}

static unsigned times_in(const char *bytes, const char *what)
{
	unsigned n = 0;
	for (; (bytes = strstr(bytes, what)); bytes++)
		n++;
	return n;
}

static unsigned answers_to(struct wire *caller)
{
	return times_in(wire_take(caller), "HTTP/1.1 ");
}

static unsigned requests_at(struct wire *up)
{
	return times_in(wire_take(up), "POST /");
}

static int64_t counted(enum metric_id id, unsigned a)
{
	int64_t n = 0;
	for (unsigned b = 0; b < metric_places[id].b_count; b++)
		n += metric_sum(&w.metrics, 1, id, a, b);
	return n;
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

static void on_empty(struct relay *r)
{
	w.empty = true;
}

static int begin(void **state)
{
	static char account[] = "CORP\\exch$", role[] = "exchange";
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
	w.relay.clients_max = 20;
	w.relay.on_empty = on_empty;
	assert_int_equal(relay_open(&w.relay, &w.loop, w.settings, w.metrics, NULL, &w.endpoint, true).code, ERR_NONE);
	struct credential_words *words = credential_words_new(SLICE("cloud.test"), SLICE(""), 1);
	assert_non_null(words);
	upstreams_offer(&w.relay.upstreams, 0, words);
	credential_words_unref(words);
	relay_take_words(&w.relay);
	return 0;
}

/* Whatever a case did: nothing is left of it. */
static int end(void **state)
{
	relay_stop(&w.relay, true);
	end_turn();
	assert_true(w.empty);
	assert_int_equal(w.relay.exchanges, 0);
	assert_int_equal(w.relay.streaming, 0);
	assert_int_equal(w.relay.held_bytes, 0);
	assert_int_equal(w.relay.upstreams.list[0].pool.leased_count, 0);
	assert_int_equal(w.relay.upstreams.list[0].pool.waiting_count, 0);
	assert_int_equal(counted(METRIC_unexpected_events, 0), 0);
	relay_close(&w.relay);
	wires_deliver_closed();
	w.settings->loopback_caller = (struct loopback_caller){0};
	relay_done(&w.relay);
	uv_run(&w.loop.uv, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w.loop.uv), 0);
	metric_block_free(w.metrics);
	settings_free(w.settings);
	wires_free();
	return 0;
}

/* ---- a caller that does not read ---- */

/* A01: on_blocked comes once. It came while the second request waited for its connection, so the step that begins to relay must look. */
static void an_answer_that_waits_for_the_caller_pauses_the_next_ones_cloud(void **state)
{
	struct wire *caller = new_caller();
	struct wire *first = warm_up(caller);
	ask(caller, 500);
	end_turn();
	ask(caller, 500); /* sent ahead: it is taken up in the turn in which the first is answered */
	wire_fill(caller);
	assert_true(wire_bytes(first, ANSWER_CLOSE, sizeof(ANSWER_CLOSE) - 1));
	end_turn();
	assert_true(stream_is_blocked(caller->stream));
	assert_int_equal(conn_of(caller)->exchange->step, STEP_CONNECT);

	struct wire *second = new_upstream();
	assert_int_equal(conn_of(caller)->exchange->step, STEP_RELAY);
	assert_int_equal(requests_at(second), 1); /* the request went out, its answer is not read */
	assert_false(wire_bytes(second, ANSWER, sizeof(ANSWER) - 1));

	wire_drain(caller);
	assert_true(wire_bytes(second, ANSWER, sizeof(ANSWER) - 1));
	end_turn();
	assert_int_equal(answers_to(caller), 2);
}

/* ---- connections that are reset from outside ---- */

/* F13 F22: who has sent half a body longest ago goes. A longer body whose bytes are with the cloud holds no memory: ending it would free none. */
static void bodies_that_wait_are_shed_and_those_that_stream_are_not(void **state)
{
	enum { LEAST = 1 << 20, BODY = 100 * 1024, HALF = 60 * 1024, OTHERS = 30 };
	w.settings->upstream_connections = 4;
	w.settings->limits_held_bytes = LEAST;
	struct wire *streams = new_caller(), *others[OTHERS];
	struct wire *up = warm_up(streams);
	ask_part(streams, 250 * 1024, 0, BODY);
	end_turn();
	assert_int_equal(conn_of(streams)->exchange->step, STEP_RELAY);
	assert_int_equal(w.relay.streaming, 1);
	w.relay.clients_max = OTHERS + 1;
	for (unsigned i = 0; i < OTHERS; i++) {
		pass_ms(1);
		others[i] = new_caller();
		ask_part(others[i], BODY, 0, HALF);
		end_turn();
		assert_true(w.relay.held_bytes <= LEAST);
	}
	unsigned shed = (unsigned)counted(METRIC_closes, CLOSE_FULL);
	assert_in_range(shed, OTHERS - LEAST / HALF, OTHERS - 1);
	for (unsigned i = 0; i < OTHERS; i++) {
		assert_int_equal(others[i]->was_reset, i < shed); /* the oldest */
		assert_string_equal(wire_take(others[i]), "");    /* nothing looks like an answer */
	}
	assert_int_equal(w.relay.exchanges, 1 + OTHERS - shed);
	assert_int_equal(counted(METRIC_requests, OP_CERTIFY) + counted(METRIC_requests, OP_NONE), 1 + shed);
	assert_int_equal(counted(METRIC_self_made_answers, ERR_OVERLOAD), 0);

	wire_take(up);
	ask_part(streams, 250 * 1024, BODY, SIZE_MAX);
	end_turn();
	assert_true(wire_bytes(up, ANSWER, sizeof(ANSWER) - 1));
	end_turn();
	assert_int_equal(answers_to(streams), 1);
	assert_int_equal(w.relay.streaming, 0);
	assert_int_equal(w.relay.upstreams.list[0].pool.idle_count, 1);
}

/* A caller that has asked, and does not read the answer: n bytes of it wait in memory. */
static struct wire *make_slow(size_t n)
{
	static char answer[LOOP_PLAIN_BYTES];
	struct wire *caller = new_caller();
	ask(caller, 500);
	struct wire *up = new_upstream();
	int head = snprintf(answer, sizeof(answer),
	                    "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %zu\r\n\r\n", 2 * n);
	memset(answer + head, 'a', n);
	wire_fill(caller);
	assert_true(wire_bytes(up, answer, (size_t)head + n));
	end_turn();
	assert_true(stream_is_blocked(caller->stream));
	return caller;
}

/* F13: what callers do not read is bounded for all of them together, and who has read nothing for longest goes; not those who send. */
static void callers_that_do_not_read_are_bounded_together(void **state)
{
	enum { LEAST = 1 << 20, SLOW = 8, EACH = 200 * 1024 };
	w.settings->upstream_connections = SLOW + 1;
	w.settings->limits_held_bytes = LEAST;
	static const char look[] = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
	struct wire *sends = new_caller(), *other = new_caller(), *slow[SLOW];
	ask_part(sends, 100 * 1024, 0, 60 * 1024);
	for (unsigned i = 0; i < SLOW; i++) {
		pass_ms(1);
		slow[i] = make_slow(EACH);
		assert_true(wire_bytes(other, look, sizeof(look) - 1)); /* a turn, in which that is seen */
		end_turn();
		assert_true(w.loop.waiting_bytes + w.relay.held_bytes <= LEAST);
	}
	assert_int_equal(counted(METRIC_failures, ERR_CALLER_SLOW), SLOW - LEAST / EACH + 1);
	for (unsigned i = 0; i < SLOW; i++)
		assert_int_equal(slow[i]->was_reset, i < SLOW - LEAST / EACH + 1);
	assert_false(sends->was_reset);
	assert_int_equal(counted(METRIC_self_made_answers, ERR_OVERLOAD), 0);
}

/* And where nobody can be let go, a new request is told to come later. */
static void without_room_new_requests_are_answered_429(void **state)
{
	w.settings->limits_held_bytes = 1 << 20;
	w.relay.held_bytes += 2 << 20; /* whoever holds it */
	struct wire *caller = new_caller();
	ask(caller, 500);
	w.relay.held_bytes -= 2 << 20;
	end_turn();
	assert_memory_equal(wire_take(caller), "HTTP/1.1 429 ", 13);
	assert_int_equal(counted(METRIC_self_made_answers, ERR_OVERLOAD), 1);
	ask(caller, 500);
	assert_int_equal(requests_at(new_upstream()), 1);
}

/* F22: a caller that has a part of its answer, and sends a body that still goes to the cloud, when the node ends. */
static void an_exchange_that_is_reset_gives_all_back_and_finishes_nothing(void **state)
{
	static const char half[] = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 40\r\n\r\n<a/>";
	struct wire *caller = new_caller(), *second = new_caller();
	struct wire *up = warm_up(caller);
	ask_part(caller, 250 * 1024, 0, 100 * 1024);
	ask(second, 500); /* waits for the connection that the reset one has */
	end_turn();
	assert_true(wire_bytes(up, half, sizeof(half) - 1));
	end_turn();
	assert_int_equal(answers_to(caller), 1);
	assert_int_equal(w.relay.upstreams.list[0].pool.waiting_count, 1);
	client_conn_reset(conn_of(caller), CLOSE_FULL);
	assert_int_equal(w.relay.streaming, 0);
	assert_int_equal(w.relay.upstreams.list[0].pool.leased_count, 0);
	end_turn();
	assert_true(caller->was_reset);
	assert_string_equal(wire_take(caller), "");
	assert_null(up->stream); /* the cloud has half a request: that connection is nobody's any more */
	assert_int_equal(counted(METRIC_requests, OP_CERTIFY), 2); /* the warm-up, and once this one */
	assert_int_equal(requests_at(new_upstream()), 1);          /* and there is room for who waits */
	assert_int_equal(conn_of(second)->exchange->step, STEP_RELAY);
}

/* ---- limits.connections ---- */

/* The one connection that may be open, over TLS, and its request that waits for the cloud. */
static struct wire *make_full(struct wire **up)
{
	static char any;
	w.relay.clients_max = 1;
	w.listener.tls = (struct tls_server *)&any;
	struct wire *busy = new_caller();
	wire_connected(busy);
	ask(busy, 500);
	*up = new_upstream();
	return busy;
}

/* F13: closing alone would be final for an Exchange server. */
static void beyond_the_limit_a_caller_over_tls_is_answered_429(void **state)
{
	struct wire *up, *busy = make_full(&up), *extra = new_caller();
	assert_int_equal(w.relay.beyond, 1);
	assert_string_equal(wire_take(extra), "");
	wire_connected(extra);
	assert_memory_equal(wire_take(extra), "HTTP/1.1 429 ", 13);
	assert_true(extra->was_ended);
	assert_int_equal(counted(METRIC_client_connections_refused, 0), 1);
	assert_int_equal(w.node_clients, 1);
	wire_gone(extra, ERR_CLOSED);
	end_turn();
	assert_false(extra->was_reset);
	assert_int_equal(w.relay.beyond, 0);
	assert_true(wire_bytes(up, ANSWER, sizeof(ANSWER) - 1));
	end_turn();
	assert_int_equal(answers_to(busy), 1);
}

/* F13: who does not finish its handshake costs a few descriptors; further ones wait, and the first place that is free is theirs. */
static void beyond_the_few_beyond_the_limit_callers_wait(void **state)
{
	struct wire *up, *busy = make_full(&up);
	for (unsigned i = 0; i < 8; i++)
		new_caller();
	struct wire *later = new_caller();
	assert_null(later->stream);
	assert_int_equal(w.relay.beyond, 8);
	assert_int_equal(w.node_clients, 1);
	assert_true(wire_bytes(up, ANSWER, sizeof(ANSWER) - 1)); /* now one is idle */
	assert_non_null(later->stream);
	end_turn();
	assert_null(busy->stream);
	assert_false(busy->was_reset);
	assert_int_equal(answers_to(busy), 1);
	assert_int_equal(w.node_clients, 1);
	wire_connected(later);
	wire_take(up);
	ask(later, 500);
	end_turn();
	assert_int_equal(requests_at(up), 1);
}

static void a_handshake_that_ends_lets_the_next_one_in(void **state)
{
	struct wire *up, *first;
	make_full(&up);
	first = new_caller();
	for (unsigned i = 1; i < 8; i++)
		new_caller();
	struct wire *later = new_caller();
	assert_null(later->stream);
	wire_gone(first, ERR_TLS);
	end_turn();
	assert_non_null(later->stream);
	assert_int_equal(w.relay.beyond, 8);
	wire_connected(later);
	assert_memory_equal(wire_take(later), "HTTP/1.1 429 ", 13);
	struct wire *next = new_caller(); /* in the place of the one that was told */
	end_turn();
	assert_null(later->stream);
	assert_false(later->was_reset);
	assert_non_null(next->stream);
	assert_int_equal(w.relay.beyond, 8);
}

/* ---- a lease that is granted in the turn in which the wait for it ended ---- */

/* Somebody uses the one connection, and `late` waits for it with a body that still comes. */
static struct wire *make_late(struct wire **up, struct wire **busy)
{
	*busy = new_caller();
	*up = warm_up(*busy);
	ask(*busy, 500);
	struct wire *late = new_caller();
	ask_part(late, 200 * 1024, 0, 100 * 1024);
	end_turn();
	assert_int_equal(conn_of(late)->exchange->step, STEP_CONNECT);
	assert_int_equal(w.relay.upstreams.list[0].pool.waiting_count, 1);
	return late;
}

/* The lease is granted, and in the same turn its request is told that it waited too long: one answer, and the connection is another's. */
static void a_lease_granted_too_late_is_given_back(void **state)
{
	struct wire *up, *busy, *late = make_late(&up, &busy);
	w.loop.uv.time += w.settings->upstream_queue_ms + 1;
	assert_true(wire_bytes(up, ANSWER, sizeof(ANSWER) - 1));
	assert_ptr_equal(conn_of(late)->exchange->leased, container_of(up->stream, struct upstream_conn, io));
	pass_ms(0);
	end_turn();
	const char *told = wire_take(late);
	assert_memory_equal(told, "HTTP/1.1 429 ", 13);
	assert_int_equal(times_in(told, "HTTP/1.1 "), 1);
	assert_int_equal(conn_of(late)->exchange->step, STEP_ANSWER); /* the rest of its body is thrown away */
	assert_int_equal(w.relay.upstreams.list[0].pool.leased_count, 0);
	assert_int_equal(w.relay.upstreams.list[0].pool.idle_count, 1);
	wire_take(up);
	ask(busy, 500);
	end_turn();
	assert_int_equal(requests_at(up), 1); /* as good as it was */
	assert_true(wire_bytes(up, ANSWER, sizeof(ANSWER) - 1));
	end_turn();
	assert_int_equal(answers_to(busy), 2);
}

static void a_lease_granted_to_a_caller_that_left_is_given_back(void **state)
{
	struct wire *up, *busy, *late = make_late(&up, &busy);
	assert_true(wire_bytes(up, ANSWER, sizeof(ANSWER) - 1));
	wire_gone(late, ERR_NETWORK);
	end_turn();
	assert_null(late->stream);
	assert_string_equal(wire_take(late), "");
	assert_int_equal(w.relay.upstreams.list[0].pool.leased_count, 0);
	assert_int_equal(w.relay.upstreams.list[0].pool.idle_count, 1);
	assert_int_equal(w.relay.streaming, 0);
	assert_int_equal(counted(METRIC_failures, ERR_CALLER_GONE), 1);
}

/* And to one whose lease ends before it could use it: it waits on, for another connection. */
static void a_granted_connection_that_ends_at_once_is_replaced(void **state)
{
	struct wire *up, *busy, *late = make_late(&up, &busy);
	assert_true(wire_bytes(up, ANSWER, sizeof(ANSWER) - 1));
	wire_gone(up, ERR_CLOSED);
	end_turn();
	assert_null(up->stream);
	struct wire *second = new_upstream();
	assert_int_equal(conn_of(late)->exchange->step, STEP_RELAY);
	assert_int_equal(requests_at(second), 1);
	assert_string_equal(wire_take(late), "");
}

/* H11: what was never sent takes nothing of the tenant's limit a second time. */
static void a_request_that_is_sent_once_takes_one_permit(void **state)
{
	rate_limit_open(w.relay.node_rate, 7500);
	struct wire *up, *busy, *late = make_late(&up, &busy);
	assert_true(wire_bytes(up, ANSWER, sizeof(ANSWER) - 1));
	wire_gone(up, ERR_CLOSED);
	end_turn();
	assert_int_equal(requests_at(up) + requests_at(new_upstream()), 2);
	assert_int_equal(w.relay.rate.granted, 3); /* the one that warmed up was taken from the wire already */
	assert_string_equal(wire_take(late), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	        CASE(an_answer_that_waits_for_the_caller_pauses_the_next_ones_cloud),
	        CASE(bodies_that_wait_are_shed_and_those_that_stream_are_not),
	        CASE(callers_that_do_not_read_are_bounded_together),
	        CASE(without_room_new_requests_are_answered_429),
	        CASE(an_exchange_that_is_reset_gives_all_back_and_finishes_nothing),
	        CASE(beyond_the_limit_a_caller_over_tls_is_answered_429),
	        CASE(beyond_the_few_beyond_the_limit_callers_wait),
	        CASE(a_handshake_that_ends_lets_the_next_one_in),
	        CASE(a_lease_granted_too_late_is_given_back),
	        CASE(a_lease_granted_to_a_caller_that_left_is_given_back),
	        CASE(a_granted_connection_that_ends_at_once_is_replaced),
	        CASE(a_request_that_is_sent_once_takes_one_permit),
#undef CASE
	};
	return cmocka_run_group_tests(tests, name_labels, NULL);
}
