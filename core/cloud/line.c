#include "core/cloud/line.h"

#include "core/base/clock.h"
#include "core/base/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { EARLY_S = 300, PAUSE_LAST_S = 60, REFUSED_PAUSE_MS = 10000, LIFE_MAX_S = 86400 };

struct line {
	struct loop *loop;
	const char *name;
	const struct line_events *events;
	void *context;
	uv_timer_t timer, end;
	uint8_t handles;
	bool asked, closing;
	int64_t ends_s;
	uint32_t failures, fetched, failed;
	msec_t last_again;
	char problem[LINE_PROBLEM_BYTES];
};

static void ask(struct line *x);

static void on_timer(uv_timer_t *timer)
{
	ask(timer->data);
}

static void on_end(uv_timer_t *timer)
{
	struct line *x = timer->data;
	x->ends_s = 0;
	event_log(EVENT_TOKEN_ENDED,
	          "%s: nothing to say to the cloud any more; requests are deferred. Last problem: %s", x->name,
	          x->problem[0] ? x->problem : "none");
	x->events->on_line(x->context, SLICE(""));
}

static void failed(struct line *x, const char *problem)
{
	uint32_t pause = x->failures < 6 ? 1u << x->failures : PAUSE_LAST_S;
	x->failures++;
	x->failed++;
	snprintf(x->problem, sizeof(x->problem), "%s", problem);
	event_log(EVENT_TOKEN_UNAVAILABLE, "%s: %s%s", x->name, x->problem,
	          x->ends_s ? "; the one before is used on while it is good" : "");
	uv_timer_start(&x->timer, on_timer, pause * 1000ull, 0);
}

static void ask(struct line *x)
{
	if (x->closing || x->asked)
		return;
	x->asked = x->events->ask(x->context);
	if (!x->asked)
		failed(x, "rms-connector-authd, which runs the program, cannot be asked");
}

void line_told(struct line *x, struct slice text, int64_t ends_s, const char *problem)
{
	int64_t life_s = ends_s - (int64_t)(clock_wall() / 1000000);
	x->asked = false;
	if (x->closing)
		return;
	if (problem || life_s <= 0) {
		failed(x, problem ? problem : "what it printed has expired already: is a clock wrong?");
		return;
	}
	if (x->problem[0])
		event_log(EVENT_TOKEN_RECOVERED, "%s", x->name);
	x->problem[0] = 0;
	x->failures = 0;
	x->fetched++;
	x->ends_s = ends_s;
	if (life_s > LIFE_MAX_S)
		life_s = LIFE_MAX_S;
	x->events->on_line(x->context, text);
	int64_t early = life_s / 5 < EARLY_S ? life_s / 5 : EARLY_S;
	uv_timer_start(&x->timer, on_timer, (uint64_t)(life_s - early) * 1000, 0);
	uv_timer_start(&x->end, on_end, (uint64_t)life_s * 1000, 0);
}

void line_again(struct line *x)
{
	msec_t now = loop_now(x->loop);
	if (x->last_again && now - x->last_again < REFUSED_PAUSE_MS)
		return;
	x->last_again = now;
	ask(x);
}

struct line_state line_state(const struct line *x)
{
	return (struct line_state){x->ends_s, x->fetched, x->failed, x->problem[0] ? x->problem : NULL};
}

struct err line_open(struct loop *l, const char *name, const struct line_events *events, void *context,
                     struct line **out)
{
	struct line *x = calloc(1, sizeof(*x));
	if (!x)
		return ERR_OF(NO_MEMORY);
	*x = (struct line){.loop = l, .name = name, .events = events, .context = context, .handles = 2};
	uv_timer_init(&l->uv, &x->timer);
	uv_timer_init(&l->uv, &x->end);
	x->timer.data = x->end.data = x;
	uv_timer_start(&x->timer, on_timer, 0, 0);
	*out = x;
	return OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct line *x = handle->data;
	if (--x->handles == 0)
		free(x);
}

void line_close(struct line *x)
{
	if (!x)
		return;
	x->closing = true;
	uv_close((uv_handle_t *)&x->timer, on_closed);
	uv_close((uv_handle_t *)&x->end, on_closed);
}
