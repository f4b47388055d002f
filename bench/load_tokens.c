#include "bench/load_tokens.h"

#include "proto/base64.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

enum {
	AHEAD = 512,              /* on each shelf: what bursts may take before anybody waits */
	STALE_US = 100 * 1000000, /* clocks may differ by five minutes; what a caller sends is younger */
	RETRY_US = 200 * 1000,
	WAITERS = LOAD_THREADS_MAX + 1,
};

struct shelf {
	struct list ready; /* of load_token, oldest first */
	unsigned count;
	bool used, filling;
	enum load_caller caller;
	size_t target;
	usec_t retry_at;
	char failed[LOAD_GSS_WORDS]; /* empty: the last token could be made */
};

struct waiter {
	struct loop *loop;
	void (*fn)(void *arg);
	void *arg;
};

struct load_tokens {
	const struct load_options *o;
	struct load_gss *credentials[CALLER_COUNT]; /* maker's; several callers may share one */
	struct load_gss *opened[CALLER_COUNT];      /* owned */
	char spn[LOAD_TARGETS_MAX][300];
	pthread_t thread;
	bool started;
	/* ---- under the lock ---- */
	pthread_mutex_t lock;
	pthread_cond_t work, more;
	struct shelf shelves[CALLER_COUNT][LOAD_TARGETS_MAX];
	struct list returned;
	struct waiter waiters[WAITERS];
	size_t waiter_count;
	bool ending;
	/* ---- maker's until its end ---- */
	struct load_auth_counts counts;
};

/* ---- the maker ---- */

static void token_free(struct load_token *k)
{
	if (!k)
		return;
	load_gss_forget(k->context);
	free(k->line);
	free(k->answer);
	free(k);
}

static struct load_token *make(struct load_tokens *t, enum load_caller caller, size_t target,
                               char words[static LOAD_GSS_WORDS])
{
	struct load_token *k = calloc(1, sizeof(*k));
	struct text bytes = {0}, line = {0};
	struct slice end_point = slice_of((const char *)t->o->end_point, t->o->end_point_len);
	if (!k || !load_gss_token(t->credentials[caller], t->spn[target], end_point, &bytes, &k->context, words)) {
		free(k);
		text_free(&bytes);
		return NULL;
	}
	text_add_str(&line, "Authorization: Negotiate ");
	text_add_base64(&line, bytes.at, bytes.len);
	text_add_str(&line, "\r\n");
	text_free(&bytes);
	list_init(&k->link);
	k->line = line.at; /* given away */
	k->line_len = line.len;
	k->made = clock_now();
	return k;
}

static void check(struct load_tokens *t, const struct load_token *k)
{
	char words[LOAD_GSS_WORDS] = "the answer's token is not base64";
	size_t len = k->answer ? strlen(k->answer) : 0, n = 0;
	bool fine = !k->answer || base64_decode(slice_of(k->answer, len), k->answer, &n);
	fine = fine && load_gss_check(k->context, slice_of(k->answer ? k->answer : "", n), words);
	t->counts.checked++;
	if (fine)
		return;
	if (!t->counts.wrong++)
		snprintf(t->counts.first_wrong, sizeof(t->counts.first_wrong), "%s", words);
}

/* The shelf that is emptiest of those that are to be filled; NULL: none. */
static struct shelf *next_shelf(struct load_tokens *t, usec_t now, usec_t *wake)
{
	struct shelf *found = NULL;
	for (size_t c = 0; c < CALLER_COUNT; c++)
		for (size_t i = 0; i < t->o->target_count; i++) {
			struct shelf *s = &t->shelves[c][i];
			if (!s->used || !s->filling)
				continue;
			if (s->retry_at > now)
				*wake = s->retry_at < *wake ? s->retry_at : *wake;
			else if (!found || s->count < found->count)
				found = s;
		}
	return found;
}

static void tell_waiters(struct load_tokens *t)
{
	pthread_cond_broadcast(&t->more);
	for (size_t i = 0; i < t->waiter_count; i++)
		loop_post(t->waiters[i].loop, t->waiters[i].fn, t->waiters[i].arg);
	t->waiter_count = 0;
}

/* Called and left with the lock. */
static void fill(struct load_tokens *t, struct shelf *s)
{
	char words[LOAD_GSS_WORDS];
	pthread_mutex_unlock(&t->lock);
	struct load_token *k = make(t, s->caller, s->target, words);
	pthread_mutex_lock(&t->lock);
	if (k) {
		t->counts.made++;
		list_push_back(&s->ready, &k->link);
		s->count++;
		s->filling = s->count < AHEAD;
		s->failed[0] = 0;
	} else {
		memcpy(s->failed, words, sizeof(s->failed));
		s->retry_at = clock_now() + RETRY_US;
	}
	tell_waiters(t);
}

