#include "core/ops/admin.h"
#include "core/base/log.h"
#include "core/net/timers.h"
#include "core/ops/admin_calls.h"
#include "core/ops/admin_socket.h"
#include "core/ops/audit.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 16, FIRST_BYTES = 4096, IDLE_MS = 60 * 1000, TEXT_BYTES = ADMIN_ERROR_BYTES };

/*   slots[i]: accept -> (peer has a role) -> line -> call -> reply -> next line ... -> close
 * A pending call holds the connection's place: nothing is read meanwhile, and a second line waits in the buffer. */
struct admin_conn {
	uv_pipe_t pipe;
	struct admin *admin;
	struct deadline deadline; /* of what the other side has to do: send a line, take an answer */
	struct admin_peer peer;
	struct admin_call *call;
	char *bytes;
	size_t used, room, scanned;
	bool open, ending;
	bool ended; /* the other side sends no more; what it sent is answered */
	uv_write_t write;
	char *reply; /* being written */
};

struct admin {
	struct loop *loop;
	const struct admin_source *source;
	uv_pipe_t listening;
	bool listens, one_waits, closing;
	char *path;
	dev_t device;
	ino_t inode;
	struct admin_roles roles;
	struct audit *audit;
	char audit_problem[TEXT_BYTES];
	struct deadline_queue idle;
	struct admin_calls calls;
	struct admin_conn slots[CONNECTIONS_MAX];
};

static void free_when_empty(struct admin *a)
{
	bool busy = a->listens || a->calls.count;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		busy |= a->slots[i].open;
	if (busy || !a->closing)
		return;
	deadline_queue_close(&a->idle);
	audit_close(a->audit);
	free(a->path);
	free(a);
}

/* ---- connections ---- */

static void take_connection(struct admin *a);
static void take_lines(struct admin_conn *c);

static void on_closed(uv_handle_t *handle)
{
	struct admin_conn *c = container_of(handle, struct admin_conn, pipe);
	struct admin *a = c->admin;
	if (c->bytes)
		explicit_bzero(c->bytes, c->room); /* secrets come this way, too */
	free(c->bytes);
	free(c->reply);
	*c = (struct admin_conn){0};
	if (a->one_waits && !a->closing) {
		a->one_waits = false;
		take_connection(a);
	}
	free_when_empty(a);
}

static void close_conn(struct admin_conn *c)
{
	if (!c->open || uv_is_closing((uv_handle_t *)&c->pipe))
		return;
	if (c->call)
		c->call->conn = NULL;
	c->call = NULL;
	deadline_disarm(&c->deadline);
	uv_close((uv_handle_t *)&c->pipe, on_closed);
}

static void on_expired(struct deadline *d, struct deadline_queue *q)
{
	close_conn(container_of(d, struct admin_conn, deadline));
}

static void wait_for_peer(struct admin_conn *c)
{
	deadline_arm(&c->deadline, &c->admin->idle, loop_now(c->admin->loop));
}

static void on_written(uv_write_t *write, int status)
{
	struct admin_conn *c = container_of(write, struct admin_conn, write);
	free(c->reply);
	c->reply = NULL;
	if (status || c->ending)
		close_conn(c);
	else
		take_lines(c);
}

/* Takes answer. */
static void send_reply(struct admin_conn *c, json_t *answer)
{
	size_t n;
	char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	json_decref(answer);
	if (!text)
		text = strdup("{\"ok\":false,\"error\":\"the node is out of memory\",\"mend\":\"\",\"exit\":71}");
	if (!text) {
		close_conn(c);
		return;
	}
	n = strlen(text);
	text[n] = '\n'; /* where the NUL was: lengths count from here */
	c->reply = text;
	uv_buf_t buf = {text, n + 1};
	wait_for_peer(c);
	if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, on_written)) {
		free(c->reply);
		c->reply = NULL;
		close_conn(c);
	}
}

static void refuse_line(struct admin_conn *c, int code, const char *mend, const char *error)
{
	c->ending = true;
	send_reply(c, admin_failure(code, mend, error));
}

/* ---- calls ---- */

