/* Deadlines: a link in a queue, one queue for each time limit, so arming is a push at the end and expiry a look at the front.
 * Precision is the tick, 100 ms: a deadline fires up to that much late, never early. A deadline is in one queue at most. */
#pragma once
#include "core/base/list.h"
#include "core/net/loop.h"

struct deadline {
	struct list link;
	msec_t due;
};

struct deadline_queue {
	struct list armed; /* of struct deadline, earliest first */
	struct list in_loop;
	uint32_t limit_ms;
	/* The deadline is out of the queue when this is called. */
	void (*expired)(struct deadline *d, struct deadline_queue *q);
	void *context;
};

void deadline_queue_open(struct loop *l, struct deadline_queue *q, uint32_t limit_ms,
                         void (*expired)(struct deadline *, struct deadline_queue *), void *context);
void deadline_queue_close(struct deadline_queue *q);
/* All that are due by the loop's clock. The loop does it at each tick; tests that have no loop do it themselves. */
void deadlines_expire(struct loop *l);

static inline void deadline_init(struct deadline *d)
{
	list_init(&d->link);
	d->due = 0;
}
/* Moves d to the end of q, due limit_ms from now. */
static inline void deadline_arm(struct deadline *d, struct deadline_queue *q, msec_t now)
{
	list_remove(&d->link);
	d->due = now + q->limit_ms;
	list_push_back(&q->armed, &d->link);
}
static inline void deadline_disarm(struct deadline *d)
{
	list_remove(&d->link);
}