/* Called and left with the lock. */
static void finish_returned(struct load_tokens *t)
{
	struct list *link;
	while ((link = list_first(&t->returned))) {
		struct load_token *k = container_of(link, struct load_token, link);
		list_remove(link);
		pthread_mutex_unlock(&t->lock);
		if (k->check)
			check(t, k);
		token_free(k);
		pthread_mutex_lock(&t->lock);
	}
}

static void sleep_until(struct load_tokens *t, usec_t wake)
{
	if (wake == UINT64_MAX) {
		pthread_cond_wait(&t->work, &t->lock);
		return;
	}
	struct timespec at = {.tv_sec = (time_t)(wake / 1000000), .tv_nsec = (long)(wake % 1000000) * 1000};
	pthread_cond_timedwait(&t->work, &t->lock, &at);
}

static void *run(void *arg)
{
	struct load_tokens *t = arg;
	pthread_mutex_lock(&t->lock);
	while (!t->ending) {
		usec_t wake = UINT64_MAX;
		struct shelf *s = next_shelf(t, clock_now(), &wake);
		if (s && s->count < AHEAD / 4) /* who may soon wait comes before what has been used */
			fill(t, s);
		else if (!list_empty(&t->returned))
			finish_returned(t);
		else if (s)
			fill(t, s);
		else
			sleep_until(t, wake);
	}
	finish_returned(t);
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* ---- for the workers ---- */

bool load_token_is_stale(const struct load_token *k)
{
	return clock_now() - k->made > STALE_US;
}

struct load_token *load_tokens_take(struct load_tokens *t, enum load_caller caller, size_t target, bool *failed,
                                    char *words, size_t cap)
{
	struct shelf *s = &t->shelves[caller][target];
	struct load_token *taken = NULL;
	pthread_mutex_lock(&t->lock);
	struct list *link;
	while (!taken && (link = list_first(&s->ready))) {
		list_remove(link);
		s->count--;
		taken = container_of(link, struct load_token, link);
		if (load_token_is_stale(taken)) {
			list_push_back(&t->returned, link);
			taken = NULL;
		}
	}
	*failed = !taken && s->failed[0];
	if (*failed)
		snprintf(words, cap, "%s", s->failed);
	if (!s->filling && s->count < AHEAD / 2) {
		s->filling = true;
		pthread_cond_signal(&t->work);
	}
	pthread_mutex_unlock(&t->lock);
	return taken;
}

struct load_token *load_tokens_await(struct load_tokens *t, enum load_caller caller, size_t target, char *words,
                                     size_t cap)
{
	for (;;) {
		bool failed;
		struct load_token *k = load_tokens_take(t, caller, target, &failed, words, cap);
		if (k || failed)
			return k;
		struct shelf *s = &t->shelves[caller][target];
		pthread_mutex_lock(&t->lock);
		while (!s->count && !s->failed[0])
			pthread_cond_wait(&t->more, &t->lock);
		pthread_mutex_unlock(&t->lock);
	}
}

void load_tokens_return(struct load_tokens *t, struct load_token *k, bool check_it, char *answer)
{
	if (!k) {
		free(answer);
		return;
	}
	k->check = check_it;
	k->answer = answer;
	pthread_mutex_lock(&t->lock);
	list_push_back(&t->returned, &k->link);
	pthread_cond_signal(&t->work);
	pthread_mutex_unlock(&t->lock);
}

void load_tokens_wait(struct load_tokens *t, struct loop *l, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&t->lock);
	bool known = false;
	for (size_t i = 0; i < t->waiter_count; i++)
		known |= t->waiters[i].loop == l;
	if (!known && t->waiter_count < WAITERS)
		t->waiters[t->waiter_count++] = (struct waiter){l, fn, arg};
	pthread_mutex_unlock(&t->lock);
}

/* ---- beginning and end ---- */

/* Callers that name the same cache share what was read from it. */
static bool open_credentials(struct load_tokens *t, char words[static LOAD_GSS_WORDS])
{
	for (int c = 0; c < CALLER_COUNT; c++) {
		const char *cache = t->o->caches[c];
		for (int before = 0; before < c && !t->credentials[c]; before++) {
			const char *other = t->o->caches[before];
			if (cache == other || (cache && other && strcmp(cache, other) == 0))
				t->credentials[c] = t->credentials[before];
		}
		if (t->credentials[c])
			continue;
		if (!load_gss_open(cache, &t->opened[c], words))
			return false;
		t->credentials[c] = t->opened[c];
	}
	return true;
}

