#include "core/authd/fair_queue.h"

#include <stdlib.h>

/*   turn:  origin 7 -- origin 9 -- origin 4        take: the first job of the first origin, which then goes to the end
 *             |           |           |
 *            job         job         job
 *            job                     job             full: the longest column gives up its last
 */
struct origin {
	struct list turn, bucket;
	struct list jobs;
	uint64_t number;
	size_t count;
};

static struct list *bucket_of(struct fair_queue *q, uint64_t number)
{
	/* Numbers are addresses in some form: mixed, so that neighbours do not meet. */
	return &q->buckets[(number * 0x9e3779b97f4a7c15u >> 48) % FAIR_QUEUE_BUCKETS];
}

void fair_queue_init(struct fair_queue *q, size_t limit)
{
	*q = (struct fair_queue){.limit = limit};
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->filled, NULL);
	list_init(&q->turn);
	for (size_t i = 0; i < FAIR_QUEUE_BUCKETS; i++)
		list_init(&q->buckets[i]);
}

static void forget(struct fair_queue *q, struct origin *o)
{
	list_remove(&o->turn);
	list_remove(&o->bucket);
	q->origins--;
	free(o);
}

void fair_queue_done(struct fair_queue *q)
{
	struct list *link;
	while ((link = list_first(&q->turn))) {
		struct origin *o = container_of(link, struct origin, turn);
		struct list *job;
		while ((job = list_first(&o->jobs))) {
			list_remove(job);
			job_free(container_of(job, struct job, link));
		}
		forget(q, o);
	}
	pthread_cond_destroy(&q->filled);
	pthread_mutex_destroy(&q->lock);
}

static struct origin *find(struct fair_queue *q, uint64_t number)
{
	struct list *bucket = bucket_of(q, number);
	list_for_each (link, bucket) {
		struct origin *o = container_of(link, struct origin, bucket);
		if (o->number == number)
			return o;
	}
	struct origin *o = malloc(sizeof(*o));
	if (!o)
		return NULL;
	*o = (struct origin){.number = number};
	list_init(&o->jobs);
	list_push_back(&q->turn, &o->turn);
	list_push_back(bucket, &o->bucket);
	q->origins++;
	return o;
}

/* Only while the queue is full, and then there are at most as many origins as jobs. */
static struct origin *longest(struct fair_queue *q)
{
	struct origin *most = NULL;
	list_for_each (link, &q->turn) {
		struct origin *o = container_of(link, struct origin, turn);
		if (!most || o->count > most->count)
			most = o;
	}
	return most;
}

static struct job *take_last(struct fair_queue *q, struct origin *o)
{
	struct list *link = list_last(&o->jobs);
	list_remove(link);
	o->count--;
	q->count--;
	if (o->count == 0)
		forget(q, o);
	return container_of(link, struct job, link);
}

static struct job *push(struct fair_queue *q, struct job *j)
{
	struct job *out = NULL;
	struct origin *o = q->closed ? NULL : find(q, j->origin);
	if (!o)
		return j;
	if (q->count >= q->limit) {
		struct origin *most = longest(q);
		if (most->count <= o->count + 1) { /* nobody waits with more than it would: it is the one too many */
			if (o->count == 0)
				forget(q, o);
			return j;
		}
		out = take_last(q, most);
	}
	list_push_back(&o->jobs, &j->link);
	o->count++;
	q->count++;
	return out;
}

struct job *fair_queue_push(struct fair_queue *q, struct job *j)
{
	pthread_mutex_lock(&q->lock);
	struct job *out = push(q, j);
	if (out != j)
		pthread_cond_signal(&q->filled);
	pthread_mutex_unlock(&q->lock);
	return out;
}

struct job *fair_queue_take(struct fair_queue *q)
{
	struct job *j = NULL;
	pthread_mutex_lock(&q->lock);
	while (q->count == 0 && !q->closed)
		pthread_cond_wait(&q->filled, &q->lock);
	if (!q->closed) {
		struct origin *o = container_of(list_first(&q->turn), struct origin, turn);
		struct list *link = list_first(&o->jobs);
		list_remove(link);
		list_remove(&o->turn);
		list_push_back(&q->turn, &o->turn);
		o->count--;
		q->count--;
		if (o->count == 0)
			forget(q, o);
		j = container_of(link, struct job, link);
	}
	pthread_mutex_unlock(&q->lock);
	return j;
}

void fair_queue_close(struct fair_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->filled);
	pthread_mutex_unlock(&q->lock);
}

size_t fair_queue_count(struct fair_queue *q)
{
	pthread_mutex_lock(&q->lock);
	size_t count = q->count;
	pthread_mutex_unlock(&q->lock);
	return count;
}
