#include "bench/load_verify.h"

#include "bench/rms_check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUEUE = 64 };

struct load_verifier {
	const struct load_options *options;
	const struct crypto_key *slc;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct load_sample queue[QUEUE];
	unsigned head, count;
	bool ending;
	struct load_verified found; /* under lock, as the next two */
	char *reference;            /* of the measuring mode: the first answer; all are the same bytes */
	size_t reference_len;
};

/* Nobody knows the bytes beforehand, but they are the same each time: an answer that differs from the first shows that one of the two was changed. */
static bool same_as_first(struct load_verifier *v, const struct load_sample *s)
{
	pthread_mutex_lock(&v->lock);
	if (!v->reference) {
		v->reference = malloc(s->len ? s->len : 1);
		if (v->reference && s->len)
			memcpy(v->reference, s->body, s->len);
		v->reference_len = s->len;
	}
	const char *reference = v->reference; /* set once */
	size_t len = v->reference_len;
	pthread_mutex_unlock(&v->lock);
	return !reference || slice_equal(slice_of(reference, len), slice_of(s->body, s->len));
}

static const char *look(struct load_verifier *v, const struct load_sample *s, struct rms_check *check)
{
	*check = (struct rms_check){0};
	if (s->caller == CALLER_FIXED && v->options->sized)
		return same_as_first(v, s) ? NULL : "the answer has other bytes than the first one had";
	struct slice answer = slice_of(s->body, s->len);
	if (rms_answer_check(s->op, answer, s->image->items, v->slc, true, check))
		check->why = load_expected_check(&s->image->expected, s->op, answer);
	return check->why;
}

static void look_and_count(struct load_verifier *v, const struct load_sample *s)
{
	struct rms_check check;
	const char *why = look(v, s, &check);
	free(s->body);
	pthread_mutex_lock(&v->lock);
	struct load_verified *f = &v->found;
	f->answers++;
	f->signatures += check.signatures;
	f->wrong_signatures += check.wrong;
	f->items += check.items;
	f->failed_items += check.failed_items;
	f->wrong += why != NULL;
	if (why && !f->first_wrong[0])
		snprintf(f->first_wrong, sizeof(f->first_wrong), "%.*s: %s", SLICE_ARG(rms_ops[s->op].name), why);
	pthread_mutex_unlock(&v->lock);
}

static void *run(void *arg)
{
	struct load_verifier *v = arg;
	pthread_mutex_lock(&v->lock);
	for (;;) {
		while (!v->count && !v->ending)
			pthread_cond_wait(&v->more, &v->lock);
		if (!v->count)
			break;
		struct load_sample s = v->queue[v->head];
		v->head = (v->head + 1) % QUEUE;
		v->count--;
		pthread_mutex_unlock(&v->lock);
		look_and_count(v, &s);
		pthread_mutex_lock(&v->lock);
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

struct err load_verifier_new(const struct load_options *o, const struct crypto_key *slc, struct load_verifier **out)
{
	struct load_verifier *v = calloc(1, sizeof(*v));
	if (!v)
		return ERR_OF(NO_MEMORY);
	v->options = o;
	v->slc = slc;
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->more, NULL);
	int failed = pthread_create(&v->thread, NULL, run, v);
	if (failed) {
		free(v);
		return ERR_OF(SYSTEM, .sys = failed, .what = "no thread could be started");
	}
	*out = v;
	return OK;
}

void load_verifier_take(struct load_verifier *v, const struct load_sample *s)
{
	pthread_mutex_lock(&v->lock);
	bool room = v->count < QUEUE;
	if (room) {
		v->queue[(v->head + v->count) % QUEUE] = *s;
		v->count++;
		pthread_cond_signal(&v->more);
	}
	pthread_mutex_unlock(&v->lock);
	if (!room)
		look_and_count(v, s);
}

void load_verifier_free(struct load_verifier *v, struct load_verified *into)
{
	if (!v)
		return;
	pthread_mutex_lock(&v->lock);
	v->ending = true;
	pthread_cond_signal(&v->more);
	pthread_mutex_unlock(&v->lock);
	pthread_join(v->thread, NULL);
	load_verified_merge(into, &v->found);
	free(v->reference);
	pthread_cond_destroy(&v->more);
	pthread_mutex_destroy(&v->lock);
	free(v);
}
