#include "bench/load_run.h"

#include "bench/load_report.h"
#include "bench/load_worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	SECOND_US = 1000000,
	START_US = 20000,  /* the workers begin together, this long after they are made */
	ANSWER_US = 20000, /* for a worker to hand over its interval */
	PATIENCE_S = 15,   /* beyond the drain: then something is wrong with this tool */
	SERIES_MAX = 2 * LOAD_SECONDS_MAX + 60,
};

struct run {
	const struct load_options *o;
	struct load_results *r;
	struct load_auth *auth;
	struct load_worker *workers[LOAD_THREADS_MAX];
	struct load_verifier *verifier;
	struct load_progress progress;
	usec_t begin, measure_from, end;
	bool stopped;
};

static void wanted_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGUSR1); /* a worker has ended */
}

/* Before any thread starts: these signals are taken by watch() alone. */
static void block_signals(void)
{
	sigset_t set;
	wanted_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static double cpu_now(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Sleeps until then, or until a signal comes: 0 or its number. */
static int sleep_until(usec_t then)
{
	sigset_t set;
	wanted_signals(&set);
	usec_t now = clock_now(), left = then > now ? then - now : 0;
	struct timespec wait = {.tv_sec = (time_t)(left / 1000000), .tv_nsec = (long)(left % 1000000) * 1000};
	int got = sigtimedwait(&set, NULL, &wait);
	return got < 0 ? 0 : got;
}

static unsigned ended(struct run *run)
{
	pthread_mutex_lock(&run->progress.lock);
	unsigned n = run->progress.ended;
	pthread_mutex_unlock(&run->progress.lock);
	return n;
}

static void stop_all(struct run *run)
{
	for (unsigned i = 0; i < run->o->threads; i++)
		load_worker_stop(run->workers[i]);
}

static void show(const struct run *run, const struct load_second *s, unsigned in_flight, usec_t now)
{
	char p50[16], p99[16], max[16];
	double left = run->end > now ? (double)(run->end - now) / 1e6 : 0;
	printf("\r%s %7u/s  errors %u  p50 %s  p99 %s  max %s  in flight %u  %.0f s left   ",
	       now < run->measure_from + SECOND_US / 2 ? "warm-up" : "running", s->good, s->errors,
	       load_time_text((double)s->p50, p50), load_time_text((double)s->p99, p99),
	       load_time_text((double)s->max, max), in_flight, left);
	fflush(stdout);
}

/* What has been handed over since the last time, as one second of the run. */
static void take_second(struct run *run, usec_t now, bool on_terminal)
{
	pthread_mutex_lock(&run->progress.lock);
	struct load_interval sum = run->progress.sum;
	run->progress.sum = (struct load_interval){0};
	pthread_mutex_unlock(&run->progress.lock);
	struct load_second s = {.good = (uint32_t)sum.latency.count,
	                        .errors = (uint32_t)sum.errors,
	                        .p50 = histogram_percentile(&sum.latency, 50),
	                        .p99 = histogram_percentile(&sum.latency, 99),
	                        .max = sum.latency.max};
	if (now > run->measure_from + SECOND_US / 2 && run->r->series_count < SERIES_MAX)
		run->r->series[run->r->series_count++] = s;
	if (on_terminal)
		show(run, &s, sum.in_flight, now);
}

/* One second is over: what the workers say about it. */
static void look(struct run *run, usec_t now, bool on_terminal)
{
	for (unsigned i = 0; i < run->o->threads; i++)
		load_worker_ask(run->workers[i]);
	usec_t until = clock_now() + ANSWER_US;
	while (clock_now() < until)
		usleep(ANSWER_US / 4);
	take_second(run, now, on_terminal);
}

/* Until every worker has ended. */
static void watch(struct run *run)
{
	bool on_terminal =
	        !run->o->quiet && isatty(STDOUT_FILENO) && !(run->o->json_file && strcmp(run->o->json_file, "-") == 0);
	double cpu = cpu_now();
	bool measuring = run->measure_from <= run->begin;
	usec_t next = run->begin + SECOND_US, patience = run->end + (usec_t)((PATIENCE_S + 5) * 1e6);
	/* the seconds of the measured part are whole; if anything, the first of the warm-up is shorter */
	usec_t odd = (run->measure_from - run->begin) % SECOND_US;
	next -= odd ? SECOND_US - odd : 0;
	while (ended(run) < run->o->threads) {
		int got = sleep_until(next);
		usec_t now = clock_now();
		if (got == SIGINT || got == SIGTERM) {
			run->r->interrupted = true;
			stop_all(run);
			patience = now + (usec_t)((PATIENCE_S + 5) * 1e6);
		}
		if (!measuring && now >= run->measure_from) {
			measuring = true;
			cpu = cpu_now();
		}
		if (now >= next && ended(run) < run->o->threads) {
			look(run, now, on_terminal);
			next += SECOND_US;
		}
		if (now > patience) {
			fputs("rms-load: a thread did not end; this is a fault of this tool\n", stderr);
			_exit(70);
		}
	}
	run->r->cpu_s = cpu_now() - cpu;
	if (on_terminal)
		printf("\r%100s\r", "");
}

/* Connections and requests in flight of each thread and kind of caller. */
static void share_out(const struct load_options *o, unsigned total, unsigned shares[LOAD_THREADS_MAX][CALLER_COUNT])
{
	unsigned weights[CALLER_COUNT * LOAD_THREADS_MAX], out[CALLER_COUNT * LOAD_THREADS_MAX];
	size_t n = 0;
	for (unsigned t = 0; t < o->threads; t++)
		for (int c = 0; c < CALLER_COUNT; c++)
			if (o->callers[c])
				weights[n++] = load_profile_of((enum load_caller)c, o).weight;
	load_share_out(total, weights, n, out);
	n = 0;
	for (unsigned t = 0; t < o->threads; t++)
		for (int c = 0; c < CALLER_COUNT; c++)
			shares[t][c] = o->callers[c] ? out[n++] : 0;
}

static struct err make_worker(struct run *run, const struct load_callers *callers, unsigned index,
                              const unsigned *connections, const unsigned *in_flight, char *words, size_t cap)
{
	const struct load_options *o = run->o;
	struct load_images *images = calloc(1, sizeof(*images));
	if (!images)
		return ERR_OF(NO_MEMORY);
	for (int c = 0; c < CALLER_COUNT; c++) {
		if (!o->callers[c])
			continue;
		struct load_profile p = load_profile_of((enum load_caller)c, o);
		if (!load_images_add(images, o, callers, &p, words, cap)) {
			load_images_free(images);
			return ERR_OF(SETTINGS, .what = words);
		}
	}
	uint64_t requests = UINT64_MAX;
	if (o->requests)
		requests = o->requests / o->threads + (index < o->requests % o->threads);
	struct load_worker_options wo = {.options = o,
	                                 .index = index,
	                                 .connections = connections,
	                                 .in_flight = in_flight,
	                                 .requests = requests,
	                                 .images = images,
	                                 .auth = run->auth,
	                                 .verifier = run->verifier,
	                                 .progress = &run->progress};
	return load_worker_new(&wo, &run->workers[index]);
}

static void sum_up(struct run *run)
{
	struct load_results *r = run->r;
	for (unsigned i = 0; i < run->o->threads && run->workers[i]; i++) {
		load_worker_join(run->workers[i]);
		load_stats_merge(&r->stats, &run->workers[i]->stats);
	}
	if (run->progress.sum.latency.count || run->progress.sum.errors) /* the last, perhaps not whole second */
		take_second(run, UINT64_MAX, false);
	load_verifier_free(run->verifier, &r->stats.verified); /* it still reads the workers' images */
	for (unsigned i = 0; i < run->o->threads; i++)
		load_worker_free(run->workers[i]);
	r->seconds = run->o->duration_s;
	usec_t last = r->stats.last_end;
	if ((run->o->requests || r->interrupted) && last < run->end)
		r->seconds = last > run->measure_from ? (double)(last - run->measure_from) / 1e6 : 0;
}

static struct err make_all(struct run *run, const struct load_callers *callers, char *words, size_t cap)
{
	const struct load_options *o = run->o;
	unsigned connections[LOAD_THREADS_MAX][CALLER_COUNT], in_flight[LOAD_THREADS_MAX][CALLER_COUNT];
	share_out(o, o->connections, connections);
	share_out(o, o->in_flight, in_flight);
	const struct rms_caller *learned = callers->of[CALLER_EXCHANGE];
	TRY(load_verifier_new(o, learned ? rms_caller_slc(learned) : NULL, &run->verifier));
	for (unsigned i = 0; i < o->threads; i++)
		TRY(make_worker(run, callers, i, connections[i], in_flight[i], words, cap));
	return OK;
}

static struct err start_all(struct run *run)
{
	run->begin = clock_now() + START_US;
	run->measure_from = run->begin + (usec_t)(run->o->warmup_s * 1e6);
	run->end = run->measure_from + (usec_t)(run->o->duration_s * 1e6);
	for (unsigned i = 0; i < run->o->threads; i++) {
		struct err failed = load_worker_start(run->workers[i], run->begin);
		if (failed.code) { /* those that run are told to end, and are waited for */
			while (i-- > 0)
				load_worker_stop(run->workers[i]);
			return failed;
		}
	}
	return OK;
}

struct err load_run(const struct load_options *o, const struct load_callers *callers, struct load_auth *auth,
                    struct load_results *r, char *words, size_t cap)
{
	struct run *run = calloc(1, sizeof(*run));
	r->series = calloc(SERIES_MAX, sizeof(*r->series));
	if (!run || !r->series) {
		free(run);
		return ERR_OF(NO_MEMORY);
	}
	run->o = o;
	run->r = r;
	run->auth = auth;
	block_signals();
	pthread_mutex_init(&run->progress.lock, NULL);
	run->progress.main_thread = pthread_self();
	struct err failed = make_all(run, callers, words, cap);
	if (!failed.code)
		failed = start_all(run);
	if (!failed.code)
		watch(run);
	sum_up(run);
	pthread_mutex_destroy(&run->progress.lock);
	free(run);
	return failed;
}
