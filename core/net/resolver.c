#include "core/net/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Three tries, each waiting twice as long: 4.9 s until a silent server is given up. */
enum { TTL_LEAST_S = 5, TTL_MOST_S = 300, HOSTS_MAX = 64, QUERY_MS = 700, QUERY_TRIES = 3 };

struct waiter {
	struct list link;
	resolved_fn *done;
	void *context;
	uint16_t port;
};

struct host {
	struct list link;
	struct resolver *resolver;
	struct list waiting; /* of waiter: one query serves all who asked meanwhile */
	msec_t until;        /* 0: nothing kept */
	struct resolved kept;
	char name[256];
};

struct socket_watch { /* one of c-ares' sockets */
	struct list link;
	uv_poll_t poll;
	struct resolver *resolver;
	ares_socket_t fd;
};

struct resolver {
	struct loop *loop;
	ares_channel channel;
	uv_timer_t timer;
	struct list hosts, watches;
	uint32_t handles; /* freed when all are closed */
	uint32_t host_count;
	bool closing;
};

static void on_handle_gone(struct resolver *r)
{
	if (--r->handles > 0 || !r->closing)
		return;
	while (!list_empty(&r->hosts)) {
		struct host *h = container_of(list_first(&r->hosts), struct host, link);
		list_remove(&h->link);
		free(h);
	}
	free(r);
}

static void on_timer_closed(uv_handle_t *handle)
{
	on_handle_gone(container_of((uv_timer_t *)handle, struct resolver, timer));
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct socket_watch *w = container_of((uv_poll_t *)handle, struct socket_watch, poll);
	struct resolver *r = w->resolver;
	free(w);
	on_handle_gone(r);
}

static void rearm(struct resolver *r);

static void on_timer(uv_timer_t *timer)
{
	struct resolver *r = container_of(timer, struct resolver, timer);
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(r);
}

/* c-ares keeps no timer of its own: ours runs while any of its sockets is open. */
static void rearm(struct resolver *r)
{
	struct timeval most = {.tv_sec = 1}, own;
	if (r->closing || list_empty(&r->watches)) {
		uv_timer_stop(&r->timer);
		return;
	}
	const struct timeval *t =
	        ares_timeout(r->channel, &most, &own); /* one of the two; the other is not filled in */
	uv_timer_start(&r->timer, on_timer, (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000 + 1, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct socket_watch *w = container_of(poll, struct socket_watch, poll);
	struct resolver *r = w->resolver;
	ares_socket_t fd = w->fd;
	bool readable = status < 0 || events & UV_READABLE, writable = status < 0 || events & UV_WRITABLE;
	ares_process_fd(r->channel, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
	rearm(r);
}

static void on_socket_state(void *context, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = context;
	struct socket_watch *w = NULL;
	list_for_each (link, &r->watches) {
		struct socket_watch *candidate = container_of(link, struct socket_watch, link);
		if (candidate->fd == fd)
			w = candidate;
	}
	if (!readable && !writable) {
		if (w) {
			list_remove(&w->link);
			uv_poll_stop(&w->poll);
			uv_close((uv_handle_t *)&w->poll, on_watch_closed);
		}
		return;
	}
	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return; /* the query times out and says so */
		w->resolver = r;
		w->fd = fd;
		if (uv_poll_init(&r->loop->uv, &w->poll, (int)fd)) {
			free(w);
			return;
		}
		r->handles++;
		list_push_back(&r->watches, &w->link);
	}
	uv_poll_start(&w->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_poll);
}

struct err resolver_new(struct loop *l, const char *servers, struct resolver **out)
{
	struct resolver *r = calloc(1, sizeof(*r));
	if (!r)
		return ERR_OF(NO_MEMORY);
	r->loop = l;
	list_init(&r->hosts);
	list_init(&r->watches);
	char lookups[] = "fb";
	struct ares_options o = {.sock_state_cb = on_socket_state,
	                         .sock_state_cb_data = r,
	                         .timeout = QUERY_MS,
	                         .tries = QUERY_TRIES,
	                         .lookups = lookups};
	int failed = ares_init_options(&r->channel, &o,
	                               ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS);
	if (!failed && servers && servers[0]) {
		failed = ares_set_servers_ports_csv(r->channel, servers);
		if (failed)
			ares_destroy(r->channel);
	}
	if (failed) {
		free(r);
		return ERR_OF(NAME, .sys = failed, .what = ares_strerror(failed));
	}
	uv_timer_init(&l->uv, &r->timer);
	r->handles = 1;
	*out = r;
	return OK;
}

static void set_port(struct sockaddr_storage *a, uint16_t port)
{
	if (a->ss_family == AF_INET6)
		((struct sockaddr_in6 *)a)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)a)->sin_port = htons(port);
}

