#include "core/base/log.h"
#include "core/base/json_line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct event_row rows[EVENT_COUNT] = {
#define EVENT(number, level, name, text) {number, LEVEL_##level, #name, text},
#include "core/base/events.def"
#undef EVENT
};

enum { TEXT_BYTES = 1024, LINE_BYTES = 4096, WINDOW_US = 60 * 1000 * 1000 };

/* One log for the process: events come from every corner, and there is one standard error. All of it under the lock. */
static struct {
	pthread_mutex_t lock;
	char node[65];
	char *path;
	int fd; /* of the events file; -1: standard error */
	bool file_failed;
	struct event_rate {
		usec_t window_start;
		unsigned written;
		uint64_t left_out, total;
	} rates[EVENT_COUNT];
	struct log_event recent[LOG_RECENT];
	uint64_t recent_total;
} the_log = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

const struct event_row *event_row(enum event_id id)
{
	return &rows[id < EVENT_COUNT ? id : EVENT_INTERNAL_ERROR];
}

const char *event_level_name(enum event_level level)
{
	return level == LEVEL_ERROR ? "Error" : level == LEVEL_WARNING ? "Warning" : "Information";
}

/* One write for one line, so that lines of several threads or processes never mix. A pipe or socket that nobody reads would hold up a worker: the
 * line is lost then (a pipe that polls as writable takes a whole line at once). */
static bool write_line(int fd, const char *line, size_t n)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	if (poll(&room, 1, 0) == 0) {
		errno = EAGAIN;
		return false;
	}
	ssize_t written;
	do
		written = write(fd, line, n);
	while (written < 0 && errno == EINTR);
	return written == (ssize_t)n;
}

static void to_stderr(usec_t wall, const struct event_row *row, const char *text)
{
	char line[LINE_BYTES], time[25], prefix[8] = "";
	clock_format(wall, time);
	/* Under systemd the journal takes the level from here; it keeps time by itself, but a copied line should tell it too. */
	if (getenv("JOURNAL_STREAM"))
		snprintf(prefix, sizeof(prefix), "<%d>", (int)row->level);
	int n = snprintf(line, sizeof(line) - 1, "%s%s %s %u %s", prefix, time, event_level_name(row->level),
	                 row->number, text);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
	line[len] = '\n';
	(void)!write_line(STDERR_FILENO, line, len + 1);
}

static bool to_file(usec_t wall, const struct event_row *row, const char *text)
{
	char line[LINE_BYTES];
	struct json_line j;
	json_line_begin(&j, line, sizeof(line));
	json_line_time(&j, "time", wall);
	json_line_text(&j, "source", SLICE("rms-connector"));
	json_line_u64(&j, "event", row->number);
	json_line_text(&j, "level", slice_str(event_level_name(row->level)));
	json_line_text(&j, "node", slice_str(the_log.node));
	json_line_text(&j, "text", slice_str(text));
	return write_line(the_log.fd, line, json_line_end(&j));
}

static void remember(usec_t wall, enum event_id id, const char *text)
{
	struct log_event *e = &the_log.recent[the_log.recent_total++ % LOG_RECENT];
	e->wall = wall;
	e->id = id;
	size_t n = strnlen(text, sizeof(e->text));
	if (n == sizeof(e->text)) {
		n = sizeof(e->text) - 4;
		while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--; /* not inside a UTF-8 sequence */
		memcpy(e->text, text, n);
		memcpy(e->text + n, "...", 4);
	} else {
		memcpy(e->text, text, n + 1);
	}
}

/* Whoever starts the program by hand must see these, wherever the other events go. */
static bool is_for_eyes_too(enum event_id id)
{
	return id == EVENT_START_FAILED || id == EVENT_AUTHENTICATION_OFF;
}

static void write_event(usec_t wall, enum event_id id, const char *text)
{
	const struct event_row *row = &rows[id];
	if (the_log.fd >= 0 && is_for_eyes_too(id))
		to_stderr(wall, row, text);
	if (the_log.fd >= 0 && to_file(wall, row, text)) {
		the_log.file_failed = false;
		return;
	}
	if (the_log.fd >= 0 && !the_log.file_failed) {
		char why[TEXT_BYTES];
		the_log.file_failed = true;
		snprintf(why, sizeof(why), "%s: %s: %s", rows[EVENT_EVENTS_FILE_FAILED].text, the_log.path,
		         strerror(errno));
		to_stderr(wall, &rows[EVENT_EVENTS_FILE_FAILED], why);
		remember(wall, EVENT_EVENTS_FILE_FAILED, why);
	}
	if (the_log.fd < 0 || !is_for_eyes_too(id))
		to_stderr(wall, row, text);
}

static void emit(enum event_id id, const char *text)
{
	usec_t wall = clock_wall();
	remember(wall, id, text);
	write_event(wall, id, text);
}

static void tell_left_out(enum event_id id)
{
	struct event_rate *rate = &the_log.rates[id];
	char text[TEXT_BYTES];
	snprintf(text, sizeof(text), "%s: and %llu more in the last minute", rows[id].text,
	         (unsigned long long)rate->left_out);
	rate->left_out = 0;
	emit(id, text);
}

