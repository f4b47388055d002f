/* A Unix stream socket to another process of this machine, kept up: frames of a u32 (little-endian: the length of the rest) and the rest, bounded both
 * ways. When it breaks it is made anew, at once and then after pauses that double up to a second. Embedded in its owner; its loop's thread only.
 * After channel_close() the only callback is on_closed. */
#pragma once
#include "core/base/slice.h"
#include "core/net/loop.h"

enum { CHANNEL_PAUSE_FIRST_MS = 10, CHANNEL_PAUSE_LAST_MS = 1000, CHANNEL_PATH_BYTES = 108 /* of sun_path */ };

struct channel;

struct channel_events {
	void (*on_up)(struct channel *c);
	/* A whole frame with its length, in the loop's read buffer or a block of ours: valid until it returns. NULL, or what is wrong with it: then the
	 * connection ends and is made anew. */
	const char *(*on_frame)(struct channel *c, struct slice frame);
	/* It was up, or could not be made; told each time. */
	void (*on_down)(struct channel *c, const char *why);
	void (*on_closed)(struct channel *c);
	/* Whether the user whose process listens there may be spoken to; before the first byte. NULL: anybody may. */
	bool (*trusts)(const struct channel *c, uid_t who);
};

enum channel_state { CHANNEL_PAUSED, CHANNEL_CONNECTING, CHANNEL_UP, CHANNEL_BREAKING, CHANNEL_CLOSING };

struct channel {
	uv_pipe_t pipe;
	uv_timer_t again;
	uv_connect_t connect;
	struct loop *loop;
	const struct channel_events *events;
	const char *path; /* borrowed */
	size_t frame_max; /* longest frame that is taken, with its length */
	size_t waiting_max;
	char *in; /* the beginning of a frame */
	size_t in_len, in_cap;
	size_t waiting_bytes; /* in uv_write, not yet taken by the kernel */
	uint32_t pause_ms;
	uint8_t state;
	bool pipe_open, timer_open, fruitful; /* fruitful: a frame came over this connection */
};

/* Begins to connect; nothing is called from inside. path must fit CHANNEL_PATH_BYTES. */
struct err channel_open(struct channel *c, struct loop *l, const char *path, size_t frame_max, size_t waiting_max,
                        const struct channel_events *events);
void channel_close(struct channel *c);

/* Room for a frame of n bytes, its length included; NULL: no memory. Give it to channel_send(), which takes it in any case. */
char *channel_frame(size_t n);
/* false: it is not up, or waiting_max is reached: the frame was dropped. A connection that is found broken shows as on_down, later. */
bool channel_send(struct channel *c, char *frame, size_t n);

static inline bool channel_is_up(const struct channel *c)
{
	return c->state == CHANNEL_UP;
}
