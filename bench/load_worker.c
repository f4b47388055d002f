#include "bench/load_worker.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
	PENALTY_MS = 100, /* in a closed loop a connection that failed does not try again at once */
	DRAIN_MS = 5000,  /* after the end, for what is in flight; less if the timeout is less */
	DEADLINE_SLACK_MS = 200,
};

/* ---- the end ---- */

void load_worker_finish_if_quiet(struct load_worker *w)
{
	if (!w->stopping || w->link.live || uv_is_closing((uv_handle_t *)&w->stop_timer))
		return;
	uv_close((uv_handle_t *)&w->stop_timer, NULL);
	uv_close((uv_handle_t *)&w->drain_timer, NULL);
	uv_close((uv_handle_t *)&w->due_poll, NULL);
	loop_stop(&w->loop);
}

static void close_slots(struct load_worker *w, bool busy_too)
{
	for (size_t g = 0; g < w->group_count; g++)
		load_group_close(&w->groups[g], busy_too);
}

static void on_drained(uv_timer_t *timer)
{
	close_slots(timer->data, true);
}

/* Nothing new begins; what is in flight may still end. */
void load_worker_wind_down(struct load_worker *w)
{
	if (w->stopping)
		return;
	w->stopping = true;
	usec_t now = clock_now(), end = now < w->end ? now : w->end;
	for (size_t g = 0; g < w->group_count && w->options->rate > 0; g++) {
		uint64_t left = load_schedule_left(&w->groups[g].schedule, end);
		w->stats.errors[LOAD_ERROR_UNSENT] += left < w->requests_left ? left : w->requests_left;
	}
	uv_poll_stop(&w->due_poll);
	double drain_ms = w->options->timeout_s * 1000 + DEADLINE_SLACK_MS;
	uv_timer_start(&w->drain_timer, on_drained, drain_ms < DRAIN_MS ? (uint64_t)drain_ms : DRAIN_MS, 0);
	close_slots(w, false);
	load_worker_finish_if_quiet(w);
}

static void on_stop_time(uv_timer_t *timer)
{
	load_worker_wind_down(timer->data);
}

/* ---- when the next request is due ---- */

