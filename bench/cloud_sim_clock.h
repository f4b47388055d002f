/* Alarms to the millisecond for one loop: one uv_timer and a list in order of time. Most alarms have the same delay, so most are put at the end; two
 * thousand waiting requests cost one timer. Used in the loop's thread only. */
#pragma once
#include "core/net/loop.h"

struct sim_alarm {
	struct list link;
	msec_t due;
	void (*ring)(struct sim_alarm *a); /* it is off again when this is called */
};

struct sim_clock {
	uv_timer_t timer;
	struct list alarms; /* earliest first */
	struct loop *loop;
};

struct err sim_clock_open(struct sim_clock *c, struct loop *l);
void sim_clock_close(struct sim_clock *c);

static inline void sim_alarm_init(struct sim_alarm *a)
{
	list_init(&a->link);
}
static inline bool sim_alarm_is_set(const struct sim_alarm *a)
{
	return !list_empty(&a->link);
}
/* Sets it anew when it is set. */
void sim_alarm_set(struct sim_alarm *a, struct sim_clock *c, uint32_t ms, void (*ring)(struct sim_alarm *a));
static inline void sim_alarm_stop(struct sim_alarm *a)
{
	list_remove(&a->link);
}
