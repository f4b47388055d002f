/* Threads that answer the jobs of one queue; what blocks, blocks here. Owned by the server; main thread. */
#pragma once
#include "core/authd/fair_queue.h"
#include "core/base/err.h"

struct pool {
	struct fair_queue queue;
	pthread_t *threads;
	unsigned count;
	/* Both in a thread of the pool; work() owns the job from then on. */
	void (*work)(void *context, struct job *j);
	void (*thread_end)(void);
	void *context;
};

/* Signals are to be blocked before, so that no thread of these gets one. work, thread_end and context are set. */
struct err pool_start(struct pool *p, unsigned threads, size_t queue_limit);
/* Jobs that wait are freed unanswered; waits for those in work. Takes one that was not started. */
void pool_stop(struct pool *p);
