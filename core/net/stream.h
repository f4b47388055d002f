/* One TCP connection, plain or TLS: one recv per event into the loop's buffer, writes gathered and sent at the end of the loop's turn.
 * Embedded in its owner; used in its loop's thread only. After stream_close() the only callback is on_closed, where memory may be freed.
 *
 *   recv -> [SSL_read] -> on_bytes(bytes)        stream_write(bytes) -> [SSL_write] -> loop.out -> send at the end of the turn
 *                                                what the kernel does not take -> uv_write: on_blocked ... on_drained
 */
#pragma once
#include "core/base/err.h"
#include "core/base/slice.h"
#include "core/net/loop.h"
#include "core/net/tls.h"

#include <netinet/in.h>

struct stream_events {
	/* Of stream_accept_preface() only, NULL elsewhere: bytes before TLS; valid until it returns. Returns how many of them belong to the preface: all, and
	 * it waits for more, or it has called stream_begin() for what is behind them, or stream_close(). */
	size_t (*on_preface)(struct stream *s, const char *bytes, size_t n);
	/* Connected, TLS finished. Not called for accepted plain connections. */
	void (*on_ready)(struct stream *s);
	/* Valid until it returns. May be written over, also LOOP_HEADROOM bytes before and LOOP_TAILROOM behind. */
	void (*on_bytes)(struct stream *s, char *bytes, size_t n);
	/* The kernel did not take all: pause the producer, and do nothing else here: it may come from inside stream_write(). */
	void (*on_blocked)(struct stream *s);
	/* All that waited is with the kernel. */
	void (*on_drained)(struct stream *s);
	/* No more will come: ERR_CLOSED (orderly end), ERR_TRUNCATED (TLS cut without close_notify), ERR_NETWORK (also: could not connect),
	 * ERR_TLS. Reading has stopped; writing may still work after ERR_CLOSED. The owner closes. */
	void (*on_gone)(struct stream *s, struct err why);
	void (*on_closed)(struct stream *s);
};

enum stream_state {
	STREAM_NEW,
	STREAM_CONNECTING,
	STREAM_PREFACE,
	STREAM_HANDSHAKE,
	STREAM_OPEN,
	STREAM_CLOSING,
	STREAM_CLOSED
};

struct stream {
	uv_tcp_t tcp;
	const struct stream_events *events;
	struct loop *loop;
	struct tls_conn *tls; /* the SSL; NULL when plain */
	size_t waiting_bytes; /* in uv_write, not yet taken by the kernel */
	int fd;
	uint16_t note; /* 1 + index in loop.notes, 0: nothing gathered in this turn */
	uint8_t state; /* enum stream_state */
	bool paused : 1, ended : 1, blocked_told : 1, gone : 1;
	bool sent : 1; /* the kernel was given bytes since the owner last cleared this */
};

/* Embedded in its owner; nothing is open yet. */
void stream_init(struct stream *s, struct loop *l, const struct stream_events *events);
/* Takes the connection that waits at a listening handle. tls: the TLS to speak, or NULL. The handshake runs by itself.
 * After an error, here and in stream_connect(): stream_close(), which may call on_closed at once. */
struct err stream_accept(struct stream *s, uv_stream_t *listening, struct tls_server *tls);
/* The same, but something comes before TLS and HTTP that the owner reads: on_preface, until stream_begin(). Until then nothing can be written. */
struct err stream_accept_preface(struct stream *s, uv_stream_t *listening);
/* From inside on_preface. After an error: stream_close(). */
struct err stream_begin(struct stream *s, struct tls_server *tls);
/* Begins to connect; then on_ready or on_gone. tls NULL: plain. session key: one host name at one tls_client. */
struct err stream_connect(struct stream *s, const struct sockaddr *address, struct tls_client *tls);
/* TLS on a connection that stream_connect() made plain, from inside its on_bytes, when all that came was taken: then on_ready once more, or on_gone.
 * After an error: stream_close(). */
struct err stream_secure(struct stream *s, struct tls_client *tls);
void stream_close(struct stream *s);

/* Bytes are taken (copied or encrypted) before it returns; nothing is sent until the turn ends, unless they are many. Never fails:
 * a broken connection shows as on_gone. On a stream that is not open they are dropped. */
void stream_write(struct stream *s, const char *bytes, size_t n);
/* Takes back what this turn has gathered for s but not sent, before closing it. */
void stream_take_back(struct stream *s);
/* Ends our direction after what was written: TLS close_notify and FIN. Reading goes on. */
void stream_end(struct stream *s);
/* Sends what the turn has gathered for all streams of the loop now. */
void stream_flush_all(struct loop *l);
/* Closing with a reset instead of a FIN, for what must not look complete. Then stream_close(). */
void stream_reset(struct stream *s);

/* Back-pressure: no on_bytes until stream_resume(). Bytes already read in this turn are not lost. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

static inline bool stream_is_open(const struct stream *s)
{
	return s->state == STREAM_OPEN;
}
static inline bool stream_is_blocked(const struct stream *s)
{
	return s->waiting_bytes != 0;
}
/* Peer's address; false when the connection is gone. One system call. */
bool stream_peer(const struct stream *s, struct sockaddr_storage *out);

/* The TLS session was resumed, not made anew. */
bool stream_resumed(const struct stream *s);

/* tls_conn_end_point() of an accepted connection; empty when plain. */
struct slice stream_end_point(const struct stream *s);

/* For tls.c: encrypted bytes on their way out. */
void stream_tls_output(struct stream *s, const char *bytes, size_t n);
