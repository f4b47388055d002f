#include "bench/cloud_sim_clock.h"

static void on_time(uv_timer_t *handle);

static void arm(struct sim_clock *c)
{
	struct list *first = list_first(&c->alarms);
	if (!first)
		return;
	msec_t now = loop_now(c->loop), due = container_of(first, struct sim_alarm, link)->due;
	uv_timer_start(&c->timer, on_time, due > now ? due - now : 0, 0);
}

static void on_time(uv_timer_t *handle)
{
	struct sim_clock *c = container_of(handle, struct sim_clock, timer);
	msec_t now = loop_now(c->loop);
	/* What rings now may set alarms of 0 ms again: those wait for the next turn. */
	struct list due;
	list_init(&due);
	struct list *first;
	while ((first = list_first(&c->alarms)) && container_of(first, struct sim_alarm, link)->due <= now) {
		list_remove(first);
		list_push_back(&due, first);
	}
	while ((first = list_first(&due))) {
		struct sim_alarm *a = container_of(first, struct sim_alarm, link);
		list_remove(&a->link);
		a->ring(a);
	}
	arm(c);
}

struct err sim_clock_open(struct sim_clock *c, struct loop *l)
{
	*c = (struct sim_clock){.loop = l};
	list_init(&c->alarms);
	int failed = uv_timer_init(&l->uv, &c->timer);
	return failed ? ERR_OF(NETWORK, .sys = failed) : OK;
}

void sim_clock_close(struct sim_clock *c)
{
	uv_close((uv_handle_t *)&c->timer, NULL);
}

void sim_alarm_set(struct sim_alarm *a, struct sim_clock *c, uint32_t ms, void (*ring)(struct sim_alarm *a))
{
	list_remove(&a->link);
	a->due = loop_now(c->loop) + ms;
	a->ring = ring;
	struct list *before = c->alarms.prev;
	while (before != &c->alarms && container_of(before, struct sim_alarm, link)->due > a->due)
		before = before->prev;
	list_insert(&a->link, before, before->next);
	if (list_first(&c->alarms) == &a->link && !uv_is_closing((uv_handle_t *)&c->timer))
		arm(c);
}
