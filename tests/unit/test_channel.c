/* A framed Unix socket: frames come whole however they are cut, too long ones break the connection, and a broken one is made anew. */
#include "core/net/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { FRAME_MAX = 1000, WAITING_MAX = 3 * 1024 * 1024, FRAMES = 40 };

static struct world {
	struct loop loop;
	struct channel channel;
	char path[64];
	int listening;
	unsigned ups, downs, frames, next;
	const char *why;
	bool refuse, closed, stranger;
} w;

static void on_up(struct channel *c)
{
	w.ups++;
	w.next = 0;
}

/* Frame number i is 4 + i * 24 bytes, each of them i. */
static const char *on_frame(struct channel *c, struct slice frame)
{
	assert_int_equal(frame.len, 4 + w.next * 24);
	for (size_t i = 4; i < frame.len; i++)
		assert_int_equal((uint8_t)frame.at[i], w.next);
	w.frames++;
	w.next++;
	return w.refuse ? "not this one" : NULL;
}

static void on_down(struct channel *c, const char *why)
{
	w.downs++;
	w.why = why;
}

static void on_closed(struct channel *c)
{
	w.closed = true;
	loop_stop(&w.loop);
}

static bool trusts(const struct channel *c, uid_t who)
{
	assert_int_equal(who, geteuid());
	return !w.stranger;
}

static const struct channel_events events = {on_up, on_frame, on_down, on_closed, trusts};

static void run_until(const bool *done, unsigned *counter, unsigned wanted)
{
	for (int turns = 0; turns < 100 && (done ? !*done : *counter < wanted); turns++) {
		uv_run(&w.loop.uv, UV_RUN_ONCE); /* the loop's own tick bounds each turn to 100 ms */
	}
	assert_true(done ? *done : *counter >= wanted);
}

static void listen_again(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", w.path);
	unlink(w.path);
	w.listening = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(w.listening, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(w.listening, 8), 0);
}

static int begin(void **state)
{
	w = (struct world){0};
	snprintf(w.path, sizeof(w.path), "/tmp/test_channel.%d", (int)getpid());
	listen_again();
	assert_int_equal(loop_init(&w.loop).code, ERR_NONE);
	assert_int_equal(channel_open(&w.channel, &w.loop, w.path, FRAME_MAX, WAITING_MAX, &events).code, ERR_NONE);
	run_until(NULL, &w.ups, 1);
	return 0;
}

static int end(void **state)
{
	channel_close(&w.channel);
	channel_close(&w.channel);
	loop_run(&w.loop);
	assert_true(w.closed);
	loop_done(&w.loop);
	close(w.listening);
	unlink(w.path);
	return 0;
}

static size_t all_frames(char *out)
{
	size_t n = 0;
	for (unsigned i = 0; i < FRAMES; i++) {
		unsigned rest = i * 24;
		memcpy(out + n, &(uint32_t){rest}, 4);
		memset(out + n + 4, (int)i, rest);
		n += 4 + rest;
	}
	return n;
}

static void frames_come_whole_however_they_are_cut(void **state)
{
	static char bytes[FRAMES * FRAME_MAX];
	size_t n = all_frames(bytes);
	static const size_t cuts[] = {1, 3, 4, 5, 7, 27, 100, 999, 5000, 100000};
	int fd = accept(w.listening, NULL, NULL);
	for (size_t k = 0; k < ARRAY_COUNT(cuts); k++) {
		w.next = 0;
		for (size_t at = 0; at < n; at += cuts[k]) {
			size_t piece = n - at < cuts[k] ? n - at : cuts[k];
			assert_int_equal(write(fd, bytes + at, piece), piece);
			uv_run(&w.loop.uv, UV_RUN_NOWAIT);
		}
		run_until(NULL, &w.frames, FRAMES * (unsigned)(k + 1));
		assert_int_equal(w.frames, FRAMES * (k + 1));
		assert_null(w.channel.in); /* nothing is held while nothing comes */
	}
	assert_int_equal(w.downs, 0);
	close(fd);
}

