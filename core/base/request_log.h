/* The request log: lines of all workers to one file, by one thread of its own. A worker fills its buffer and hands it over when full or each second; it
 * never waits: what the disk does not take is dropped and counted. With a NULL log everything below does nothing, at no cost. */
#pragma once
#include "core/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct request_log;
struct request_log_buffer; /* one worker's; used by its thread only */

enum {
	REQUEST_LOG_CHUNK_BYTES = 64 * 1024,
	REQUEST_LOG_CHUNKS = 64, /* at most, of all workers together: 4 MiB that wait for a slow disk */
	REQUEST_LOG_TICK_MS = 1000,
};

/* Main thread. path: appended to, made with mode 0640; empty or NULL: *out = NULL, no log. Fails with ERR_FILE and words when it cannot be opened. */
struct err request_log_new(const char *path, struct request_log **out);
/* Writes what waits, ends the thread. Buffers must be freed before. */
void request_log_free(struct request_log *log);
/* Any thread, also on SIGUSR1 by way of the loop: the file is opened again, by the log's thread, after what waits now. */
void request_log_reopen(struct request_log *log);
/* Since the start; any thread. */
uint64_t request_log_lines(const struct request_log *log);
uint64_t request_log_dropped(const struct request_log *log);

/* NULL when log is NULL or there is no memory: then nothing is logged. Memory for lines is taken at the first line. */
struct request_log_buffer *request_log_buffer_new(struct request_log *log);
/* Hands over what it holds. */
void request_log_buffer_free(struct request_log_buffer *b);

/* Room for one line of at most `bytes` (up to REQUEST_LOG_CHUNK_BYTES); write there, then commit what was written, with its newline. NULL: the line is
 * dropped and counted, commit nothing. */
char *request_log_reserve(struct request_log_buffer *b, size_t bytes);
void request_log_commit(struct request_log_buffer *b, size_t bytes);
/* Each second: hands over lines that have waited. */
void request_log_tick(struct request_log_buffer *b);
