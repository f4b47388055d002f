#include "core/authd/directory_deadline.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct {
	pthread_once_t once;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct list set; /* those with a deadline, in no order: there are as many as threads that ask */
} watch = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};

/* The next deadline; those that are over end here. Under the lock. */
static usec_t look(usec_t now)
{
	usec_t next = UINT64_MAX;
	for (struct list *l = watch.set.next, *after; l != &watch.set; l = after) {
		struct directory_deadline *d = container_of(l, struct directory_deadline, link);
		after = l->next;
		if (d->until <= now) {
			shutdown(d->fd, SHUT_RDWR);
			list_remove(l);
		} else if (d->until < next) {
			next = d->until;
		}
	}
	return next;
}

static void *run(void *nothing)
{
	pthread_mutex_lock(&watch.lock);
	for (;;) {
		usec_t next = look(clock_now());
		struct timespec at = {.tv_sec = (time_t)(next / 1000000), .tv_nsec = (long)(next % 1000000) * 1000};
		if (next == UINT64_MAX)
			pthread_cond_wait(&watch.changed, &watch.lock);
		else
			pthread_cond_timedwait(&watch.changed, &watch.lock, &at);
	}
	return nothing;
}

/* For the life of the process. */
static void start(void)
{
	pthread_condattr_t monotonic;
	pthread_attr_t detached;
	pthread_t thread;
	list_init(&watch.set);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&watch.changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	CHECK(pthread_create(&thread, &detached, run, NULL) == 0);
	pthread_attr_destroy(&detached);
}

void directory_deadline_init(struct directory_deadline *d)
{
	pthread_once(&watch.once, start);
	list_init(&d->link);
	d->fd = -1;
	d->until = UINT64_MAX;
}

/* Under the lock. */
static void put_in(struct directory_deadline *d)
{
	list_remove(&d->link);
	if (d->fd < 0 || d->until == UINT64_MAX)
		return;
	list_push_back(&watch.set, &d->link);
	pthread_cond_signal(&watch.changed);
}

void directory_deadline_watch(struct directory_deadline *d, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return;
	pthread_mutex_lock(&watch.lock);
	int old = d->fd;
	d->fd = copy;
	put_in(d);
	pthread_mutex_unlock(&watch.lock);
	if (old >= 0)
		close(old);
}

void directory_deadline_set(struct directory_deadline *d, usec_t until)
{
	pthread_mutex_lock(&watch.lock);
	d->until = until;
	put_in(d);
	pthread_mutex_unlock(&watch.lock);
}

void directory_deadline_clear(struct directory_deadline *d)
{
	directory_deadline_set(d, UINT64_MAX);
}

void directory_deadline_done(struct directory_deadline *d)
{
	directory_deadline_clear(d);
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}
