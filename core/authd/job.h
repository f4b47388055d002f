/* One message of the node on its way through authd: read by the server, waiting in a queue, answered by a worker thread, written by the server. One of
 * these owns it at a time, so nothing in it is locked. */
#pragma once
#include "core/base/arena.h"
#include "core/base/clock.h"
#include "core/base/list.h"
#include "proto/authd_msg.h"

enum { JOB_ARENA_BYTES = 2 * 1024 * 1024 };

struct job {
	struct list link;        /* of whoever owns it */
	uint64_t origin;         /* what queues are fair between */
	uint64_t connection;     /* where it came from and where the answer goes */
	usec_t arrived, late_at; /* by clock_now(); late_at 0: never */
	struct arena arena;      /* for what the answer borrows */
	struct authd_msg msg;    /* a REQUEST or an ASK; borrows from bytes */
	union {
		struct authd_reply reply; /* to a REQUEST; its id is set by job_new() */
		struct authd_json told;   /* to an ASK */
	};
	size_t len;
	char bytes[];
};

/* bytes: one whole message that authd_msg_read() takes. NULL: no memory. */
struct job *job_new(uint64_t connection, struct slice bytes);
void job_free(struct job *j);

/* Answers a REQUEST; detail is shortened and made printable, and copied. */
void job_refuse(struct job *j, enum authd_reason reason, const char *detail);
/* The answer as a message, for authd_msg_write(). */
struct authd_msg job_answer(const struct job *j);