static bool may_write(enum event_id id, usec_t now)
{
	struct event_rate *rate = &the_log.rates[id];
	rate->total++;
	if (rate->written == 0 || now - rate->window_start >= WINDOW_US) {
		if (rate->left_out)
			tell_left_out(id);
		rate->window_start = now;
		rate->written = 0;
	}
	if (rate->written == LOG_BURST) {
		rate->left_out++;
		return false;
	}
	rate->written++;
	return true;
}

/* Details may hold what a stranger sent: no byte of them may end the line or steer a terminal. JSON escapes by itself. */
static void make_harmless(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

PRINTF_LIKE(3, 0)
static void make_text(enum event_id id, char text[static TEXT_BYTES], const char *format, va_list args)
{
	size_t n = (size_t)snprintf(text, TEXT_BYTES, "%s: ", rows[id].text);
	vsnprintf(text + n, TEXT_BYTES - n, format, args);
	make_harmless(text);
}

bool event_log(enum event_id id, const char *format, ...)
{
	CHECK(id < EVENT_COUNT);
	int saved = errno;
	va_list args;
	va_start(args, format);
	pthread_mutex_lock(&the_log.lock);
	bool written = may_write(id, clock_now());
	if (written) {
		char text[TEXT_BYTES];
		make_text(id, text, format, args);
		emit(id, text);
	}
	pthread_mutex_unlock(&the_log.lock);
	va_end(args);
	errno = saved;
	return written;
}

void event_log_each(enum event_id id, const char *format, ...)
{
	CHECK(id < EVENT_COUNT);
	int saved = errno;
	char text[TEXT_BYTES];
	va_list args;
	va_start(args, format);
	pthread_mutex_lock(&the_log.lock);
	the_log.rates[id].total++;
	make_text(id, text, format, args);
	emit(id, text);
	pthread_mutex_unlock(&the_log.lock);
	va_end(args);
	errno = saved;
}

void event_log_more(enum event_id id, const char *format, ...)
{
	CHECK(id < EVENT_COUNT);
	int saved = errno;
	char text[TEXT_BYTES];
	va_list args;
	va_start(args, format);
	pthread_mutex_lock(&the_log.lock);
	make_text(id, text, format, args);
	write_event(clock_wall(), id, text);
	pthread_mutex_unlock(&the_log.lock);
	va_end(args);
	errno = saved;
}

void log_tick(void)
{
	usec_t now = clock_now();
	pthread_mutex_lock(&the_log.lock);
	for (unsigned id = 0; id < EVENT_COUNT; id++)
		if (the_log.rates[id].left_out && now - the_log.rates[id].window_start >= WINDOW_US)
			tell_left_out(id);
	pthread_mutex_unlock(&the_log.lock);
}

static struct err open_file(void)
{
	int fd = open(the_log.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd < 0)
		return ERR_OF(FILE, .sys = errno, .what = "log.events_file cannot be opened for writing");
	if (the_log.fd >= 0)
		close(the_log.fd);
	the_log.fd = fd;
	the_log.file_failed = false;
	return OK;
}

struct err log_open(const char *node, const char *events_file)
{
	struct err e = OK;
	pthread_mutex_lock(&the_log.lock);
	snprintf(the_log.node, sizeof(the_log.node), "%s", node ? node : "");
	if (events_file && *events_file) {
		free(the_log.path);
		the_log.path = strdup(events_file);
		e = the_log.path ? open_file() : ERR_OF(NO_MEMORY);
	}
	pthread_mutex_unlock(&the_log.lock);
	return e;
}

struct err log_reopen(void)
{
	pthread_mutex_lock(&the_log.lock);
	struct err e = the_log.path ? open_file() : OK;
	pthread_mutex_unlock(&the_log.lock);
	return e;
}

void log_close(void)
{
	pthread_mutex_lock(&the_log.lock);
	for (unsigned id = 0; id < EVENT_COUNT; id++)
		if (the_log.rates[id].left_out)
			tell_left_out(id);
	if (the_log.fd >= 0)
		close(the_log.fd);
	the_log.fd = -1;
	free(the_log.path);
	the_log.path = NULL;
	pthread_mutex_unlock(&the_log.lock);
}

size_t log_recent(struct log_event *out, size_t max)
{
	pthread_mutex_lock(&the_log.lock);
	uint64_t have = the_log.recent_total < LOG_RECENT ? the_log.recent_total : LOG_RECENT;
	size_t n = have < max ? (size_t)have : max;
	for (size_t i = 0; i < n; i++)
		out[i] = the_log.recent[(the_log.recent_total - 1 - i) % LOG_RECENT];
	pthread_mutex_unlock(&the_log.lock);
	return n;
}

uint64_t log_count(enum event_id id)
{
	pthread_mutex_lock(&the_log.lock);
	uint64_t n = the_log.rates[id].total;
	pthread_mutex_unlock(&the_log.lock);
	return n;
}