static void (*const functions[ADMIN_COMMAND_COUNT])(struct admin_call *) = {
#define ADMIN(name, function, role, usage, help) admin_run_##function,
#include "core/ops/admin.def"
#undef ADMIN
};

static void on_answer(struct admin_conn *c, json_t *answer)
{
	c->call = NULL;
	send_reply(c, answer);
}

/* The end of what it sends shows as an end of file; only poll() tells that from a closed socket. */
static bool is_there(struct admin_conn *c)
{
	int fd;
	if (!c->open || uv_is_closing((uv_handle_t *)&c->pipe) || uv_fileno((uv_handle_t *)&c->pipe, &fd))
		return false;
	struct pollfd end = {.fd = fd};
	return poll(&end, 1, 0) == 0;
}

static void on_idle(struct admin_calls *calls)
{
	free_when_empty(container_of(calls, struct admin, calls));
}

static void begin_call(struct admin_conn *c, struct slice line)
{
	deadline_disarm(&c->deadline); /* from here on it is the node that has to do something */
	c->call = admin_calls_begin(&c->admin->calls, c, &c->peer, line);
}

/* ---- bytes ---- */

static void take_lines(struct admin_conn *c)
{
	if (c->call || c->reply || c->ending)
		return;
	char *end = c->used > c->scanned ? memchr(c->bytes + c->scanned, '\n', c->used - c->scanned) : NULL;
	c->scanned = c->used;
	if (!end && c->ended) {
		close_conn(c);
		return;
	}
	wait_for_peer(c);
	if (!end) {
		if (c->used >= ADMIN_LINE_BYTES)
			refuse_line(c, EX_USAGE, "", "the request is longer than a list can be");
		return;
	}
	size_t n = (size_t)(end - c->bytes);
	begin_call(c, slice_of(c->bytes, n));
	c->used -= n + 1;
	c->scanned = 0;
	memmove(c->bytes, c->bytes + n + 1, c->used);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct admin_conn *c = container_of(handle, struct admin_conn, pipe);
	if (c->used == c->room && c->room < ADMIN_LINE_BYTES) {
		size_t room = c->room ? c->room * 2 : FIRST_BYTES;
		char *more = realloc(c->bytes, room < ADMIN_LINE_BYTES ? room : ADMIN_LINE_BYTES);
		if (more) {
			c->bytes = more;
			c->room = room < ADMIN_LINE_BYTES ? room : ADMIN_LINE_BYTES;
		}
	}
	/* No room: libuv reports UV_ENOBUFS, which ends the connection: too much was sent, or there is no memory. */
	*buf = (uv_buf_t){c->bytes + c->used, c->room - c->used};
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct admin_conn *c = container_of(stream, struct admin_conn, pipe);
	if (n < 0) {
		/* The end of what it sends is not the end of what it wants to read: nc -N and scripts shut down one side. */
		if (n == UV_EOF && (c->call || c->reply)) {
			c->ended = true;
			uv_read_stop(stream);
		} else {
			close_conn(c);
		}
		return;
	}
	c->used += (size_t)n;
	take_lines(c);
}

static void greet(struct admin_conn *c)
{
	int fd;
	char error[256];
	if (uv_fileno((uv_handle_t *)&c->pipe, &fd) || !admin_peer_read(fd, &c->admin->roles, &c->peer)) {
		close_conn(c);
		return;
	}
	wait_for_peer(c);
	if (c->peer.role == ADMIN_NOBODY) {
		snprintf(error, sizeof(error), "you (uid %u%s%s) have no role in the administration of this node",
		         c->peer.uid, c->peer.name[0] ? ", " : "", c->peer.name);
		event_log(EVENT_ADMIN_REFUSED, "a connection by uid %u %s", c->peer.uid, c->peer.name);
		refuse_line(c, EX_NOPERM,
		            "be in a group of admin.viewers, admin.operators or admin.security_admins, and log in anew "
		            "after that",
		            error);
	} else if (uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read)) {
		close_conn(c);
	}
}

