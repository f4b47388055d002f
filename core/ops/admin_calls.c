#include "core/ops/admin_calls.h"

#include "core/base/log.h"
#include "core/relay/authlist_sync.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

json_t *admin_failure(int code, const char *mend, const char *error)
{
	json_t *o = json_object();
	admin_set(o, "ok", json_false());
	admin_set(o, "error", admin_string(error));
	admin_set(o, "mend", admin_string(mend));
	admin_set(o, "exit", json_integer(code));
	return o;
}

/* ---- how a call ends ---- */

/* Takes answer. */
static void end_call(struct admin_call *c, json_t *answer)
{
	struct admin_calls *all = c->calls;
	struct admin_conn *conn = c->conn;
	list_remove(&c->link);
	list_remove(&c->running);
	deadline_disarm(&c->deadline);
	if (c->own_done)
		c->own_done(c->own);
	authlist_object_done(&c->who.object);
	json_decref(c->kept);
	json_decref(c->arguments);
	json_decref(c->says);
	free(c);
	if (conn)
		all->answer(conn, answer);
	else
		json_decref(answer);
	if (--all->count == 0)
		all->on_idle(all);
}

void admin_done(struct admin_call *c, json_t *result)
{
	json_t *o = result ? json_object() : NULL;
	if (o) {
		admin_set(o, "ok", json_true());
		admin_set(o, "result", result);
		admin_set(o, "says", json_incref(c->says));
	}
	end_call(c, o);
}

void admin_fail(struct admin_call *c, int code, const char *mend, const char *format, ...)
{
	char error[ADMIN_ERROR_BYTES];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(error, sizeof(error), format, arguments);
	va_end(arguments);
	json_t *o = admin_failure(code, mend, error);
	if (json_array_size(c->says))
		admin_set(o, "says", json_incref(c->says));
	end_call(c, o);
}

bool admin_is_heard(const struct admin_call *c)
{
	return c->conn && c->calls->is_there(c->conn);
}

/* ---- later turns ---- */

void admin_wait(struct admin_call *c, void (*stop)(struct admin_call *c))
{
	c->stop = stop;
	if (!c->waits)
		deadline_arm(&c->deadline, &c->calls->late, loop_now(c->calls->loop));
	c->waits = true;
}

static void on_late(struct deadline *d, struct deadline_queue *q)
{
	struct admin_call *c = container_of(d, struct admin_call, deadline);
	c->stop(c);
	admin_fail(c, EX_TEMPFAIL, "try again; rms-connectorctl status says how the node is",
	           "%s was not done within %d s", admin_row(c->command)->name, (int)(q->limit_ms / 1000));
}

static void nothing_to_stop(struct admin_call *c)
{
}

void admin_refresh_list(struct admin_call *c, void (*settled)(struct admin_call *c))
{
	c->settled = settled;
	list_push_back(&c->calls->for_list, &c->link);
	admin_wait(c, nothing_to_stop);
	authlist_sync_refresh(c->source->list);
}

static void on_list_settled(void *context)
{
	struct admin_calls *all = context;
	/* Who is told may ask again at once: that waits for the next reading. */
	struct list told = {0};
	list_init(&told);
	while (list_first(&all->for_list)) {
		struct list *link = list_first(&all->for_list);
		list_remove(link);
		list_push_back(&told, link);
	}
	while (list_first(&told)) {
		struct list *link = list_first(&told);
		list_remove(link);
		struct admin_call *c = container_of(link, struct admin_call, link);
		c->settled(c);
	}
}

/* ---- beginning ---- */

static void refuse_role(struct admin_call *c)
{
	const struct admin_row *row = admin_row(c->command);
	event_log(EVENT_ADMIN_REFUSED, "%s by uid %u %s with role %s", row->name, c->peer.uid, c->peer.name,
	          admin_role_word(c->peer.role));
	admin_fail(c, EX_NOPERM, "ask somebody with that role, or see the groups of section admin in the configuration",
	           "%s needs the role %s, and you (uid %u%s%s) have %s", row->name, admin_role_word(row->role),
	           c->peer.uid, c->peer.name[0] ? ", " : "", c->peer.name, admin_role_word(c->peer.role));
}

/* Takes arguments. NULL: there is no place or no memory, which is answered. */
static struct admin_call *make_call(struct admin_calls *all, struct admin_conn *conn, json_t *arguments)
{
	struct admin_call *c = all->count < ADMIN_CALLS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		json_decref(arguments);
		all->answer(
		        conn,
		        all->count < ADMIN_CALLS_MAX
		                ? NULL
		                : admin_failure(EX_TEMPFAIL, "try again in a minute",
		                                "too many commands are under way, also some whose askers have left"));
		return NULL;
	}
	*c = (struct admin_call){.calls = all,
	                         .conn = conn,
	                         .source = all->source,
	                         .audit = all->audit,
	                         .audit_problem = all->audit_problem,
	                         .arguments = arguments,
	                         .says = json_array()};
	list_init(&c->link);
	deadline_init(&c->deadline);
	list_push_back(&all->running, &c->running);
	all->count++;
	return c;
}

struct admin_call *admin_calls_begin(struct admin_calls *all, struct admin_conn *conn, const struct admin_peer *peer,
                                     struct slice line)
{
	char problem[ADMIN_PROBLEM_BYTES];
	enum admin_command command;
	json_t *arguments = admin_request_read(line, &command, problem);
	if (!arguments) {
		all->answer(conn, admin_failure(EX_USAGE, "", problem));
		return NULL;
	}
	struct admin_call *c = make_call(all, conn, arguments);
	if (!c)
		return NULL;
	c->peer = *peer;
	c->command = command;
	if (c->peer.role < admin_row(command)->role)
		refuse_role(c);
	else
		all->run[command](c);
	/* It may have ended, so it is looked for, and not looked at. */
	list_for_each (link, &all->running)
		if (link == &c->running)
			return c;
	return NULL;
}

/* ---- life ---- */

void admin_calls_open(struct admin_calls *all)
{
	list_init(&all->running);
	list_init(&all->for_list);
	deadline_queue_open(all->loop, &all->late, ADMIN_CALL_MS, on_late, all);
	if (all->source->list)
		authlist_sync_on_settled(all->source->list, on_list_settled, all);
}

void admin_calls_close(struct admin_calls *all)
{
	all->count++; /* on_idle() may free all this: once, at the end */
	if (all->source->list)
		authlist_sync_on_settled(all->source->list, NULL, NULL);
	while (list_first(&all->running)) {
		struct admin_call *c = container_of(list_first(&all->running), struct admin_call, running);
		CHECK(c->waits);
		c->conn = NULL;
		c->stop(c);
		admin_fail(c, EX_UNAVAILABLE, "", "the node stops");
	}
	deadline_queue_close(&all->late);
	if (--all->count == 0)
		all->on_idle(all);
}
