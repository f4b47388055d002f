#include "core/worker.h"

#include "core/relay/client_conn.h"
#include "core/relay/recall.h"

#include <stdio.h>
#include <stdlib.h>

enum { BACKLOG = 4096 };

static void on_connection(struct listener *l)
{
	struct worker_listener *wl = container_of(l, struct worker_listener, listener);
	client_conn_accept(&wl->worker->relay, l);
}

static void end_if_over(struct worker *w)
{
	if (!w->empty || w->open_listeners > 0 || w->closed)
		return;
	w->closed = true;
	relay_close(&w->relay);
	uv_close((uv_handle_t *)&w->second, NULL);
	request_log_tick(w->log);
	loop_stop(&w->loop);
}

static void on_listener_closed(struct listener *l)
{
	struct worker *w = container_of(l, struct worker_listener, listener)->worker;
	w->open_listeners--;
	end_if_over(w);
}

static void on_empty(struct relay *r)
{
	struct worker *w = r->owner;
	w->empty = true;
	end_if_over(w);
}

static void take_list(struct worker *w)
{
	struct authlist *offered = __atomic_exchange_n(&w->offered, NULL, __ATOMIC_ACQ_REL);
	if (!offered)
		return;
	relay_take_list(&w->relay, offered);
	authlist_unref(offered);
}

static void take_cache(struct worker *w)
{
	struct cache_index *offered = __atomic_exchange_n(&w->offered_cache, NULL, __ATOMIC_ACQ_REL);
	if (!offered)
		return;
	recall_take_index(&w->relay, offered);
	cache_index_unref(offered);
}

/* At each wake-up, and each second in case one was lost. */
static void take_offers(struct worker *w)
{
	take_list(w);
	take_cache(w);
	relay_take_words(&w->relay);
}

static void on_woken(struct loop *loop)
{
	take_offers(container_of(loop, struct worker, loop));
}

static void on_second(uv_timer_t *timer)
{
	struct worker *w = timer->data;
	take_offers(w);
	metric_set(w->metrics, METRIC_unsent, 0, 0, (int64_t)w->loop.waiting_bytes);
	request_log_tick(w->log);
}

static void note_validity(struct relay *r, const struct tls_server *t)
{
	int64_t from_s, until_s;
	bool first = r->certificates_until_s == 0;
	tls_server_validity(t, &from_s, &until_s);
	r->certificates_from_s = first || from_s > r->certificates_from_s ? from_s : r->certificates_from_s;
	r->certificates_until_s = first || until_s < r->certificates_until_s ? until_s : r->certificates_until_s;
}

static struct err open_listener(struct worker *w, size_t i, const struct worker_options *o)
{
	const struct listener_settings *ls = &o->settings->listeners[i];
	struct worker_listener *wl = &w->listeners[i];
	struct sockaddr_storage address;
	wl->worker = w;
	TRY(address_parse(ls->address, &address));
	if (ls->certificates[0]) {
		struct tls_server_options t = {.certificate = {ls->certificates[0], ls->certificates[1]},
		                               .key = {ls->keys[0], ls->keys[1]},
		                               .tickets = o->tickets};
		TRY(tls_server_new(&t, &wl->tls));
		note_validity(&w->relay, wl->tls);
		if (ls->channel_binding == BINDING_REQUIRE && !tls_server_has_end_point(wl->tls))
			return ERR_OF(SETTINGS, .what = "channel_binding is require, but nothing can be bound to a "
			                                "certificate that is signed with RSA-PSS or Ed25519 (RFC 5929 "
			                                "4.1): take another certificate");
	}
	TRY(entrance_open(&wl->entrance, ls));
	wl->listener.context = &wl->entrance;
	wl->listener.on_connection = on_connection;
	wl->listener.on_closed = on_listener_closed;
	wl->listener.tls = wl->tls;
	TRY(listener_open(&wl->listener, &w->loop, (struct sockaddr *)&address, true, BACKLOG));
	wl->open = true;
	w->open_listeners++;
	return OK;
}

struct err worker_init(struct worker *w, const struct worker_options *o, const char **where)
{
	*w = (struct worker){.settings = o->settings};
	*where = "worker";
	w->metrics = metric_block_new();
	w->listeners = calloc(o->settings->listener_count, sizeof(*w->listeners));
	if (!w->metrics || !w->listeners)
		return ERR_OF(NO_MEMORY);
	w->log = request_log_buffer_new(o->request_log);
	TRY(loop_init(&w->loop));
	w->loop.on_woken = on_woken;
	w->relay.owner = w;
	w->relay.on_empty = on_empty;
	w->relay.node_clients = o->node_clients;
	w->relay.node_rate = o->node_rate;
	w->relay.decisions = o->decisions;
	w->relay.clients_max = o->clients_max;
	*where = "upstream";
	TRY(relay_open(&w->relay, &w->loop, o->settings, w->metrics, w->log, o->endpoint, o->first));
	for (size_t i = 0; i < o->settings->listener_count; i++) {
		*where = o->settings->listeners[i].address;
		TRY(open_listener(w, i, o));
	}
	uv_timer_init(&w->loop.uv, &w->second);
	w->second.data = w;
	uv_timer_start(&w->second, on_second, 1000, 1000);
	return OK;
}

static void *run(void *worker)
{
	struct worker *w = worker;
	take_offers(w);
	loop_run(&w->loop);
	w->on_ended(w);
	return NULL;
}

struct err worker_start(struct worker *w)
{
	int failed = pthread_create(&w->thread, NULL, run, w);
	w->started = failed == 0;
	return failed ? ERR_OF(SYSTEM, .sys = -failed, .what = "no thread could be started") : OK;
}

void worker_join(struct worker *w)
{
	if (w->started)
		pthread_join(w->thread, NULL);
	w->started = false;
}

void worker_done(struct worker *w)
{
	loop_done(&w->loop);
	authlist_unref(w->offered);
	cache_index_unref(w->offered_cache);
	relay_done(&w->relay);
	for (size_t i = 0; w->listeners && i < w->settings->listener_count; i++) {
		tls_server_free(w->listeners[i].tls);
		entrance_close(&w->listeners[i].entrance);
	}
	free(w->listeners);
	request_log_buffer_free(w->log);
	metric_block_free(w->metrics);
	*w = (struct worker){0};
}

void worker_drain(void *worker)
{
	relay_drain(&((struct worker *)worker)->relay);
}

static void close_listeners(struct worker *w)
{
	for (size_t i = 0; i < w->settings->listener_count; i++)
		if (w->listeners[i].open) {
			w->listeners[i].open = false;
			listener_close(&w->listeners[i].listener);
		}
}

void worker_stop(void *worker)
{
	struct worker *w = worker;
	close_listeners(w);
	relay_stop(&w->relay, false);
}

void worker_stop_at_once(void *worker)
{
	struct worker *w = worker;
	close_listeners(w);
	relay_stop(&w->relay, true);
}

void worker_offer_list(struct worker *w, struct authlist *list)
{
	authlist_unref(__atomic_exchange_n(&w->offered, authlist_ref(list), __ATOMIC_ACQ_REL));
	loop_wake(&w->loop);
}

void worker_offer_cache(struct worker *w, struct cache_index *index)
{
	cache_index_unref(__atomic_exchange_n(&w->offered_cache, cache_index_ref(index), __ATOMIC_ACQ_REL));
	loop_wake(&w->loop);
}

void worker_offer_words(struct worker *w, size_t credential, struct credential_words *words)
{
	upstreams_offer(&w->relay.upstreams, credential, words);
	loop_wake(&w->loop);
}
