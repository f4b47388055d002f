/* One libuv loop and the buffers every connection of its thread shares. Owned by its thread; loop_post() is the only call that crosses threads. */
#pragma once
#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/list.h"

#include <pthread.h>
#include <uv.h>

enum {
	LOOP_READ_BYTES = 256 * 1024, /* one recv: measured best for large bodies, indifferent for small */
	LOOP_HEADROOM =
		4 *
		1024, /* writable bytes before what on_bytes hands out: a new head goes there, so the body never moves */
	LOOP_TAILROOM = 1024, /* and behind it: the end of a chunk */
	LOOP_NOTES = 512,
};

struct stream;

struct loop {
	uv_loop_t uv;
	pthread_t thread;
	char *plain_block; /* LOOP_HEADROOM + LOOP_READ_BYTES + LOOP_TAILROOM */
	char *plain;	   /* plain_block + LOOP_HEADROOM */
	char *cipher;	   /* LOOP_READ_BYTES, for TLS input */
	/* TLS: whose bytes the one BIO of the loop moves just now */
	struct stream *turn;
	const char *input;
	size_t input_len;
	void *bio;
	/* writes gathered in this turn, sent back to back at its end */
	char *out;
	size_t out_len, out_cap;
	struct write_note {
		struct stream *stream;
		size_t at, len;
	} notes[LOOP_NOTES];
	size_t note_count;
	uv_check_t check;
	/* coarse deadlines: one tick for all */
	uv_timer_t tick;
	struct list deadline_queues;
	/* work from other threads */
	uv_async_t wake;
	pthread_mutex_t posted_lock;
	struct list posted;
	bool closing;
	uint32_t open_streams; /* streams whose handle is not closed yet */
};

struct err loop_init(struct loop *l);
/* Runs until loop_stop(); then closes the loop's own handles. Every stream must be closed by then (asserted by loop_done). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
void loop_done(struct loop *l);

/* Calls fn(arg) in the loop's thread, soon. Any thread. Allocates; false when there is no memory. */
bool loop_post(struct loop *l, void (*fn)(void *arg), void *arg);

/* Milliseconds of the loop's clock: cached, one reading a turn. */
static inline msec_t loop_now(const struct loop *l)
{
	return uv_now(&l->uv);
}
bool loop_is_current(const struct loop *l);
