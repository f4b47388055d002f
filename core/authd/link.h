/* One connection of the node as bytes: what came and is not whole yet, what goes out and was not taken yet. Owned by the server; its thread. */
#pragma once
#include "core/base/err.h"
#include "core/base/list.h"
#include "proto/authd_msg.h"

enum {
	LINK_OUT_PAUSE = 1024 * 1024,    /* bytes that wait to be taken: nothing more is read then */
	LINK_OUT_MAX = 64 * 1024 * 1024, /* the other side does not read at all */
};

struct link {
	struct list all;
	uint64_t number;
	int fd;
	bool greeted;     /* its HELLO came */
	uint32_t watched; /* epoll events */
	char *in, *out;
	size_t in_at, in_len, in_room; /* what is before in_at is done with */
	size_t out_len, out_room, out_sent;
};

/* Reads once. 0: nothing there. -1: it ended. */
int link_read(struct link *l);
/* What was read and is not consumed; borrowed until the next link_read(). */
struct slice link_read_bytes(const struct link *l);
void link_consume(struct link *l, size_t used);
/* To the bytes that wait. false: no memory, too many of them, or a message that breaks a bound. */
bool link_append(struct link *l, const struct authd_msg *m);
/* Writes what the other side takes. false: it is gone. */
bool link_write(struct link *l);
static inline size_t link_waiting(const struct link *l)
{
	return l->out_len - l->out_sent;
}
void link_free(struct link *l);