static void take_connection(struct admin *a)
{
	struct admin_conn *c = NULL;
	for (size_t i = 0; i < CONNECTIONS_MAX && !c; i++)
		if (!a->slots[i].open)
			c = &a->slots[i];
	if (!c) { /* libuv listens on when this one is taken */
		a->one_waits = true;
		return;
	}
	*c = (struct admin_conn){.admin = a, .open = true};
	deadline_init(&c->deadline);
	uv_pipe_init(&a->loop->uv, &c->pipe, 0);
	if (uv_accept((uv_stream_t *)&a->listening, (uv_stream_t *)&c->pipe))
		close_conn(c);
	else
		greet(c);
}

static void on_connection(uv_stream_t *listening, int status)
{
	if (status == 0)
		take_connection(container_of(listening, struct admin, listening));
}

/* ---- beginning and end ---- */

static struct err listen_there(struct admin *a)
{
	int fd = -1;
	struct stat st;
	TRY(admin_socket_bind(a->path, &a->roles, &fd, &st));
	a->device = st.st_dev;
	a->inode = st.st_ino;
	uv_pipe_init(&a->loop->uv, &a->listening, 0);
	a->listens = true;
	if (uv_pipe_open(&a->listening, fd)) {
		close(fd);
		return ERR_OF(SYSTEM, .what = "the socket of administration cannot be used");
	}
	int failed = uv_listen((uv_stream_t *)&a->listening, CONNECTIONS_MAX, on_connection);
	return failed ? ERR_OF(SYSTEM, .sys = failed, .what = "the socket of administration cannot listen") : OK;
}

static void open_audit(struct admin *a, const char *directory)
{
	if (!*directory) {
		snprintf(a->audit_problem, sizeof(a->audit_problem),
		         "node.state_directory is not set, so there is nowhere to write down who changed what");
		return;
	}
	struct err e = audit_open(directory, &a->audit);
	if (!e.code)
		return;
	snprintf(a->audit_problem, sizeof(a->audit_problem), "%s", err_text(e));
	event_log(EVENT_ADMIN_UNAVAILABLE, "changes are refused: %s", a->audit_problem);
}

struct err admin_open(struct loop *main_loop, const struct admin_source *source, struct admin **out)
{
	*out = NULL;
	if (!*source->settings->admin_socket)
		return OK;
	struct admin *a = calloc(1, sizeof(*a));
	if (!a)
		return ERR_OF(NO_MEMORY);
	size_t len;
	char *groups = admin_read_names("/etc/group", &len);
	a->loop = main_loop;
	a->source = source;
	a->path = strdup(source->settings->admin_socket);
	a->calls = (struct admin_calls){.loop = main_loop,
	                                .source = source,
	                                .audit_problem = a->audit_problem,
	                                .run = functions,
	                                .answer = on_answer,
	                                .is_there = is_there,
	                                .on_idle = on_idle};
	admin_calls_open(&a->calls);
	deadline_queue_open(main_loop, &a->idle, IDLE_MS, on_expired, a);
	struct err e = groups && a->path
	                       ? admin_roles_read(source->settings, slice_of(groups, len), geteuid(), &a->roles)
	                       : ERR_OF(NO_MEMORY);
	free(groups);
	if (!e.code)
		e = listen_there(a);
	if (e.code) {
		admin_close(a);
		return e;
	}
	open_audit(a, source->settings->node_state_directory);
	a->calls.audit = a->audit;
	*out = a;
	return OK;
}

static void on_listening_closed(uv_handle_t *handle)
{
	struct admin *a = container_of(handle, struct admin, listening);
	a->listens = false;
	free_when_empty(a);
}

void admin_close(struct admin *a)
{
	struct stat st;
	if (!a || a->closing)
		return;
	a->closing = true;
	/* Only our own: a node that was started meanwhile may have put its own there. */
	if (a->inode && lstat(a->path, &st) == 0 && st.st_dev == a->device && st.st_ino == a->inode)
		unlink(a->path);
	if (a->listens)
		uv_close((uv_handle_t *)&a->listening, on_listening_closed);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		close_conn(&a->slots[i]);
	admin_calls_close(&a->calls);
}
