#include "bench/cloud_sim_worker.h"

#include "bench/cloud_sim_conn.h"

#include <stdio.h>
#include <stdlib.h>

enum { BACKLOG = 4096 };

/* All workers and all runs: a caller may resume with any of them, also after a restart of nothing. */
static struct tls_ticket_keys ticket_keys;

/* ---- listening ---- */

/* What the script says about the next connection; counts it off. */
static enum sim_action first_action(struct sim *sim)
{
	struct sim_connection_rules *c = &sim->script.connections;
	enum sim_action what = SIM_GO_ON;
	pthread_mutex_lock(&sim->script.lock);
	uint64_t limit = c->limit;
	if (c->accept_then_close) {
		c->accept_then_close--;
		what = SIM_CLOSE;
	} else if (c->accept_then_reset) {
		c->accept_then_reset--;
		what = SIM_RESET;
	} else if (c->stall_handshake) {
		c->stall_handshake--;
		what = SIM_STALL;
	}
	pthread_mutex_unlock(&sim->script.lock);
	if (limit && what == SIM_GO_ON) {
		pthread_mutex_lock(&sim->seen.lock);
		if (sim->seen.connections.open >= limit)
			what = SIM_CLOSE;
		pthread_mutex_unlock(&sim->seen.lock);
	}
	return what;
}

static void on_connection(struct listener *base)
{
	struct sim_listener *l = container_of(base, struct sim_listener, base);
	if (l->worker->sim->options->fixed)
		sim_fixed_accept(l->worker, l);
	else
		sim_conn_accept(l->worker, l, first_action(l->worker->sim));
}

static void on_listener_closed(struct listener *base)
{
	free(container_of(base, struct sim_listener, base));
}

static struct err listen_at(struct sim_worker *w, unsigned i)
{
	struct sim_listener *l = calloc(1, sizeof *l);
	CHECK(l);
	l->worker = w;
	l->index = i;
	l->base.on_connection = on_connection;
	l->base.on_closed = on_listener_closed;
	l->base.tls = w->tls[i];
	struct err e = listener_open(&l->base, &w->loop, (struct sockaddr *)&w->sim->bound[i], w->sim->worker_count > 1,
	                             BACKLOG);
	if (e.code) {
		if (!uv_is_closing((uv_handle_t *)&l->base.tcp)) /* else it is freed when it is closed */
			free(l);
		return e;
	}
	/* Only the first worker finds a 0 here, before there are threads. */
	struct sockaddr_storage *bound = &w->sim->bound[i];
	in_port_t *port = bound->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)bound)->sin6_port
	                                               : &((struct sockaddr_in *)bound)->sin_port;
	if (*port == 0)
		*port = htons(listener_port(&l->base));
	w->listeners[i] = l;
	return OK;
}

static void stop_listening(struct sim_worker *w)
{
	for (unsigned i = 0; i < SIM_LISTENERS_MAX; i++) {
		if (w->listeners[i])
			listener_close(&w->listeners[i]->base);
		w->listeners[i] = NULL;
	}
}

/* ---- life ---- */

static struct err make_tls(struct sim_worker *w, unsigned i)
{
	const struct sim_listen *from = &w->sim->options->listen[i];
	struct tls_server_options o = {.certificate = {from->certificate}, .key = {from->key}};
	if (!from->certificate)
		return OK;
	static const struct tls_ticket_keys none;
	if (memcmp(&ticket_keys, &none, sizeof none) == 0)
		tls_ticket_keys_make(&ticket_keys);
	if (!from->no_tickets)
		o.tickets = &ticket_keys;
	TRY(tls_server_new(&o, &w->tls[i]));
	tls_server_versions(w->tls[i], from->tls_lowest, from->tls_highest);
	return OK;
}

struct err sim_worker_init(struct sim_worker *w, struct sim *sim)
{
	w->sim = sim;
	list_init(&w->connections);
	TRY(loop_init(&w->loop));
	TRY(sim_clock_open(&w->clock, &w->loop));
	w->runs = true;
	if (sim->options->fixed)
		sim_fixed_init(&w->fixed);
	else
		rms_answers_init(&w->answers, sim->tenant);
	for (unsigned i = 0; i < sim->options->listen_count; i++) {
		TRY(make_tls(w, i));
		TRY(listen_at(w, i));
	}
	return OK;
}

