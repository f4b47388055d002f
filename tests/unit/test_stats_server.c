/* Statistics over HTTP: a loop in a thread of its own, asked over real sockets. */
#include "core/ops/stats_server.h"
#include "core/base/log.h"
#include "core/base/slice.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char *not_ready;
static bool draining;

static const char *reason(void *context)
{
	return not_ready;
}

static bool is_draining(void *context)
{
	return draining;
}

static struct fixture {
	struct loop loop;
	pthread_t thread;
	struct stats_server *server;
	struct settings *settings;
	struct metric_block *block;
	struct stats_source source;
	uint16_t port;
} f;

static void *run(void *arg)
{
	loop_run(&f.loop);
	return NULL;
}

static void start(const char *allow)
{
	static const char *const ops[] = {"certify", "none"};
	if (!f.block)
		metric_labels(METRIC_LABEL_OP, ops, 2);
	f = (struct fixture){.settings = settings_new(), .block = metric_block_new()};
	assert_true(settings_set_text(f.settings, SETTING_stats_address, "127.0.0.1:0", 11));
	if (allow) {
		f.settings->stats_allow = calloc(1, sizeof(char *));
		f.settings->stats_allow[f.settings->stats_allow_count++] = strdup(allow);
	}
	f.source = (struct stats_source){.node = "n1",
	                                 .version = "9.9",
	                                 .blocks = &f.block,
	                                 .block_count = 1,
	                                 .started = clock_now(),
	                                 .started_wall = clock_wall(),
	                                 .not_ready_reason = reason,
	                                 .is_draining = is_draining};
	assert_int_equal(loop_init(&f.loop).code, ERR_NONE);
	assert_int_equal(stats_server_open(&f.loop, f.settings, &f.source, &f.server).code, ERR_NONE);
	f.port = stats_server_port(f.server);
	assert_int_not_equal(f.port, 0);
	pthread_create(&f.thread, NULL, run, NULL);
}

static void close_all(void *arg)
{
	stats_server_close(f.server);
	loop_stop(&f.loop);
}

static void stop(void)
{
	assert_true(loop_post(&f.loop, close_all, NULL));
	pthread_join(f.thread, NULL);
	loop_done(&f.loop); /* checks that no connection is left */
	settings_free(f.settings);
	metric_block_free(f.block);
}

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(f.port)};
	struct timeval patience = {.tv_sec = 20};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until the other side closes; static memory. */
static const char *all(int fd)
{
	static char text[1024 * 1024];
	size_t used = 0;
	for (ssize_t n; used < sizeof(text) - 1 && (n = recv(fd, text + used, sizeof(text) - 1 - used, 0)) > 0;)
		used += (size_t)n;
	text[used] = 0;
	close(fd);
	return text;
}

static const char *ask(const char *request)
{
	int fd = dial();
	say(fd, request);
	return all(fd);
}

static const char *get(const char *path)
{
	char request[256];
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	return ask(request);
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;
	for (const char *at = text; (at = strstr(at, word)); at++)
		n++;
	return n;
}

#define assert_says(text, part) assert_non_null(strstr(text, part))

static void pages_are_served(void **state)
{
	start(NULL);
	metric_add(f.block, METRIC_requests, 0, EFFECT_OK, 42);
	const char *text = get("/stats");
	assert_says(text, "HTTP/1.1 200 OK\r\n");
	assert_says(text, "Content-Type: application/json\r\n");
	assert_says(text, "\"ok\": 42");
	text = get("/metrics?whatever=1");
	assert_says(text, "Content-Type: text/plain; version=0.0.4");
	assert_says(text, "rms_connector_requests_total{operation=\"certify\",effect=\"ok\"} 42\n");
	text = get("/"); /* for people */
	assert_says(text, "Content-Type: text/html; charset=utf-8\r\n");
	assert_says(text, "<h1>n1</h1>\n<p class=\"state good\">ready</p>");
	assert_says(text, "42 answered in the ordinary way");
	assert_says(text, "</html>\n");
	assert_says(get("/livez"), "\r\n\r\nok\n");
	stop();
}

static void readyz_follows_the_node(void **state)
{
	start(NULL);
	assert_says(get("/readyz"), "HTTP/1.1 200 OK");
	not_ready = "no upstream";
	assert_says(get("/readyz"), "HTTP/1.1 503 ");
	assert_says(get("/livez"), "HTTP/1.1 200 OK");
	assert_says(get("/stats"), "\"not_ready_reason\": \"no upstream\"");
	not_ready = NULL;
	draining = true;
	assert_says(get("/readyz"), "HTTP/1.1 503 ");
	assert_says(get("/stats"), "\"state\": \"draining\"");
	draining = false;
	stop();
}

