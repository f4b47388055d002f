/* Commands under way: each begins with a line that somebody sent and ends with its answer, at once or on a later turn of the loop. Bounded:
 * ADMIN_CALLS_MAX at a time, also of those whose askers have left, and ADMIN_CALL_MS for each. Embedded in the admin; main thread. */
#pragma once
#include "core/net/timers.h"
#include "core/ops/admin_call.h"

/* Less than rms-connectorctl waits, so that it hears why. */
enum { ADMIN_CALLS_MAX = 32, ADMIN_CALL_MS = 120 * 1000, ADMIN_ERROR_BYTES = 1024 };

struct admin_calls {
	struct loop *loop;
	const struct admin_source *source;
	struct audit *audit; /* borrowed; NULL: audit_problem says why */
	const char *audit_problem;
	void (*const *run)(struct admin_call *); /* by enum admin_command */
	/* Takes answer. The connection may send its next line from here on, but not from inside. */
	void (*answer)(struct admin_conn *conn, json_t *answer);
	bool (*is_there)(struct admin_conn *conn); /* nobody has closed the other end, but perhaps for writing */
	void (*on_idle)(struct admin_calls *all);  /* the last one has ended */
	struct list running;                       /* of admin_call */
	struct list for_list;                      /* of admin_call: wait until the list has been read */
	struct deadline_queue late;
	unsigned count;
};

/* What the members above for_list say is set before. */
void admin_calls_open(struct admin_calls *all);
/* Every call ends, without being heard any more; on_idle() is called at the end, if only for that. */
void admin_calls_close(struct admin_calls *all);

/* Runs the command of that line for conn. The new call; NULL: it has ended, or never began, and conn has its answer. */
struct admin_call *admin_calls_begin(struct admin_calls *all, struct admin_conn *conn, const struct admin_peer *peer,
                                     struct slice line);
/* {"ok": false, ...} */
json_t *admin_failure(int code, const char *mend, const char *error);