static void nothing_is_said_to_a_process_that_is_not_trusted(void **state)
{
	char byte;
	int fd = accept(w.listening, NULL, NULL);
	unsigned ups = w.ups;
	w.stranger = true;
	close(fd);
	run_until(NULL, &w.downs, 2);
	assert_string_equal(w.why, "another user's process listens there");
	assert_int_equal(w.ups, ups);
	fd = accept(w.listening, NULL, NULL);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
	w.stranger = false;
	run_until(NULL, &w.ups, ups + 1);
}

static void what_breaks_a_rule_ends_the_connection_and_it_is_made_anew(void **state)
{
	static const char too_long[] = {(char)0xe5, 3, 0, 0}; /* 997 and 4 */
	int fd = accept(w.listening, NULL, NULL);
	assert_int_equal(write(fd, too_long, 4), 4);
	run_until(NULL, &w.ups, 2);
	assert_string_equal(w.why, "it sent a message that is too long");
	close(fd);
	fd = accept(w.listening, NULL, NULL);
	w.refuse = true;
	assert_int_equal(write(fd, "\0\0\0\0", 4), 4);
	run_until(NULL, &w.ups, 3);
	assert_string_equal(w.why, "not this one");
	close(fd);
	w.refuse = false;
	fd = accept(w.listening, NULL, NULL);
	close(fd); /* the other process ended */
	run_until(NULL, &w.ups, 4);
	assert_string_equal(w.why, "it closed the connection");
	assert_int_equal(w.downs, 3);
}

static void nobody_listens_for_a_while(void **state)
{
	close(w.listening);
	int fd = accept(w.listening, NULL, NULL);
	assert_int_equal(fd, -1);
	unlink(w.path);
	run_until(NULL, &w.downs, 4); /* each try is told */
	assert_false(channel_is_up(&w.channel));
	char *frame = channel_frame(10);
	assert_false(channel_send(&w.channel, frame, 10));
	listen_again();
	run_until(NULL, &w.ups, 2);
	assert_true(channel_is_up(&w.channel));
}

static void what_is_sent_arrives_and_is_bounded(void **state)
{
	enum { BYTES = 100000 };
	int fd = accept(w.listening, NULL, NULL);
	size_t taken = 0, got = 0;
	for (;;) {
		char *frame = channel_frame(BYTES);
		memset(frame, (int)(taken % 251), BYTES);
		if (!channel_send(&w.channel, frame, BYTES))
			break;
		taken++;
	}
	assert_in_range(taken * BYTES, WAITING_MAX - BYTES, WAITING_MAX + 1024 * 1024);
	static char in[65536];
	while (got < taken * BYTES) {
		ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal((uint8_t)in[i], (got + (size_t)i) / BYTES % 251);
		if (n > 0)
			got += (size_t)n;
		uv_run(&w.loop.uv, UV_RUN_NOWAIT);
	}
	assert_int_equal(w.channel.waiting_bytes, 0);
	close(fd);
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
	struct channel other;
	char path[CHANNEL_PATH_BYTES + 1];
	memset(path, 'x', CHANNEL_PATH_BYTES);
	path[CHANNEL_PATH_BYTES] = 0;
	assert_int_equal(channel_open(&other, &w.loop, path, FRAME_MAX, WAITING_MAX, &events).code, ERR_SETTINGS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(frames_come_whole_however_they_are_cut, begin, end),
	        cmocka_unit_test_setup_teardown(nothing_is_said_to_a_process_that_is_not_trusted, begin, end),
	        cmocka_unit_test_setup_teardown(what_breaks_a_rule_ends_the_connection_and_it_is_made_anew, begin, end),
	        cmocka_unit_test_setup_teardown(nobody_listens_for_a_while, begin, end),
	        cmocka_unit_test_setup_teardown(what_is_sent_arrives_and_is_bounded, begin, end),
	        cmocka_unit_test_setup_teardown(a_path_that_does_not_fit_is_refused, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
