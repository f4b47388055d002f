#include "core/authd_child.h"

#include "core/base/log.h"

#include <signal.h>
#include <stdlib.h>

enum { AGAIN_MS = 200, AGAIN_LAST_MS = 1000, LONG_ENOUGH_MS = 5000, KILL_AFTER_MS = 2000 };

struct authd_child {
	uv_process_t process;
	uv_timer_t timer;
	struct loop *loop;
	const char *program, *config;
	msec_t started;
	uint32_t pause_ms;
	bool running, ending;
};

static void on_timer(uv_timer_t *timer);

static void on_timer_closed(uv_handle_t *handle)
{
	free(container_of((uv_timer_t *)handle, struct authd_child, timer));
}

static void start_later(struct authd_child *c)
{
	uv_timer_start(&c->timer, on_timer, c->pause_ms, 0);
	c->pause_ms = 2 * c->pause_ms < AGAIN_LAST_MS ? 2 * c->pause_ms : AGAIN_LAST_MS;
}

static void on_process_closed(uv_handle_t *handle)
{
	struct authd_child *c = container_of((uv_process_t *)handle, struct authd_child, process);
	c->running = false;
	if (c->ending)
		uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	else
		start_later(c);
}

static void on_exit_of_child(uv_process_t *process, int64_t status, int signal_number)
{
	struct authd_child *c = container_of(process, struct authd_child, process);
	if (!c->ending)
		event_log(EVENT_AUTHD_ENDED, "%s, status %lld, signal %d", c->program, (long long)status,
		          signal_number);
	if (loop_now(c->loop) - c->started >= LONG_ENOUGH_MS)
		c->pause_ms = AGAIN_MS;
	uv_close((uv_handle_t *)process, on_process_closed);
}

static int start(struct authd_child *c)
{
	/* --with-parent: a node that is killed takes it along, else the next start would find the socket served by a stranger. */
	char *arguments[] = {(char *)(uintptr_t)c->program, (char *)(uintptr_t) "-c", (char *)(uintptr_t)c->config,
	                     (char *)(uintptr_t) "--with-parent", NULL};
	uv_stdio_container_t stdio[3] = {
	        {.flags = UV_IGNORE}, {.flags = UV_INHERIT_FD, .data.fd = 1}, {.flags = UV_INHERIT_FD, .data.fd = 2}};
	uv_process_options_t o = {
	        .file = c->program, .args = arguments, .exit_cb = on_exit_of_child, .stdio_count = 3, .stdio = stdio};
	c->started = loop_now(c->loop);
	c->running = true; /* also after a failure the handle is to be closed */
	return uv_spawn(&c->loop->uv, &c->process, &o);
}

static void on_timer(uv_timer_t *timer)
{
	struct authd_child *c = container_of(timer, struct authd_child, timer);
	if (c->ending) {
		if (!uv_is_closing((uv_handle_t *)&c->process))
			uv_process_kill(&c->process, SIGKILL);
		return;
	}
	int failed = start(c);
	if (failed) {
		event_log(EVENT_AUTHD_ENDED, "%s cannot be started: %s", c->program, uv_strerror(failed));
		uv_close((uv_handle_t *)&c->process, on_process_closed);
	}
}

struct err authd_child_open(struct loop *l, const char *program, const char *config, struct authd_child **out)
{
	struct authd_child *c = calloc(1, sizeof(*c));
	if (!c)
		return ERR_OF(NO_MEMORY);
	*c = (struct authd_child){.loop = l, .program = program, .config = config, .pause_ms = AGAIN_MS};
	uv_timer_init(&l->uv, &c->timer);
	uv_timer_start(&c->timer, on_timer, 0, 0);
	*out = c;
	return OK;
}

void authd_child_close(struct authd_child *c)
{
	if (!c || c->ending)
		return;
	c->ending = true;
	if (!c->running) {
		uv_close((uv_handle_t *)&c->timer, on_timer_closed);
		return;
	}
	if (!uv_is_closing((uv_handle_t *)&c->process)) {
		uv_process_kill(&c->process, SIGTERM);
		uv_timer_start(&c->timer, on_timer, KILL_AFTER_MS, 0);
	}
}
