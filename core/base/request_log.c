#include "core/base/request_log.h"
#include "core/base/check.h"
#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*   worker: buffer.chunk --full or a second--> log.queue --> thread: write() --> log.spare --> next buffer.chunk
 *   Chunks in all these places together: log.chunks, at most REQUEST_LOG_CHUNKS. */
struct chunk {
	struct chunk *next;
	uint32_t len, lines;
	char bytes[REQUEST_LOG_CHUNK_BYTES];
};

enum { SPARE_CHUNKS = 4 }; /* kept for reuse; more are given back after a burst */

struct request_log {
	pthread_t thread;
	pthread_mutex_t lock; /* for all to fd; a worker holds it for a few stores, once in 64 KiB or a second */
	pthread_cond_t work;
	struct chunk *queue, **queue_end, *spare;
	unsigned chunks, spares;
	bool reopen, ending;
	/* the thread's own */
	int fd;
	bool failing, torn;
	uint64_t lost_in_outage;
	/* atomics */
	uint64_t lines, dropped;
	char path[];
};

struct request_log_buffer {
	struct request_log *log;
	struct chunk *chunk;
};

static void count(uint64_t *cell, uint64_t n)
{
	if (n)
		__atomic_fetch_add(cell, n, __ATOMIC_RELAXED);
}

/* ---- the thread ---- */

static int open_path(const char *path)
{
	/* O_NONBLOCK: opening a FIFO that nobody reads must not hang. */
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

/* How much of the bytes the file took; less than n when it failed, with errno. */
static size_t write_all(int fd, const char *bytes, size_t n)
{
	size_t done = 0;
	bool waited = false;
	while (done < n) {
		ssize_t w = write(fd, bytes + done, n - done);
		if (w > 0) {
			done += (size_t)w;
			waited = false;
		} else if (w < 0 && errno == EAGAIN && !waited) {
			waited = true;
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 1000);
		} else if (w == 0 || errno != EINTR) {
			break;
		}
	}
	return done;
}

/* A line of which only a part was written is taken back, or else ended when writing works again: no line is ever mixed with another. */
static void take_back(struct request_log *log, size_t bytes)
{
	struct stat s;
	log->torn = bytes && !(fstat(log->fd, &s) == 0 && S_ISREG(s.st_mode) && s.st_size >= (off_t)bytes &&
	                       ftruncate(log->fd, s.st_size - (off_t)bytes) == 0);
}

static void failed(struct request_log *log, uint64_t lines, int error)
{
	count(&log->dropped, lines);
	log->lost_in_outage += lines;
	if (!log->failing)
		event_log(EVENT_REQUEST_LOG_FAILED, "%s: %s", log->path, strerror(error));
	log->failing = true;
}

static void recovered(struct request_log *log)
{
	event_log(EVENT_REQUEST_LOG_RECOVERED, "%s: %llu lines were lost", log->path,
	          (unsigned long long)log->lost_in_outage);
	log->failing = false;
	log->lost_in_outage = 0;
}

static uint32_t count_lines(const char *bytes, size_t n, size_t *whole)
{
	uint32_t lines = 0;
	*whole = 0;
	for (const char *at = bytes, *hit; (hit = memchr(at, '\n', n - (size_t)(at - bytes))); at = hit + 1) {
		lines++;
		*whole = (size_t)(hit + 1 - bytes);
	}
	return lines;
}

static void write_chunk(struct request_log *log, struct chunk *c)
{
	if (c->len == 0)
		return;
	if (log->torn && write_all(log->fd, "\n", 1) == 1)
		log->torn = false;
	size_t done = log->torn ? 0 : write_all(log->fd, c->bytes, c->len);
	if (done == c->len) {
		count(&log->lines, c->lines);
		if (log->failing)
			recovered(log);
		return;
	}
	int error = errno;
	size_t whole = 0;
	uint32_t written = count_lines(c->bytes, done, &whole);
	if (done > whole)
		take_back(log, done - whole);
	count(&log->lines, written);
	failed(log, c->lines - written, error);
}

static void reopen(struct request_log *log)
{
	int fd = open_path(log->path);
	if (fd < 0) {
		failed(log, 0, errno); /* the old file is kept: better a line in the wrong file than none */
		return;
	}
	close(log->fd);
	log->fd = fd;
	log->torn = false;
}

static void *run(void *arg)
{
	struct request_log *log = arg;
	pthread_mutex_lock(&log->lock);
	for (;;) {
		struct chunk *todo = log->queue;
		log->queue = NULL;
		log->queue_end = &log->queue;
		bool reopening = log->reopen, ending = log->ending;
		log->reopen = false;
		if (!todo && !reopening) {
			if (ending)
				break;
			pthread_cond_wait(&log->work, &log->lock);
			continue;
		}
		pthread_mutex_unlock(&log->lock);
		for (struct chunk *c = todo; c; c = c->next)
			write_chunk(log, c);
		if (reopening)
			reopen(log);
		pthread_mutex_lock(&log->lock);
		while (todo) {
			struct chunk *c = todo;
			todo = c->next;
			if (log->spares < SPARE_CHUNKS) {
				c->next = log->spare;
				log->spare = c;
				log->spares++;
			} else {
				free(c);
				log->chunks--;
			}
		}
	}
	pthread_mutex_unlock(&log->lock);
	return NULL;
}

