/* Jobs that wait for a thread, bounded, in turn by origin: whoever sends many waits behind its own, not in front of others. Any thread; locked inside. */
#pragma once
#include "core/authd/job.h"

#include <pthread.h>

enum { FAIR_QUEUE_BUCKETS = 1024 };

struct fair_queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct list turn;                        /* of struct origin, the next one first */
	struct list buckets[FAIR_QUEUE_BUCKETS]; /* the same, by number */
	size_t count, limit, origins;
	bool closed;
};

void fair_queue_init(struct fair_queue *q, size_t limit);
/* Nobody may wait in it any more; frees what is left. */
void fair_queue_done(struct fair_queue *q);
/* NULL: it waits. Else the one that must be told BUSY: j itself, or, when another origin has more jobs waiting than j's, the newest of that one. */
struct job *fair_queue_push(struct fair_queue *q, struct job *j);
/* Waits for one. NULL: the queue was closed. */
struct job *fair_queue_take(struct fair_queue *q);
/* Whoever waits, and whoever asks later, gets NULL. */
void fair_queue_close(struct fair_queue *q);
size_t fair_queue_count(struct fair_queue *q);
