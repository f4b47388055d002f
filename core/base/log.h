/* Events an administrator should know: rows in events.def, each with a number. To standard error in words, or as JSON lines to log.events_file; the last
 * ones stay in memory for /stats. Any thread; takes a lock, so nothing on the way of a request calls it for the ordinary. */
#pragma once
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum event_level { LEVEL_ERROR = 3, LEVEL_WARNING = 4, LEVEL_INFO = 6 }; /* syslog's numbers */

enum event_id {
#define EVENT(number, level, name, text) EVENT_##name,
#include "core/base/events.def"
#undef EVENT
	EVENT_COUNT
};

struct event_row {
	unsigned number;
	enum event_level level;
	const char *name, *text; /* "STARTED", "service started" */
};

const struct event_row *event_row(enum event_id id);
const char *event_level_name(enum event_level level); /* "Information", "Warning", "Error" */

/* Before it, events go to standard error. node: copied. events_file: NULL or empty for standard error, where a failed start
 * and the test switch are told in any case. When the file cannot be opened: ERR_FILE, and
 * standard error is used. */
struct err log_open(const char *node, const char *events_file);
/* Opens the file again (SIGUSR1, after it was moved away). */
struct err log_reopen(void);
void log_close(void);

/* The row's text, then the details. Of one event at most LOG_BURST are written in a minute; the rest is counted and told by the next one or by
 * log_tick(). Secrets never go in here. */
bool event_log(enum event_id id, const char *format, ...) PRINTF_LIKE(2, 3); /* false: left out */
/* Further lines of an event that event_log() has just written, when one is too short: neither limited nor counted, nor among the last events. */
void event_log_more(enum event_id id, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same without that limit, for callers who have their own: what is told once for each account must not get lost among others. */
void event_log_each(enum event_id id, const char *format, ...) PRINTF_LIKE(2, 3);
/* Once a second or so, by the main thread: tells what was left out when its minute is over. */
void log_tick(void);

enum { LOG_BURST = 10, LOG_RECENT = 32, LOG_RECENT_TEXT = 232 };

struct log_event {
	usec_t wall;
	enum event_id id;
	char text[LOG_RECENT_TEXT]; /* without the time; cut when longer */
};

/* The last events, newest first; returns how many. */
size_t log_recent(struct log_event *out, size_t max);
/* How often this event happened since the start, written or not. */
uint64_t log_count(enum event_id id);
