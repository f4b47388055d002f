/* A stream against a stream in one loop: every byte comes through, plain and TLS, with pauses, in both directions. */
#include "core/net/listener.h"
#include "core/net/stream.h"
#include "core/net/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/test_stream.XXXXXX";

struct side {
	struct stream stream;
	struct world *world;
	uint64_t sent, received;
	struct err end;
	bool closed;
};

struct world {
	struct loop loop;
	struct listener listener;
	struct tls_server *tls_server;
	struct tls_client *tls_client;
	struct side client, server;
	uint64_t total;
	bool pauses;
	unsigned turn;
	size_t waited;
};

/* Byte number i of the stream: a pattern that no shift of it equals. */
static char byte_at(uint64_t i)
{
	return (char)((i * 2654435761u) >> 13 ^ i >> 3);
}

static void produce(struct stream *stream)
{
	struct side *s = container_of(stream, struct side, stream);
	struct world *w = s->world;
	static char piece[300000];
	while (s->sent < w->total && !stream_is_blocked(stream)) {
		w->turn++;
		size_t n = 1 + (w->turn * 7919) % (w->turn % 5 == 0 ? sizeof(piece) : 3000);
		if (n > w->total - s->sent)
			n = (size_t)(w->total - s->sent);
		for (size_t i = 0; i < n; i++)
			piece[i] = byte_at(s->sent + i);
		s->sent += n;
		stream_write(stream, piece, n);
		if (w->turn % 7 == 0)
			stream_flush_all(&w->loop);
	}
	if (s->sent == w->total)
		stream_end(stream);
}

static void on_bytes(struct stream *stream, char *bytes, size_t n)
{
	struct side *s = container_of(stream, struct side, stream);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(bytes[i], byte_at(s->received + i));
	memset(bytes - LOOP_HEADROOM, 'x', LOOP_HEADROOM + n + LOOP_TAILROOM); /* the owner may write over it all */
	s->received += n;
	if (s->world->pauses && s->world->turn++ % 3 == 0) {
		stream_pause(stream);
		stream_resume(stream);
	}
}

static void on_gone(struct stream *stream, struct err why)
{
	struct side *s = container_of(stream, struct side, stream);
	struct world *w = s->world;
	s->end = why;
	if (w->client.end.code && w->server.end.code) {
		stream_close(&w->client.stream);
		stream_close(&w->server.stream);
		listener_close(&w->listener);
		loop_stop(&w->loop);
	}
}

static void on_closed(struct stream *stream)
{
	container_of(stream, struct side, stream)->closed = true;
}

static const struct stream_events events = {
        .on_ready = produce, .on_bytes = on_bytes, .on_drained = produce, .on_gone = on_gone, .on_closed = on_closed};

static void on_connection(struct listener *l)
{
	struct world *w = l->context;
	stream_init(&w->server.stream, &w->loop, &events);
	assert_int_equal(stream_accept(&w->server.stream, (uv_stream_t *)&l->tcp, l->tls).code, ERR_NONE);
	if (!l->tls)
		produce(&w->server.stream);
}

/* The connection stays in the listener's queue: nobody reads what comes on it. */
static void on_nobody(struct listener *l)
{
}

static void run(uint64_t total, bool tls, bool pauses)
{
	struct world *w = calloc(1, sizeof(*w));
	w->total = total;
	w->pauses = pauses;
	w->client.world = w->server.world = w;
	assert_int_equal(loop_init(&w->loop).code, ERR_NONE);
	char certificate[100], key[100];
	snprintf(certificate, sizeof(certificate), "%s/cert.pem", directory);
	snprintf(key, sizeof(key), "%s/key.pem", directory);
	if (tls) {
		struct tls_server_options so = {.certificate = {certificate}, .key = {key}};
		struct tls_client_options co = {.ca_file = certificate, .host = "127.0.0.1", .resume = true};
		assert_int_equal(tls_server_new(&so, &w->tls_server).code, ERR_NONE);
		assert_int_equal(tls_client_new(&co, &w->tls_client).code, ERR_NONE);
	}
	struct sockaddr_storage any;
	assert_int_equal(address_parse("127.0.0.1:0", &any).code, ERR_NONE);
	assert_int_equal(listener_open(&w->listener, &w->loop, (struct sockaddr *)&any, true, 16).code, ERR_NONE);
	w->listener.on_connection = on_connection;
	w->listener.context = w;
	w->listener.tls = w->tls_server;
	((struct sockaddr_in *)&any)->sin_port = htons(listener_port(&w->listener));
	stream_init(&w->client.stream, &w->loop, &events);
	assert_int_equal(stream_connect(&w->client.stream, (struct sockaddr *)&any, w->tls_client).code, ERR_NONE);
	loop_run(&w->loop);
	assert_true(w->client.closed && w->server.closed);
	assert_int_equal(w->client.end.code, ERR_CLOSED);
	assert_int_equal(w->server.end.code, ERR_CLOSED);
	assert_int_equal(w->client.received, total);
	assert_int_equal(w->server.received, total);
	assert_int_equal(w->loop.waiting_bytes, 0);
	loop_done(&w->loop);
	tls_server_free(w->tls_server);
	tls_client_free(w->tls_client);
	free(w);
}