void load_worker_arm(struct load_worker *w)
{
	usec_t next = 0;
	for (size_t i = 0; i < w->group_count; i++) {
		usec_t due = load_schedule_due(&w->groups[i].schedule);
		if (!w->groups[i].behind && due < w->end && (!next || due < next))
			next = due;
	}
	if (next == w->due_armed || w->stopping)
		return;
	w->due_armed = next;
	/* 0 disarms: a group that is behind goes on when one of its connections is free */
	struct itimerspec at = {
	        .it_value = {.tv_sec = (time_t)(next / 1000000), .tv_nsec = (long)(next % 1000000) * 1000}};
	timerfd_settime(w->due_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void on_due(uv_poll_t *poll, int status, int events)
{
	struct load_worker *w = poll->data;
	w->due_armed = UINT64_MAX; /* it has fired, and stays readable until it is set again */
	for (size_t i = 0; i < w->group_count; i++)
		load_group_pump(&w->groups[i]);
	load_worker_arm(w);
}

/* ---- beginning ---- */

static void begin(struct load_worker *w)
{
	for (size_t i = 0; i < w->group_count; i++)
		load_group_begin(&w->groups[i]);
	if (w->options->rate > 0)
		load_worker_arm(w);
}

static void on_begin_time(uv_timer_t *timer)
{
	struct load_worker *w = timer->data;
	usec_t now = clock_now();
	uv_timer_start(&w->stop_timer, on_stop_time, w->end > now ? (w->end - now + 999) / 1000 : 0, 0);
	begin(w);
}

static struct err make_tls(struct load_worker *w)
{
	for (size_t t = 0; t < w->options->target_count; t++) {
		const struct load_target *to = &w->options->targets[t];
		if (!to->uri.tls)
			continue;
		struct tls_client_options options = {.ca_file = w->options->ca_file,
		                                     .host = to->uri.host,
		                                     .resume = w->options->resume,
		                                     .insecure_no_verify = w->options->insecure};
		TRY(tls_client_new(&options, &w->tls[t]));
	}
	return OK;
}

struct err load_worker_new(const struct load_worker_options *wo, struct load_worker **out)
{
	struct load_worker *w = calloc(1, sizeof(*w));
	if (!w)
		return ERR_OF(NO_MEMORY);
	*out = w;
	w->due_fd = -1;
	w->options = wo->options;
	w->index = wo->index;
	w->images = wo->images;
	w->auth = wo->auth;
	w->verifier = wo->verifier;
	w->progress = wo->progress;
	w->requests_left = wo->requests;
	w->serial = ((uint64_t)w->index + 1) << 48;
	w->sample = load_rng_seed(w->options->seed + 77 + w->index);
	double share = w->options->verify;
	w->sample_below = share >= 1 ? UINT64_MAX : (uint64_t)ldexp(share, 64);
	TRY(loop_init(&w->loop));
	w->has_loop = true;
	TRY(make_tls(w));
	load_link_init(&w->link, &w->loop, &load_group_events, (uint32_t)(w->options->timeout_s * 1000));
	deadline_queue_open(&w->loop, &w->penalties, PENALTY_MS, load_group_penalty_over, w);
	w->due_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (w->due_fd < 0)
		return ERR_OF(SYSTEM, .sys = errno, .what = "no timer could be made (descriptor limit reached?)");
	uv_timer_init(&w->loop.uv, &w->stop_timer);
	uv_timer_init(&w->loop.uv, &w->drain_timer);
	uv_poll_init(&w->loop.uv, &w->due_poll, w->due_fd);
	w->stop_timer.data = w->drain_timer.data = w->due_poll.data = w;
	w->has_handles = true;
	for (int c = 0; c < CALLER_COUNT; c++)
		if (w->options->callers[c])
			TRY(load_group_init(&w->groups[w->group_count++], w, (enum load_caller)c, wo->connections[c],
			                    wo->in_flight[c]));
	return OK;
}

static void *run(void *arg)
{
	struct load_worker *w = arg;
	usec_t now = clock_now();
	uv_update_time(&w->loop.uv);
	uv_poll_start(&w->due_poll, UV_READABLE, on_due);
	uv_timer_start(&w->stop_timer, on_begin_time, w->begin > now ? (w->begin - now + 999) / 1000 : 0, 0);
	loop_run(&w->loop);
	pthread_mutex_lock(&w->progress->lock);
	w->progress->ended++;
	pthread_mutex_unlock(&w->progress->lock);
	pthread_kill(w->progress->main_thread, SIGUSR1);
	return NULL;
}

struct err load_worker_start(struct load_worker *w, usec_t begin_at)
{
	const struct load_options *o = w->options;
	w->begin = begin_at;
	w->measure_from = w->begin + (usec_t)(o->warmup_s * 1e6);
	w->end = w->measure_from + (usec_t)(o->duration_s * 1e6);
	unsigned weights = 0;
	for (size_t i = 0; i < w->group_count; i++)
		weights += w->groups[i].profile.weight;
	for (size_t i = 0; i < w->group_count && o->rate > 0; i++) {
		struct load_group *g = &w->groups[i];
		load_schedule_start(&g->schedule, w->begin, o->rate * g->profile.weight / weights, w->index, o->threads,
		                    o->poisson, g->seed);
	}
	int failed = pthread_create(&w->thread, NULL, run, w);
	w->started = !failed;
	return failed ? ERR_OF(SYSTEM, .sys = failed, .what = "no thread could be started") : OK;
}

static void answer_ask(void *arg)
{
	struct load_worker *w = arg;
	pthread_mutex_lock(&w->progress->lock);
	histogram_merge(&w->progress->sum.latency, &w->interval.latency);
	w->progress->sum.errors += w->interval.errors;
	for (size_t i = 0; i < w->group_count; i++)
		w->progress->sum.in_flight += w->groups[i].in_flight;
	pthread_mutex_unlock(&w->progress->lock);
	histogram_clear(&w->interval.latency);
	w->interval.errors = 0;
}

static void answer_stop(void *arg)
{
	load_worker_wind_down(arg);
}

void load_worker_ask(struct load_worker *w)
{
	loop_post(&w->loop, answer_ask, w);
}

void load_worker_stop(struct load_worker *w)
{
	loop_post(&w->loop, answer_stop, w);
}

void load_worker_join(struct load_worker *w)
{
	if (!w->started)
		return;
	pthread_join(w->thread, NULL);
	w->started = false;
	struct load_stats *s = &w->stats;
	s->connections = w->link.connections;
	s->connections_failed = w->link.connections_failed;
	s->stray = w->link.stray;
	for (size_t t = 0; t < w->options->target_count; t++) {
		if (!w->tls[t])
			continue;
		const struct tls_counts *counts = tls_client_counts(w->tls[t]);
		s->handshakes += counts->handshakes;
		s->resumed += counts->resumed;
	}
	for (size_t c = 0; c < CALLER_COUNT; c++)
		for (size_t op = 0; op < OP_COUNT; op++)
			load_tally_merge(&s->total, &s->rows[c][op]);
	s->total.errors += s->errors[LOAD_ERROR_UNSENT];
	answer_ask(w);
}

void load_worker_free(struct load_worker *w)
{
	if (!w)
		return;
	if (w->has_loop && !w->stopping) { /* never ran: its handles are still open */
		w->stopping = true;
		if (w->has_handles)
			load_worker_finish_if_quiet(w);
		else
			loop_stop(&w->loop);
		loop_run(&w->loop);
	}
	if (w->has_loop)
		loop_done(&w->loop);
	for (size_t i = 0; i < w->group_count; i++) {
		for (unsigned s = 0; w->groups[i].slots && s < w->groups[i].slot_count; s++)
			load_proof_done(&w->groups[i].slots[s].proof);
		free(w->groups[i].slots);
	}
	for (size_t t = 0; t < LOAD_TARGETS_MAX; t++)
		tls_client_free(w->tls[t]);
	if (w->due_fd >= 0)
		close(w->due_fd);
	load_images_free(w->images);
	free(w);
}
