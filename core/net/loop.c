#include "core/net/loop.h"

#include "core/net/stream.h"
#include "core/net/timers.h"

#include <stdlib.h>

enum { TICK_MS = 100 };

struct posted {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
};

static void on_before_poll(uv_prepare_t *handle)
{
	stream_flush_all(handle->data);
}

static void on_wake(uv_async_t *handle)
{
	struct loop *l = handle->data;
	struct list batch;
	list_init(&batch);
	pthread_mutex_lock(&l->posted_lock);
	if (!list_empty(&l->posted)) {
		list_insert(&batch, l->posted.prev, l->posted.next);
		list_init(&l->posted);
	}
	pthread_mutex_unlock(&l->posted_lock);
	while (!list_empty(&batch)) {
		struct posted *p = container_of(list_first(&batch), struct posted, link);
		list_remove(&p->link);
		p->fn(p->arg);
		free(p);
	}
	if (l->on_woken)
		l->on_woken(l);
}

static void on_tick(uv_timer_t *handle)
{
	deadlines_expire(handle->data);
}

struct err loop_init(struct loop *l)
{
	*l = (struct loop){0};
	list_init(&l->deadline_queues);
	list_init(&l->posted);
	l->thread = pthread_self();
	l->plain_block = malloc(LOOP_HEADROOM + LOOP_PLAIN_BYTES + LOOP_TAILROOM);
	l->cipher = malloc(LOOP_READ_BYTES);
	l->out = malloc(LOOP_OUT_BYTES);
	if (!l->plain_block || !l->cipher || !l->out) {
		free(l->plain_block);
		free(l->cipher);
		free(l->out);
		return ERR_OF(NO_MEMORY);
	}
	l->plain = l->plain_block + LOOP_HEADROOM;
	int failed = uv_loop_init(&l->uv);
	if (failed)
		return ERR_OF(NETWORK, .sys = failed,
		              .what = "no event loop could be made (descriptor limit reached?)");
	pthread_mutex_init(&l->posted_lock, NULL);
	l->uv.data = l;
	l->before_poll.data = l->tick.data = l->wake.data = l;
	uv_prepare_init(&l->uv, &l->before_poll);
	uv_prepare_start(&l->before_poll, on_before_poll);
	uv_timer_init(&l->uv, &l->tick);
	uv_timer_start(&l->tick, on_tick, TICK_MS, TICK_MS);
	failed = uv_async_init(&l->uv, &l->wake, on_wake);
	if (failed)
		return ERR_OF(NETWORK, .sys = failed,
		              .what = "no wake-up descriptor could be made (descriptor limit reached?)");
	return tls_loop_init(l);
}

void loop_run(struct loop *l)
{
	l->thread = pthread_self();
	uv_update_time(&l->uv);
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
	if (l->closing)
		return;
	on_wake(&l->wake); /* what was posted before the end still runs */
	pthread_mutex_lock(&l->posted_lock);
	l->closing = true;
	pthread_mutex_unlock(&l->posted_lock);
	stream_flush_all(l);
	uv_close((uv_handle_t *)&l->before_poll, NULL);
	uv_close((uv_handle_t *)&l->tick, NULL);
	uv_close((uv_handle_t *)&l->wake, NULL);
}

void loop_done(struct loop *l)
{
	if (!l->plain_block)
		return;
	CHECK(l->open_streams == 0);
	CHECK(uv_loop_close(&l->uv) == 0);
	tls_loop_done(l);
	pthread_mutex_destroy(&l->posted_lock);
	free(l->plain_block);
	free(l->cipher);
	free(l->out);
	l->plain_block = NULL;
}

bool loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct posted *p = malloc(sizeof(*p));
	if (!p)
		return false;
	p->fn = fn;
	p->arg = arg;
	pthread_mutex_lock(&l->posted_lock);
	bool open = !l->closing;
	if (open) {
		list_push_back(&l->posted, &p->link);
		uv_async_send(&l->wake);
	}
	pthread_mutex_unlock(&l->posted_lock);
	if (!open)
		free(p);
	return open;
}

void loop_wake(struct loop *l)
{
	pthread_mutex_lock(&l->posted_lock);
	if (!l->closing)
		uv_async_send(&l->wake);
	pthread_mutex_unlock(&l->posted_lock);
}

void deadline_queue_open(struct loop *l, struct deadline_queue *q, uint32_t limit_ms,
                         void (*expired)(struct deadline *, struct deadline_queue *), void *context)
{
	list_init(&q->armed);
	q->limit_ms = limit_ms;
	q->expired = expired;
	q->context = context;
	list_push_back(&l->deadline_queues, &q->in_loop);
}

void deadline_queue_close(struct deadline_queue *q)
{
	if (q->in_loop.next)
		list_remove(&q->in_loop);
}

void deadlines_expire(struct loop *l)
{
	msec_t now = loop_now(l);
	list_for_each_safe (link, &l->deadline_queues) {
		struct deadline_queue *q = container_of(link, struct deadline_queue, in_loop);
		struct list *first;
		while ((first = list_first(&q->armed))) {
			struct deadline *d = container_of(first, struct deadline, link);
			if (d->due > now)
				break;
			list_remove(&d->link);
			q->expired(d, q);
		}
	}
}
