/* One libuv loop and the buffers every connection of its thread shares. Owned by its thread; loop_post() is the only call that crosses
 * threads. Writes of a turn are gathered in `out` and sent back to back before the loop sleeps: 4 to 6 % less CPU than one at a time. */
#pragma once
#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/list.h"

#include <pthread.h>
#include <uv.h>

enum {
	/* One recv: measured best for large bodies, indifferent for small. */
	LOOP_READ_BYTES = 256 * 1024,
	/* Writable bytes before what on_bytes hands out: a new head goes there, so the body never moves. And behind it: the end of a chunk. */
	LOOP_HEADROOM = 4 * 1024,
	LOOP_TAILROOM = 1024,
	/* What one recv can decrypt to, with a record that began in an earlier one. */
	LOOP_PLAIN_BYTES = LOOP_READ_BYTES + 17 * 1024,
	LOOP_OUT_BYTES = 288 * 1024,
	LOOP_NOTES = 512,
};

struct stream;

struct loop {
	uv_loop_t uv;
	pthread_t thread;
	char *plain_block; /* LOOP_HEADROOM + LOOP_PLAIN_BYTES + LOOP_TAILROOM */
	char *plain;       /* plain_block + LOOP_HEADROOM */
	char *cipher;      /* LOOP_READ_BYTES, for TLS input */
	/* TLS: one BIO serves all connections of the loop; it moves the bytes of `turn`, and reads only what belongs to `input_of`. */
	void *bio;
	struct stream *turn, *input_of;
	const char *input;
	size_t input_len;
	/* Writes gathered in this turn. */
	char *out;
	size_t out_len;
	struct write_note {
		struct stream *stream;
		size_t at, len;
	} notes[LOOP_NOTES];
	size_t note_count;
	size_t waiting_bytes; /* of all streams: what the kernel has not taken, in memory */
	uv_prepare_t
	        before_poll; /* runs after all callbacks of a turn, also timers and closings: sends what was gathered */
	uv_timer_t tick;     /* coarse deadlines: one timer for all */
	struct list deadline_queues;
	uv_async_t wake;                  /* work from other threads */
	void (*on_woken)(struct loop *l); /* after each wake-up; NULL: nobody wants to know. Set before the loop runs */
	pthread_mutex_t posted_lock;
	struct list posted;
	bool closing;
	uint32_t open_streams; /* whose handle is not closed yet */
};

struct err loop_init(struct loop *l);
/* Runs until loop_stop() was called and every handle is closed. */
void loop_run(struct loop *l);
/* Closes the loop's own handles; the owner closes its streams and listeners. The loop's thread. */
void loop_stop(struct loop *l);
void loop_done(struct loop *l);

/* Calls fn(arg) in the loop's thread, soon, in the order of the calls. Any thread. False when there is no memory or the loop has stopped. */
bool loop_post(struct loop *l, void (*fn)(void *arg), void *arg);
/* on_woken() runs in the loop's thread, soon, once for several calls; takes no memory. Any thread, until loop_done(). Nothing happens when the loop has
 * stopped. */
void loop_wake(struct loop *l);

/* Milliseconds of the loop's clock: cached, one reading a turn. */
static inline msec_t loop_now(const struct loop *l)
{
	return uv_now(&l->uv);
}