static void tell(struct host *h, struct err why)
{
	while (!list_empty(&h->waiting)) {
		struct waiter *w = container_of(list_first(&h->waiting), struct waiter, link);
		list_remove(&w->link);
		struct resolved answer = h->kept;
		for (size_t i = 0; i < answer.count; i++)
			set_port(&answer.address[i], w->port);
		w->done(w->context, why, why.code ? NULL : &answer);
		free(w);
	}
}

/* The library's many statuses are three causes to an administrator. */
static struct err no_address(int status)
{
	if (status == ARES_ENOTFOUND)
		return ERR_OF(NAME, .sys = UV_EAI_NONAME, .what = "the name servers know no such name");
	if (status == ARES_SUCCESS || status == ARES_ENODATA)
		return ERR_OF(NAME, .sys = UV_EAI_NODATA, .what = "the name has no address");
	return ERR_OF(NAME, .sys = UV_EAI_AGAIN,
	              .what = status == ARES_ETIMEOUT       ? "the name servers did not answer"
	                      : status == ARES_ECONNREFUSED ? "the name servers could not be asked"
	                                                    : ares_strerror(status));
}

static void on_answer(void *context, int status, int timeouts, struct ares_addrinfo *info)
{
	struct host *h = context;
	struct err why = OK;
	int ttl = TTL_MOST_S;
	h->kept.count = 0;
	if (status == ARES_SUCCESS) {
		/* IPv6 and IPv4 take turns, so that a dead family costs one failed attempt, not all of them. */
		for (int family = AF_INET6, misses = 0; misses < 2 && h->kept.count < RESOLVED_MAX;
		     family = family == AF_INET6 ? AF_INET : AF_INET6) {
			size_t already = 0, seen = 0;
			for (size_t i = 0; i < h->kept.count; i++)
				already += h->kept.address[i].ss_family == family;
			struct ares_addrinfo_node *n = info->nodes;
			for (; n; n = n->ai_next)
				if (n->ai_family == family && seen++ == already)
					break;
			if (!n) {
				misses++;
				continue;
			}
			misses = 0;
			memcpy(&h->kept.address[h->kept.count++], n->ai_addr, n->ai_addrlen);
			if (n->ai_ttl < ttl)
				ttl = n->ai_ttl;
		}
		ares_freeaddrinfo(info);
	}
	if (h->kept.count == 0)
		why = no_address(status);
	else
		h->until = loop_now(h->resolver->loop) + 1000 * (msec_t)(ttl < TTL_LEAST_S ? TTL_LEAST_S : ttl);
	tell(h, why);
}

static bool literal(const char *text, uint16_t port, struct resolved *out)
{
	*out = (struct resolved){.count = 1};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&out->address[0];
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->address[0];
	return uv_ip4_addr(text, port, v4) == 0 || uv_ip6_addr(text, port, v6) == 0;
}

static struct host *host_find(struct resolver *r, const char *name)
{
	list_for_each (link, &r->hosts) {
		struct host *h = container_of(link, struct host, link);
		if (strcasecmp(h->name, name) == 0)
			return h;
	}
	return NULL;
}

static struct host *host_new(struct resolver *r, const char *name)
{
	if (strlen(name) >= sizeof(((struct host *)0)->name) || r->host_count >= HOSTS_MAX)
		return NULL;
	struct host *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->resolver = r;
	snprintf(h->name, sizeof(h->name), "%s", name);
	list_init(&h->waiting);
	list_push_back(&r->hosts, &h->link);
	r->host_count++;
	return h;
}

void resolver_lookup(struct resolver *r, const char *name, uint16_t port, resolved_fn *done, void *context)
{
	struct resolved answer;
	if (literal(name, port, &answer)) {
		done(context, OK, &answer);
		return;
	}
	struct host *h = host_find(r, name);
	if (!h)
		h = host_new(r, name);
	struct waiter *w = h && !r->closing ? malloc(sizeof(*w)) : NULL;
	if (!w) {
		done(context, ERR_OF(NAME, .what = "the resolver has no room"), NULL);
		return;
	}
	*w = (struct waiter){.done = done, .context = context, .port = port};
	bool asked = !list_empty(&h->waiting);
	list_push_back(&h->waiting, &w->link);
	if (!asked && h->until > loop_now(r->loop)) {
		tell(h, OK);
	} else if (!asked) {
		struct ares_addrinfo_hints hints = {
		        .ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT, .ai_socktype = SOCK_STREAM};
		ares_getaddrinfo(r->channel, h->name, NULL, &hints, on_answer, h);
		rearm(r);
	}
}

void resolver_forget(struct resolver *r, const char *name)
{
	struct host *h = host_find(r, name);
	if (h)
		h->until = 0;
}

void resolver_close(struct resolver *r)
{
	if (!r || r->closing)
		return;
	r->closing = true;
	ares_destroy(r->channel); /* answers what is open, closes its sockets through on_socket_state */
	uv_timer_stop(&r->timer);
	uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}