static void *run(void *arg)
{
	struct sim_worker *w = arg;
	loop_run(&w->loop);
	return NULL;
}

struct err sim_worker_start(struct sim_worker *w)
{
	if (pthread_create(&w->thread, NULL, run, w) != 0)
		return ERR_OF(SYSTEM, .what = "no thread could be started");
	w->started = true;
	return OK;
}

static void stop_when_empty(struct sim_worker *w)
{
	if (!w->stopping || w->stopped || !list_empty(&w->connections))
		return;
	w->stopped = true;
	sim_clock_close(&w->clock);
	loop_stop(&w->loop);
}

void sim_worker_connection_closed(struct sim_worker *w)
{
	stop_when_empty(w);
}

static void close_all(struct sim_worker *w, enum sim_which which, enum sim_action how)
{
	list_for_each_safe (link, &w->connections) {
		struct sim_peer *p = container_of(link, struct sim_peer, link);
		if (which == SIM_ALL_CONNECTIONS || p->is_idle(p))
			p->close(p, how);
	}
}

static void on_stop(void *arg)
{
	struct sim_worker *w = arg;
	w->stopping = true;
	stop_listening(w);
	close_all(w, SIM_ALL_CONNECTIONS, SIM_CLOSE);
	stop_when_empty(w);
}

void sim_worker_stop(struct sim_worker *w)
{
	if (w->started)
		loop_post(&w->loop, on_stop, w);
	else if (w->runs)
		on_stop(w);
}

void sim_worker_done(struct sim_worker *w)
{
	if (w->started)
		pthread_join(w->thread, NULL);
	else if (w->runs)
		run(w);
	if (!w->runs)
		return;
	loop_done(&w->loop);
	if (w->sim->options->fixed)
		sim_fixed_done(&w->fixed);
	else
		rms_answers_done(&w->answers);
	for (unsigned i = 0; i < SIM_LISTENERS_MAX; i++)
		tls_server_free(w->tls[i]);
}

/* ---- orders from the control port ---- */

struct order {
	struct sim_worker *w;
	void (*run)(struct order *o);
	bool listen;
	enum sim_which which;
	enum sim_action how;
	struct order_wait {
		pthread_mutex_t lock;
		pthread_cond_t all_done;
		unsigned left;
	} * wait;
};

static void on_order(void *arg)
{
	struct order *o = arg;
	o->run(o);
	pthread_mutex_lock(&o->wait->lock);
	o->wait->left--;
	pthread_cond_signal(&o->wait->all_done);
	pthread_mutex_unlock(&o->wait->lock);
}

static void give_order(struct sim *sim, struct order what)
{
	struct order_wait wait = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
	struct order orders[SIM_WORKERS_MAX];
	what.wait = &wait;
	for (unsigned i = 0; i < sim->worker_count; i++) {
		orders[i] = what;
		orders[i].w = &sim->workers[i];
		pthread_mutex_lock(&wait.lock);
		wait.left++;
		pthread_mutex_unlock(&wait.lock);
		if (!loop_post(&sim->workers[i].loop, on_order, &orders[i])) {
			pthread_mutex_lock(&wait.lock);
			wait.left--;
			pthread_mutex_unlock(&wait.lock);
		}
	}
	pthread_mutex_lock(&wait.lock);
	while (wait.left)
		pthread_cond_wait(&wait.all_done, &wait.lock);
	pthread_mutex_unlock(&wait.lock);
}

static void listen_again(struct order *o)
{
	struct sim_worker *w = o->w;
	if (!o->listen)
		stop_listening(w);
	for (unsigned i = 0; o->listen && i < w->sim->options->listen_count && !w->stopping; i++) {
		struct err e = w->listeners[i] ? OK : listen_at(w, i);
		if (e.code)
			fprintf(stderr, "rms-cloud-sim: cannot listen again: %s\n", err_text(e));
	}
}

void sim_listen(struct sim *sim, bool on)
{
	give_order(sim, (struct order){.run = listen_again, .listen = on});
}

static void close_some(struct order *o)
{
	close_all(o->w, o->which, o->how);
}

void sim_close_connections(struct sim *sim, enum sim_which which, enum sim_action how)
{
	give_order(sim, (struct order){.run = close_some, .which = which, .how = how});
}