static void other_requests_get_a_clear_answer(void **state)
{
	start(NULL);
	assert_says(get("/index.html"), "HTTP/1.1 404 ");
	assert_says(get("/stats/"), "HTTP/1.1 404 ");
	const char *text = ask("POST /stats HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
	assert_says(text, "HTTP/1.1 405 ");
	assert_says(text, "Allow: GET, HEAD\r\n");
	text = ask("HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_says(text, "Content-Length: 3\r\n");
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	assert_says(ask("GET /livez HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 "); /* no Host */
	assert_says(ask("GET /livez HTTP/1.1\r\nHost : x\r\n\r\n"), "HTTP/1.1 400 ");
	assert_says(ask("\x16\x03\x01"
	                "GET\r\n\r\n"),
	            "HTTP/1.1 400 ");
	assert_says(ask("GET /livez HTTP/1.0\r\nHost: x\r\n\r\n"), "Connection: close\r\n");
	stop();
}

static void a_head_that_is_too_large_is_refused(void **state)
{
	start(NULL);
	static char request[20000];
	int n = snprintf(request, sizeof(request), "GET /livez HTTP/1.1\r\nHost: x\r\nA: ");
	memset(request + n, 'a', sizeof(request) - 1 - (size_t)n);
	int fd = dial();
	send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
	assert_says(all(fd), "HTTP/1.1 431 ");
	stop();
}

static void connections_are_kept_and_pipelines_answered_in_order(void **state)
{
	start(NULL);
	int fd = dial();
	say(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\nGET /live");
	usleep(20000);
	say(fd, "z HTTP/1.1\r\nHost: x\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	const char *text = all(fd);
	assert_int_equal(count(text, "HTTP/1.1 200 OK"), 4);
	assert_true(strstr(text, "\r\n\r\nok\n") < strstr(text, "process_max_fds"));
	assert_says(text, "\r\n\r\nready\n");
	stop();
}

static void who_is_not_listed_gets_nothing(void **state)
{
	start("10.0.0.0/8");
	uint64_t before = log_count(EVENT_STATS_REFUSED);
	assert_string_equal(get("/livez"), "");
	assert_int_equal(log_count(EVENT_STATS_REFUSED), before + 1);
	stop();
	start("127.0.0.0/8");
	assert_says(get("/livez"), "HTTP/1.1 200 OK");
	stop();
}

static void connections_are_bounded(void **state)
{
	start(NULL);
	enum { MANY = 80 };
	static const char request[] = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	int fds[MANY], served = 0;
	for (int i = 0; i < MANY; i++)
		fds[i] = dial();
	for (int i = 0; i < MANY; i++)
		(void)send(fds[i], request, strlen(request), MSG_NOSIGNAL); /* some are closed already */
	for (int i = 0; i < MANY; i++)
		served += strstr(all(fds[i]), "200 OK") != NULL;
	assert_in_range(served, 64, MANY - 1);
	bool recovered = false;
	for (int i = 0; i < 500 && !recovered; i++, usleep(10000)) /* the ends of the others are on their way */
		recovered = strstr(get("/livez"), "HTTP/1.1 200 OK") != NULL;
	assert_true(recovered);
	stop();
}

static void open_connections_do_not_hold_up_the_end(void **state)
{
	start(NULL);
	int fd = dial();
	say(fd, "GET /liv");
	usleep(20000);
	stop();
	assert_string_equal(all(fd), "");
}

static void everybody_off_loopback_is_refused_at_start(void **state)
{
	struct loop loop;
	struct settings *s = settings_new();
	struct stats_server *server = NULL;
	assert_int_equal(loop_init(&loop).code, ERR_NONE);
	assert_true(settings_set_text(s, SETTING_stats_address, "0.0.0.0:0", 9));
	struct err e = stats_server_open(&loop, s, &f.source, &server);
	assert_int_equal(e.code, ERR_SETTINGS);
	assert_non_null(strstr(e.what, "stats.address"));
	assert_null(server);
	assert_true(settings_set_text(s, SETTING_stats_address, "", 0));
	assert_int_equal(stats_server_open(&loop, s, &f.source, &server).code, ERR_NONE);
	assert_null(server);
	settings_free(s);
	loop_stop(&loop);
	loop_run(&loop);
	loop_done(&loop);
}

static void an_address_in_use_is_told(void **state)
{
	start(NULL);
	struct loop loop;
	struct settings *s = settings_new();
	struct stats_server *server = NULL;
	char address[32];
	snprintf(address, sizeof(address), "127.0.0.1:%u", f.port);
	assert_int_equal(loop_init(&loop).code, ERR_NONE);
	assert_true(settings_set_text(s, SETTING_stats_address, address, strlen(address)));
	struct err e = stats_server_open(&loop, s, &f.source, &server);
	assert_int_equal(e.code, ERR_NETWORK);
	assert_non_null(strstr(e.what, "stats.address: the address is in use"));
	settings_free(s);
	loop_stop(&loop);
	loop_run(&loop);
	loop_done(&loop);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(pages_are_served),
	        cmocka_unit_test(readyz_follows_the_node),
	        cmocka_unit_test(other_requests_get_a_clear_answer),
	        cmocka_unit_test(a_head_that_is_too_large_is_refused),
	        cmocka_unit_test(connections_are_kept_and_pipelines_answered_in_order),
	        cmocka_unit_test(who_is_not_listed_gets_nothing),
	        cmocka_unit_test(connections_are_bounded),
	        cmocka_unit_test(open_connections_do_not_hold_up_the_end),
	        cmocka_unit_test(everybody_off_loopback_is_refused_at_start),
	        cmocka_unit_test(an_address_in_use_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