static void every_byte_comes_through_plain(void **state)
{
	run(1, false, false);
	run(10000000, false, false);
	run(3000000, false, true);
}

static void every_byte_comes_through_tls(void **state)
{
	run(1, true, false);
	run(10000000, true, false);
	run(3000000, true, true);
}

/* F13: what the kernel does not take is counted for the whole loop, and no more when the connection is closed over it. */
static void flood(struct stream *stream)
{
	struct world *w = container_of(stream, struct side, stream)->world;
	static char piece[300000];
	for (unsigned i = 0; i < 40; i++)
		stream_write(stream, piece, sizeof(piece));
	stream_flush_all(&w->loop);
	w->waited = w->loop.waiting_bytes;
	assert_int_equal(w->waited, stream->waiting_bytes);
	stream_close(stream);
	assert_int_equal(w->loop.waiting_bytes, 0);
	listener_close(&w->listener);
	loop_stop(&w->loop);
}

static void closing_takes_back_what_waits(void **state)
{
	static const struct stream_events floods = {
	        .on_ready = flood, .on_bytes = on_bytes, .on_gone = on_gone, .on_closed = on_closed};
	struct world *w = calloc(1, sizeof(*w));
	struct sockaddr_storage any;
	w->client.world = w;
	assert_int_equal(loop_init(&w->loop).code, ERR_NONE);
	assert_int_equal(address_parse("127.0.0.1:0", &any).code, ERR_NONE);
	assert_int_equal(listener_open(&w->listener, &w->loop, (struct sockaddr *)&any, true, 16).code, ERR_NONE);
	w->listener.on_connection = on_nobody;
	((struct sockaddr_in *)&any)->sin_port = htons(listener_port(&w->listener));
	stream_init(&w->client.stream, &w->loop, &floods);
	assert_int_equal(stream_connect(&w->client.stream, (struct sockaddr *)&any, NULL).code, ERR_NONE);
	loop_run(&w->loop);
	assert_true(w->client.closed);
	assert_true(w->waited > 1000000);
	assert_int_equal(w->loop.waiting_bytes, 0);
	loop_done(&w->loop);
	free(w);
}

static void refused_connection_is_reported(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	w->client.world = w->server.world = w;
	assert_int_equal(loop_init(&w->loop).code, ERR_NONE);
	struct sockaddr_storage any, nobody;
	assert_int_equal(address_parse("127.0.0.1:0", &any).code, ERR_NONE);
	assert_int_equal(address_parse("127.0.0.1:1", &nobody).code, ERR_NONE);
	assert_int_equal(listener_open(&w->listener, &w->loop, (struct sockaddr *)&any, true, 16).code, ERR_NONE);
	stream_init(&w->client.stream, &w->loop, &events);
	stream_init(&w->server.stream, &w->loop, &events);
	w->server.end = ERR_OF(CLOSED);
	assert_int_equal(stream_connect(&w->client.stream, (struct sockaddr *)&nobody, NULL).code, ERR_NONE);
	loop_run(&w->loop);
	assert_int_equal(w->client.end.code, ERR_NETWORK);
	assert_string_equal(w->client.end.what, "connection refused");
	loop_done(&w->loop);
	free(w);
}

static void addresses_are_parsed_strictly(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {{"0.0.0.0:80", true},       {"[::]:443", true},    {":8080", true},
	             {"*:8080", true},           {"127.0.0.1", false},  {"localhost:80", false},
	             {"127.0.0.1:65536", false}, {"127.0.0.1:", false}, {"127.0.0.1:+80", false},
	             {"::1:80", false},          {"[::1:80", false},    {"", false}};
	struct sockaddr_storage a;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(address_parse(cases[i].text, &a).code == ERR_NONE, cases[i].good);
}

static int make_certificate(void **state)
{
	assert_non_null(mkdtemp(directory));
	char command[500];
	snprintf(command, sizeof(command),
	         "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 2 -subj /CN=127.0.0.1 "
	         "-addext subjectAltName=IP:127.0.0.1 -keyout %s/key.pem -out %s/cert.pem 2>/dev/null",
	         directory, directory);
	return system(command);
}

static int remove_certificate(void **state)
{
	char command[100];
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(every_byte_comes_through_plain), cmocka_unit_test(every_byte_comes_through_tls),
	        cmocka_unit_test(closing_takes_back_what_waits),  cmocka_unit_test(refused_connection_is_reported),
	        cmocka_unit_test(addresses_are_parsed_strictly),
	};
	return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