static int start_thread(struct request_log *log)
{
	/* Signals are for the main thread; a write to a broken pipe or beyond a file size limit is an error like others. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&log->thread, NULL, run, log);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

struct err request_log_new(const char *path, struct request_log **out)
{
	*out = NULL;
	if (!path || !*path)
		return OK;
	size_t n = strlen(path) + 1;
	struct request_log *log = calloc(1, sizeof(*log) + n);
	if (!log)
		return ERR_OF(NO_MEMORY);
	memcpy(log->path, path, n);
	log->queue_end = &log->queue;
	log->fd = open_path(path);
	if (log->fd < 0) {
		int error = errno;
		free(log);
		return ERR_OF(FILE, .sys = error, .what = "log.requests_file cannot be opened for writing");
	}
	pthread_mutex_init(&log->lock, NULL);
	pthread_cond_init(&log->work, NULL);
	int error = start_thread(log);
	if (error) {
		close(log->fd);
		free(log);
		return ERR_OF(SYSTEM, .sys = error, .what = "the thread of the request log could not be started");
	}
	*out = log;
	return OK;
}

static void signal_thread(struct request_log *log, bool *flag)
{
	pthread_mutex_lock(&log->lock);
	*flag = true;
	pthread_cond_signal(&log->work);
	pthread_mutex_unlock(&log->lock);
}

void request_log_free(struct request_log *log)
{
	if (!log)
		return;
	signal_thread(log, &log->ending);
	pthread_join(log->thread, NULL);
	while (log->spare) {
		struct chunk *c = log->spare;
		log->spare = c->next;
		free(c);
	}
	close(log->fd);
	pthread_mutex_destroy(&log->lock);
	pthread_cond_destroy(&log->work);
	free(log);
}

void request_log_reopen(struct request_log *log)
{
	if (log)
		signal_thread(log, &log->reopen);
}

uint64_t request_log_lines(const struct request_log *log)
{
	return log ? __atomic_load_n(&log->lines, __ATOMIC_RELAXED) : 0;
}

uint64_t request_log_dropped(const struct request_log *log)
{
	return log ? __atomic_load_n(&log->dropped, __ATOMIC_RELAXED) : 0;
}

/* ---- a worker's buffer ---- */

struct request_log_buffer *request_log_buffer_new(struct request_log *log)
{
	struct request_log_buffer *b = log ? calloc(1, sizeof(*b)) : NULL;
	if (b)
		b->log = log;
	return b;
}

static struct chunk *take_chunk(struct request_log *log)
{
	pthread_mutex_lock(&log->lock);
	struct chunk *c = log->spare;
	bool may_make = !c && log->chunks < REQUEST_LOG_CHUNKS;
	if (c) {
		log->spare = c->next;
		log->spares--;
	} else if (may_make) {
		log->chunks++;
	}
	pthread_mutex_unlock(&log->lock);
	if (may_make && !(c = malloc(sizeof(*c)))) {
		pthread_mutex_lock(&log->lock);
		log->chunks--;
		pthread_mutex_unlock(&log->lock);
	}
	if (c)
		c->len = c->lines = 0;
	return c;
}

static void hand_over(struct request_log_buffer *b)
{
	struct request_log *log = b->log;
	struct chunk *c = b->chunk;
	b->chunk = NULL;
	c->next = NULL;
	pthread_mutex_lock(&log->lock);
	*log->queue_end = c;
	log->queue_end = &c->next;
	pthread_cond_signal(&log->work);
	pthread_mutex_unlock(&log->lock);
}

char *request_log_reserve(struct request_log_buffer *b, size_t bytes)
{
	if (!b)
		return NULL;
	if (b->chunk && bytes > REQUEST_LOG_CHUNK_BYTES - b->chunk->len)
		hand_over(b);
	if (!b->chunk && (bytes > REQUEST_LOG_CHUNK_BYTES || !(b->chunk = take_chunk(b->log)))) {
		count(&b->log->dropped, 1);
		return NULL;
	}
	return b->chunk->bytes + b->chunk->len;
}

void request_log_commit(struct request_log_buffer *b, size_t bytes)
{
	CHECK(b->chunk && bytes <= REQUEST_LOG_CHUNK_BYTES - b->chunk->len);
	b->chunk->len += (uint32_t)bytes;
	b->chunk->lines++;
}

void request_log_tick(struct request_log_buffer *b)
{
	if (b && b->chunk && b->chunk->len)
		hand_over(b);
}

void request_log_buffer_free(struct request_log_buffer *b)
{
	if (!b)
		return;
	if (b->chunk)
		hand_over(b);
	free(b);
}
