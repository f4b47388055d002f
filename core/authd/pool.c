#include "core/authd/pool.h"

#include <stdlib.h>

static void *run(void *context)
{
	struct pool *p = context;
	struct job *j;
	while ((j = fair_queue_take(&p->queue)))
		p->work(p->context, j);
	if (p->thread_end)
		p->thread_end();
	return NULL;
}

struct err pool_start(struct pool *p, unsigned threads, size_t queue_limit)
{
	fair_queue_init(&p->queue, queue_limit);
	p->threads = calloc(threads, sizeof(*p->threads));
	if (!p->threads)
		return ERR_OF(NO_MEMORY);
	for (; p->count < threads; p->count++) {
		int failed = pthread_create(&p->threads[p->count], NULL, run, p);
		if (failed)
			return ERR_OF(SYSTEM, .sys = failed, .what = "a thread could not be started");
	}
	return OK;
}

void pool_stop(struct pool *p)
{
	if (!p->threads)
		return;
	fair_queue_close(&p->queue);
	for (unsigned i = 0; i < p->count; i++)
		pthread_join(p->threads[i], NULL);
	fair_queue_done(&p->queue);
	free(p->threads);
	p->threads = NULL;
}
