/* One command that somebody gave: what a command's function reads its arguments from and answers to. Each function ends its call exactly once, at
 * once or on a later turn (admin_wait()), with admin_done() or admin_fail(); the call is freed by that. Main thread.
 *
 *   run(c) -> admin_done(c)        run(c) -> admin_wait(c, stop) ... what was asked is told -> admin_done(c)
 *                                                                 or too late, or the node ends: stop(c), and c is ended for the command
 */
#pragma once
#include "core/base/check.h"
#include "core/base/list.h"
#include "core/net/timers.h"
#include "core/ops/admin.h"
#include "core/ops/admin_peer.h"
#include "core/ops/admin_rows.h"

#include <sysexits.h>

struct admin_calls;
struct admin_conn;
struct audit;

struct admin_call {
	struct admin_calls *calls;
	struct admin_conn *conn; /* NULL: who asked has left */
	const struct admin_source *source;
	struct audit *audit; /* NULL: node.state_directory is not set, or the log cannot be used: audit_problem */
	const char *audit_problem;
	struct admin_peer peer;
	enum admin_command command;
	json_t *arguments; /* checked against the row */
	json_t *says;      /* sentences for people */
	/* The list that the call began with, by its generation (admin_change.h). */
	uint64_t based_on;
	bool based;
	/* Who is meant (admin_who.h), and who is told next. */
	struct admin_who {
		struct authlist_object object;
		enum authlist_kind kind;
		bool looked_up, disabled; /* the directory has it; and has it disabled */
		bool gone;                /* a SID that no directory of ours has */
		char problem[256];        /* of a SID that could not be looked up: why; "" */
	} who;
	char asked_for[256]; /* what who was looked up by */
	bool rows_last;      /* then a row of the list may be meant */
	void (*found)(struct admin_call *c);
	void (*told)(struct admin_call *c, const json_t *answer);
	void (*settled)(struct admin_call *c);
	void (*exchange_yes)(struct admin_call *c, json_t *accounts); /* admin_exchange.h */
	json_t *kept;                                                 /* of an answer, for a later turn */
	/* What the command keeps from turn to turn; own_done(own) when the call ends. NULL: nothing. */
	void *own;
	void (*own_done)(void *own);
	struct list link;    /* in those that wait for the list to be read */
	struct list running; /* in all that are under way */
	struct deadline deadline;
	bool waits;
	void (*stop)(struct admin_call *c);
};

#define ADMIN(name, function, role, usage, help) void admin_run_##function(struct admin_call *c);
#include "core/ops/admin.def"
#undef ADMIN

/* NULL: not given. Lives as long as the call. */
const char *admin_text(const struct admin_call *c, const char *key);
bool admin_flag(const struct admin_call *c, const char *key);
/* A whole number from min to max, or absent when it is not given. false: the call has ended with an error. */
bool admin_number(struct admin_call *c, const char *key, uint32_t absent, uint32_t min, uint32_t max, uint32_t *out);

/* A sentence that is shown before the tables; programs find it in "says". */
void admin_say(struct admin_call *c, const char *format, ...) PRINTF_LIKE(2, 3);
/* result: taken; NULL counts as no memory. */
void admin_done(struct admin_call *c, json_t *result);
/* exit: a number of sysexits.h. mend: what to do about it; "" when there is nothing. */
void admin_fail(struct admin_call *c, int exit, const char *mend, const char *format, ...) PRINTF_LIKE(4, 5);

/* c will end on a later turn. When that takes too long or the node ends, stop(c) takes back whatever was asked for it outside, so that nobody comes back
 * to c, and the call is ended. May be called again, with another stop; the time goes on. */
void admin_wait(struct admin_call *c, void (*stop)(struct admin_call *c));
/* Who asked is still there, as far as the kernel knows: else nothing is to be changed any more. */
bool admin_is_heard(const struct admin_call *c);
/* The list is read now, on a later turn settled(c). */
void admin_refresh_list(struct admin_call *c, void (*settled)(struct admin_call *c));

/* json_object_set_new() with what may have failed before. */
static inline void admin_set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}
/* The text, or as much of it as is UTF-8; NULL gives null. */
json_t *admin_string(const char *text);
/* "2026-11-22T10:00:00Z"; 0 gives null. */
json_t *admin_time(int64_t seconds);