static bool first_token(struct load_tokens *t, enum load_caller caller, size_t target,
                        char words[static LOAD_GSS_WORDS])
{
	struct load_token *k = make(t, caller, target, words);
	if (!k)
		return false;
	struct shelf *s = &t->shelves[caller][target];
	t->counts.made++;
	list_push_back(&s->ready, &k->link);
	s->count = 1;
	s->used = s->filling = true;
	return true;
}

static const char *prepare(struct load_tokens *t, char *words, size_t cap)
{
	char why[LOAD_GSS_WORDS];
	if (!open_credentials(t, why)) {
		snprintf(words, cap,
		         "no Kerberos credentials (%s); get some with kinit, and name them in KRB5CCNAME or with "
		         "--credentials",
		         why);
		return words;
	}
	for (int c = 0; c < CALLER_COUNT; c++)
		for (size_t i = 0; i < t->o->target_count; i++) {
			/* the calls of a server's start are an Exchange server's */
			if (!t->o->callers[c] && !(t->o->bootstrap && c == CALLER_EXCHANGE))
				continue;
			if (first_token(t, (enum load_caller)c, i, why))
				continue;
			snprintf(words, cap, "no Kerberos token for %s (%s)%s", t->spn[i], why,
			         t->o->spn ? ""
			                   : "; if the service has another name in Kerberos, give it with --spn "
			                     "HTTP/NAME");
			return words;
		}
	const char *openssl = load_gss_openssl();
	if (!openssl)
		return NULL;
	snprintf(words, cap,
	         "Kerberos has loaded %s, which cannot live in one process with BoringSSL; remove the Kerberos or "
	         "GSSAPI plug-in "
	         "that needs it (krb5-pkinit, krb5-k5tls, gss-ntlmssp)",
	         openssl);
	return words;
}

/* The thread is there before load_run() blocks the signals that end a run early, and must not be the one that gets them. */
static int start_thread(struct load_tokens *t)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&t->thread, NULL, run, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed;
}

struct err load_tokens_new(const struct load_options *o, struct load_tokens **out, char *words, size_t cap)
{
	struct load_tokens *t = calloc(1, sizeof(*t));
	if (!t)
		return ERR_OF(NO_MEMORY);
	t->o = o;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&t->work, &monotonic);
	pthread_cond_init(&t->more, &monotonic);
	pthread_condattr_destroy(&monotonic);
	list_init(&t->returned);
	for (size_t c = 0; c < CALLER_COUNT; c++)
		for (size_t i = 0; i < LOAD_TARGETS_MAX; i++) {
			t->shelves[c][i].caller = (enum load_caller)c;
			t->shelves[c][i].target = i;
			list_init(&t->shelves[c][i].ready);
		}
	for (size_t i = 0; i < o->target_count; i++)
		snprintf(t->spn[i], sizeof(t->spn[i]), "%s%s", o->spn ? "" : "HTTP/",
		         o->spn ? o->spn : o->targets[i].uri.host);
	struct err failed = OK;
	if (prepare(t, words, cap))
		failed = ERR_OF(SETTINGS, .what = words);
	int thread = failed.code ? 0 : start_thread(t);
	if (thread)
		failed = ERR_OF(SYSTEM, .sys = thread, .what = "no thread could be started");
	t->started = !failed.code;
	if (failed.code) {
		struct load_auth_counts none = {0};
		load_tokens_free(t, &none);
		return failed;
	}
	*out = t;
	return OK;
}

void load_tokens_free(struct load_tokens *t, struct load_auth_counts *into)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->ending = true;
	pthread_cond_signal(&t->work);
	pthread_mutex_unlock(&t->lock);
	if (t->started)
		pthread_join(t->thread, NULL);
	for (size_t c = 0; c < CALLER_COUNT; c++)
		for (size_t i = 0; i < LOAD_TARGETS_MAX; i++)
			for (struct list *link; (link = list_first(&t->shelves[c][i].ready));) {
				list_remove(link);
				token_free(container_of(link, struct load_token, link));
			}
	for (size_t c = 0; c < CALLER_COUNT; c++)
		load_gss_free(t->opened[c]);
	load_auth_counts_merge(into, &t->counts);
	pthread_cond_destroy(&t->work);
	pthread_cond_destroy(&t->more);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
