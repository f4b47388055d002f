#include "core/server.h"

#include "core/base/log.h"
#include "core/relay/accounts.h"
#include "core/relay/authd_ask_line.h"
#include "core/relay/ntlm_callers.h"
#include "core/server_cache.h"
#include "proto/rms_op.h"
#include "proto/uri.h"
#include "store/state_lock.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { DESCRIPTOR_RESERVE = 128, RESOLVE_AT_START_MS = 10000 };

/* ---- what is made from settings ---- */

static const char *lower_case(const char *name, char *out, size_t cap)
{
	size_t at = 0;
	for (; at < cap - 1 && name[at]; at++)
		out[at] = (char)tolower((unsigned char)name[at]);
	out[at] = 0;
	return out;
}

static void name_authentication_metrics(void)
{
	static char text[AUTHD_REASON_COUNT + DECISION_REASON_COUNT][32];
	static const char *results[AUTHD_REASON_COUNT + 1], *decisions[DECISION_REASON_COUNT];
	static const char *const mechanisms[] = {"kerberos", "ntlm"};
	results[AUTHD_NONE] = "accepted";
	results[AUTHD_REASON_COUNT] = "continues";
	for (unsigned i = AUTHD_NONE + 1; i < AUTHD_REASON_COUNT; i++)
		results[i] = lower_case(authd_reason_row(i)->name, text[i], sizeof(text[i]));
	for (unsigned i = 0; i < DECISION_REASON_COUNT; i++)
		decisions[i] = lower_case(decision_row(i)->name, text[AUTHD_REASON_COUNT + i], sizeof(text[0]));
	metric_labels(METRIC_LABEL_AUTH_RESULT, results, AUTHD_REASON_COUNT + 1);
	metric_labels(METRIC_LABEL_MECHANISM, mechanisms, ARRAY_COUNT(mechanisms));
	metric_labels(METRIC_LABEL_DECISION, decisions, DECISION_REASON_COUNT);
}

static void name_proxy_metrics(void)
{
	static char text[PROXY_REASON_COUNT][16];
	static const char *reasons[PROXY_REASON_COUNT];
	for (unsigned i = 0; i < PROXY_REASON_COUNT; i++)
		reasons[i] = lower_case(proxy_reason_names[i], text[i], sizeof(text[i]));
	metric_labels(METRIC_LABEL_PROXY_REASON, reasons, PROXY_REASON_COUNT);
}

static void name_metrics(void)
{
	static const char *ops[OP_COUNT], *reasons[GUARD_COUNT];
	static const char *const closes[CLOSE_COUNT] = {
#define CLOSE(name, text) #name,
#include "core/relay/closes.def"
#undef CLOSE
	};
	static char lower[CLOSE_COUNT][16];
	static const char *close_names[CLOSE_COUNT];
	for (unsigned i = 0; i < OP_NONE; i++)
		ops[i] = rms_ops[i].metric;
	ops[OP_NONE] = "none";
	for (unsigned i = 0; i < GUARD_COUNT; i++)
		reasons[i] = guard_reason_name((enum guard_reason)i);
	for (unsigned i = 0; i < CLOSE_COUNT; i++) {
		for (size_t at = 0; at < sizeof(lower[i]) - 1 && closes[i][at]; at++)
			lower[i][at] = (char)tolower((unsigned char)closes[i][at]);
		close_names[i] = lower[i];
	}
	name_authentication_metrics();
	name_proxy_metrics();
	metric_labels(METRIC_LABEL_OP, ops, OP_COUNT);
	metric_labels(METRIC_LABEL_GUARD_REASON, reasons, GUARD_COUNT);
	metric_labels(METRIC_LABEL_CLOSE_REASON, close_names, CLOSE_COUNT);
}

static struct err make_endpoint(struct server *s)
{
	struct uri url;
	const char *wrong = uri_parse(slice_str(s->settings->upstream_url), &url);
	if (wrong)
		return ERR_OF(SETTINGS, .what = wrong);
	struct upstream_endpoint *e = &s->endpoint;
	snprintf(e->host, sizeof(e->host), "%s", url.host);
	e->port = url.port;
	e->tls = url.tls;
	bool v6 = strchr(url.host, ':') != NULL, usual = url.port == (url.tls ? 443 : 80);
	char port[16] = "";
	if (!usual)
		snprintf(port, sizeof(port), ":%u", url.port);
	snprintf(e->host_line, sizeof(e->host_line), "%s%s%s%s", v6 ? "[" : "", e->host, v6 ? "]" : "", port);
	return OK;
}

/* ---- credentials for the cloud ---- */

static void on_words(void *owner, size_t index, struct credential_words *words)
{
	struct server *s = owner;
	for (uint32_t i = 0; i < s->worker_count; i++)
		worker_offer_words(&s->workers[i], index, words);
}

/* In the worker's thread; what was refused is in its upstreams. Nothing to allocate, and nothing that could be left when the loop ends. */
static void on_words_refused(struct relay *relay)
{
	struct worker *w = relay->owner;
	struct server *s = w->owner;
	loop_wake(&s->loop);
}

static void on_woken(struct loop *loop)
{
	struct server *s = container_of(loop, struct server, loop);
	for (uint32_t i = 0; i < s->worker_count && s->state != SERVER_ENDED; i++) {
		struct upstreams *all = &s->workers[i].relay.upstreams;
		for (size_t k = 0; k < all->count; k++) {
			uint32_t serial = upstream_refusal(&all->list[k]);
			if (serial)
				credentials_refused(&s->credentials, k, serial);
		}
	}
}

static void on_line_told(void *owner, size_t index, struct slice line, int64_t ends_s, const char *problem)
{
	struct server *s = owner;
	credentials_line(&s->credentials, index, line, ends_s, problem);
}

static bool ask_line(void *owner, size_t index)
{
	struct server *s = owner;
	return s->asks && authd_ask_line(s->asks, s->settings->credentials[index].name, on_line_told, s, index);
}

static bool has_programs(const struct settings *s)
{
	for (size_t i = 0; i < s->credential_count; i++)
		if (s->credentials[i].kind == CREDENTIAL_EXEC)
			return true;
	return false;
}

static struct err open_credentials(struct server *s, const char **where)
{
	uint32_t roles = 0;
	for (size_t i = 0; i < s->settings->credential_count; i++)
		roles |= s->settings->credentials[i].roles;
	for (unsigned role = 0; role < AUTHLIST_ROLE_COUNT; role++)
		if (!(roles & 1u << role))
			event_log(EVENT_CREDENTIAL_MISSING,
			          "role %s: its callers are deferred until the list credentials: "
			          "of the configuration names one for it",
			          authlist_role_word(role));
	s->credentials.on_words = on_words;
	s->loop.on_woken = on_woken;
	s->credentials.ask_line = ask_line;
	s->credentials.owner = s;
	return credentials_open(&s->credentials, &s->loop, s->settings, s->endpoint.host_line, where);
}

/* Descriptors decide how many callers there can be; some stay for the cloud, logs and statistics. */
static uint32_t clients_max(const struct settings *s, uint32_t workers)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	uint64_t all = limit.rlim_cur, others = DESCRIPTOR_RESERVE + (uint64_t)workers * s->upstream_connections;
	if (others > all / 2)
		others = all / 2;
	uint64_t fits = all - others;
	if (s->limits_connections > fits)
		event_log(EVENT_SETTINGS_WARNING,
		          "limits.connections is %u, but the descriptor limit of %llu leaves %llu: raise LimitNOFILE",
		          s->limits_connections, (unsigned long long)all, (unsigned long long)fits);
	if (s->limits_connections && s->limits_connections < fits)
		fits = s->limits_connections;
	return fits < UINT32_MAX ? (uint32_t)fits : UINT32_MAX;
}

/* ---- the test switch: everything must be loopback ---- */

struct start_lookup {
	bool done, all_loopback;
	struct err why;
};

static void on_resolved(void *context, struct err why, const struct resolved *answer)
{
	struct start_lookup *l = context;
	l->done = true;
	l->why = why;
	l->all_loopback = !why.code;
	for (size_t i = 0; !why.code && i < answer->count; i++)
		l->all_loopback &= address_is_loopback((const struct sockaddr *)&answer->address[i]);
}

static void on_resolve_tick(uv_timer_t *timer)
{
}

static struct err check_loopback(struct server *s, const char **where)
{
	static const char only[] = "--loopback-caller lets everybody in, so it works only where every listener and the "
	                           "upstream are loopback addresses";
	for (size_t i = 0; i < s->settings->listener_count; i++) {
		struct sockaddr_storage a;
		*where = s->settings->listeners[i].address;
		TRY(address_parse(*where, &a));
		if (!address_is_loopback((struct sockaddr *)&a))
			return ERR_OF(SETTINGS, .what = only);
	}
	*where = s->settings->upstream_url;
	struct in6_addr literal;
	if (*s->settings->proxy_url && strcmp(s->endpoint.host, "localhost") &&
	    inet_pton(AF_INET, s->endpoint.host, &literal) != 1 && inet_pton(AF_INET6, s->endpoint.host, &literal) != 1)
		return ERR_OF(SETTINGS, .what = "with --loopback-caller and a web proxy, upstream.url must have "
		                                "localhost or a loopback address: the proxy looks names up itself");
	struct resolver *resolver;
	struct start_lookup lookup = {0};
	uv_timer_t wake;
	uv_timer_init(&s->loop.uv, &wake);
	uv_timer_start(&wake, on_resolve_tick, 50, 50);
	struct err failed = resolver_new(&s->loop, s->settings->upstream_dns_servers, &resolver);
	if (!failed.code) {
		resolver_lookup(resolver, s->endpoint.host, s->endpoint.port, on_resolved, &lookup);
		for (usec_t begin = clock_now(); !lookup.done && clock_now() - begin < RESOLVE_AT_START_MS * 1000;)
			uv_run(&s->loop.uv, UV_RUN_ONCE);
		resolver_close(resolver);
		failed = lookup.why;
	}
	uv_close((uv_handle_t *)&wake, NULL);
	uv_run(&s->loop.uv, UV_RUN_NOWAIT);
	if (!failed.code && !lookup.all_loopback)
		return ERR_OF(SETTINGS, .what = only);
	return failed;
}

/* ---- draining and stopping ---- */

static void tell_workers(struct server *s, void (*what)(void *worker))
{
	for (uint32_t i = 0; i < s->worker_count; i++)
		loop_post(&s->workers[i].loop, what, &s->workers[i]);
}

static void on_drain_timeout(uv_timer_t *timer)
{
	struct server *s = timer->data;
	event_log(EVENT_DRAIN_CUT, "after %u s", s->settings->node_drain_timeout_s);
	tell_workers(s, worker_stop_at_once);
}

static void stop(struct server *s, bool at_once)
{
	s->state = SERVER_STOPPING;
	uv_timer_stop(&s->timer);
	if (at_once)
		tell_workers(s, worker_stop_at_once);
	else
		tell_workers(s, worker_stop);
	if (!at_once)
		uv_timer_start(&s->timer, on_drain_timeout, s->settings->node_drain_timeout_s * 1000ull, 0);
}

static void on_drain_over(uv_timer_t *timer)
{
	stop(timer->data, false);
}

static void on_terminate(uv_signal_t *handle, int number)
{
	struct server *s = handle->data;
	if (s->state == SERVER_READY) {
		s->state = SERVER_DRAINING;
		event_log(
		        EVENT_DRAIN_BEGAN,
		        "connections are taken for %u s more, so that balancers see it; exchanges have %u s to finish",
		        s->settings->node_drain_delay_s, s->settings->node_drain_timeout_s);
		tell_workers(s, worker_drain);
		uv_timer_start(&s->timer, on_drain_over, s->settings->node_drain_delay_s * 1000ull, 0);
	} else if (s->state < SERVER_ENDED) { /* asked twice: now */
		stop(s, true);
	}
}

static void on_reopen(uv_signal_t *handle, int number)
{
	struct server *s = handle->data;
	struct err failed = log_reopen();
	if (failed.code)
		event_log(EVENT_EVENTS_FILE_FAILED, "%s", err_text(failed));
	if (s->request_log)
		request_log_reopen(s->request_log);
	event_log(EVENT_LOGS_REOPENED, "on SIGUSR1");
}

static void on_refresh(uv_signal_t *handle, int number)
{
	struct server *s = handle->data;
	if (s->list)
		authlist_sync_refresh(s->list);
	credentials_reload(&s->credentials);
}

static void on_second(uv_timer_t *timer)
{
	struct server *s = timer->data;
	accounts_tick(false);
	ntlm_callers_tick(false);
	if (s->list)
		authlist_sync_tick(s->list);
	if (s->keeper)
		decision_keeper_tick(s->keeper);
	if (s->cache_keeper)
		cache_keeper_tick(s->cache_keeper);
	log_tick();
}

static void close_own_handles(struct server *s)
{
	uv_handle_t *const handles[] = {(uv_handle_t *)&s->terminate, (uv_handle_t *)&s->interrupt,
	                                (uv_handle_t *)&s->reopen,    (uv_handle_t *)&s->refresh,
	                                (uv_handle_t *)&s->timer,     (uv_handle_t *)&s->second};
	for (size_t i = 0; i < ARRAY_COUNT(handles); i++)
		if (handles[i]->type && !uv_is_closing(handles[i]))
			uv_close(handles[i], NULL);
	loop_stop(&s->loop);
}

static void on_worker_ended_here(void *server)
{
	struct server *s = server;
	if (--s->workers_running > 0)
		return;
	s->state = SERVER_ENDED;
	authd_ask_close(s->asks); /* first: commands that wait for an answer get one */
	s->asks = NULL;
	if (s->on_ended)
		s->on_ended(s);
	decision_keeper_close(s->keeper);
	s->keeper = NULL;
	server_cache_stop(s);
	authlist_sync_close(s->list);
	s->list = NULL;
	credentials_close(&s->credentials);
	authd_child_close(s->authd);
	s->authd = NULL;
	close_own_handles(s);
}

static void on_worker_ended(struct worker *w)
{
	struct server *s = w->owner;
	loop_post(&s->loop, on_worker_ended_here, s);
}

/* ---- the list of authorized servers ---- */

static void publish_list(void *context, struct authlist *list)
{
	struct server *s = context;
	for (uint32_t i = 0; i < s->worker_count; i++)
		worker_offer_list(&s->workers[i], list);
	server_cache_list(s, list);
}

/* What is there only to explain must not keep a node from serving. */
static struct err open_decisions(struct server *s)
{
	char problem[DB_PROBLEM_BYTES];
	const char *directory = s->kept ? s->settings->node_state_directory : NULL;
	TRY(decisions_open(directory, &s->decisions, problem));
	if (problem[0])
		event_log(EVENT_DECISIONS_FAILED, "%s", problem);
	return OK;
}

/* Another process on it is a mistake that must not wait to be noticed; without a state the node serves all the same, and the directory stays its own. */
static struct err open_state(struct server *s)
{
	static char problem[DB_PROBLEM_BYTES];
	const char *directory = s->settings->node_state_directory;
	if (!directory[0])
		return OK;
	struct err failed = state_lock_take(directory, &s->state_lock, problem);
	if (failed.sys == -EBUSY)
		return failed;
	if (!failed.code)
		failed = state_open(directory, &s->kept, problem);
	if (failed.code)
		event_log(EVENT_STATE_FAILED, "%s", problem[0] ? problem : err_text(failed));
	else if (problem[0] && state_read_only(s->kept))
		event_log(EVENT_STATE_FAILED, "%s", problem);
	else if (problem[0])
		event_log(EVENT_STATE_REBUILT, "%s", problem);
	return OK;
}

static struct err open_list(struct server *s)
{
	struct authlist_sync_options o = {.loop = &s->loop,
	                                  .settings = s->settings,
	                                  .state = s->kept,
	                                  .asks = s->asks,
	                                  .publish = publish_list,
	                                  .context = s};
	return authlist_sync_open(&o, &s->list);
}

/* ---- the process ---- */

static void own_handles(struct server *s)
{
	uv_signal_init(&s->loop.uv, &s->terminate);
	uv_signal_init(&s->loop.uv, &s->interrupt);
	uv_signal_init(&s->loop.uv, &s->reopen);
	uv_signal_init(&s->loop.uv, &s->refresh);
	uv_timer_init(&s->loop.uv, &s->timer);
	uv_timer_init(&s->loop.uv, &s->second);
	s->terminate.data = s->interrupt.data = s->reopen.data = s->refresh.data = s->timer.data = s->second.data = s;
	uv_signal_start(&s->terminate, on_terminate, SIGTERM);
	uv_signal_start(&s->interrupt, on_terminate, SIGINT);
	uv_signal_start(&s->reopen, on_reopen, SIGUSR1);
	uv_signal_start(&s->refresh, on_refresh, SIGHUP);
	uv_timer_start(&s->second, on_second, 1000, 1000);
}

static void warn_about_certificates(const struct server *s)
{
	for (size_t i = 0; i < s->settings->listener_count; i++) {
		const struct tls_server *t = s->workers[0].listeners[i].tls;
		if (t && tls_server_warning(t))
			event_log(EVENT_CERTIFICATE_WARNING, "listener %s: %s", s->settings->listeners[i].address,
			          tls_server_warning(t));
		if (t && s->settings->listeners[i].channel_binding == BINDING_ACCEPT && !tls_server_has_end_point(t))
			event_log(EVENT_CERTIFICATE_WARNING,
			          "listener %s: nothing can be bound to a certificate that is signed with RSA-PSS or "
			          "Ed25519, so channel_binding: accept does nothing there",
			          s->settings->listeners[i].address);
	}
}

struct err server_init(struct server *s, const struct settings *settings, const char **where)
{
	*s = (struct server){.settings = settings, .state_lock = -1};
	*where = "node.state_directory";
	TRY(open_state(s)); /* all three before there are threads and signal handlers: it forks */
	TRY(open_decisions(s));
	TRY(server_cache_open(s));
	*where = "event loop";
	signal(SIGPIPE, SIG_IGN);
	if (settings->node_name[0])
		snprintf(s->node, sizeof(s->node), "%s", settings->node_name);
	else if (gethostname(s->node, sizeof(s->node) - 1))
		snprintf(s->node, sizeof(s->node), "node");
	TRY(loop_init(&s->loop));
	own_handles(s);
	TRY(decision_keeper_open(&s->loop, s->decisions, &s->keeper));
	name_metrics();
	tls_ticket_keys_make(&s->tickets);
	*where = "upstream";
	TRY(make_endpoint(s));
	if (settings->loopback_caller.account)
		TRY(check_loopback(s, where));
	*where = "log.requests_file";
	TRY(request_log_new(settings->log_requests_file, &s->request_log));
	s->worker_count = settings->node_workers ? settings->node_workers : (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	s->workers = calloc(s->worker_count, sizeof(*s->workers));
	s->blocks = calloc(s->worker_count, sizeof(*s->blocks));
	if (!s->workers || !s->blocks)
		return ERR_OF(NO_MEMORY);
	rate_limit_open(&s->node_rate, (settings->upstream_requests_per_10s + settings->upstream_nodes - 1) /
	                                       settings->upstream_nodes);
	struct worker_options o = {.settings = settings,
	                           .endpoint = &s->endpoint,
	                           .tickets = &s->tickets,
	                           .request_log = s->request_log,
	                           .node_clients = &s->node_clients,
	                           .node_rate = &s->node_rate,
	                           .decisions = s->decisions,
	                           .clients_max = clients_max(settings, s->worker_count)};
	for (uint32_t i = 0; i < s->worker_count; i++) {
		struct worker *w = &s->workers[i];
		o.first = i == 0;
		TRY(worker_init(w, &o, where));
		w->on_ended = on_worker_ended;
		w->owner = s;
		w->relay.on_words_refused = on_words_refused;
		s->blocks[i] = w->metrics;
	}
	TRY(server_cache_start(s));
	warn_about_certificates(s);
	*where = "auth.socket";
	if ((!settings->loopback_caller.account || has_programs(settings)) && settings->auth_socket[0])
		TRY(authd_ask_open(&s->loop, settings->auth_socket, &s->asks));
	TRY(open_credentials(s, where));
	*where = "list.file";
	return open_list(s);
}

struct err server_start_authd(struct server *s, const char *config)
{
	if (!s->settings->auth_authd_program[0] || s->settings->loopback_caller.account)
		return OK;
	return authd_child_open(&s->loop, s->settings->auth_authd_program, config, &s->authd);
}

struct err server_run(struct server *s)
{
	s->started = clock_now();
	s->started_wall = clock_wall();
	for (uint32_t i = 0; i < s->worker_count; i++) {
		TRY(worker_start(&s->workers[i]));
		s->workers_running++;
	}
	s->state = SERVER_READY;
	char listeners[512] = "";
	for (size_t i = 0, n = 0; i < s->settings->listener_count && n < sizeof(listeners) - 80; i++)
		n += (size_t)snprintf(listeners + n, sizeof(listeners) - n, "%s%s%s", i ? ", " : "",
		                      s->settings->listeners[i].address,
		                      s->settings->listeners[i].certificates[0] ? " (HTTPS)" : "");
	event_log(EVENT_STARTED, "rms-connector %s, node %s, %u workers, listening on %s, relaying to %s", RMS_VERSION,
	          s->node, s->worker_count, listeners, s->settings->upstream_url);
	loop_run(&s->loop);
	for (uint32_t i = 0; i < s->worker_count; i++)
		worker_join(&s->workers[i]);
	accounts_tick(true);
	ntlm_callers_tick(true);
	event_log(EVENT_STOPPED, "node %s", s->node);
	return OK;
}

void server_done(struct server *s)
{
	for (uint32_t i = 0; s->workers && i < s->worker_count; i++)
		worker_done(&s->workers[i]);
	free(s->workers);
	free(s->blocks);
	accounts_free();
	ntlm_callers_forget();
	request_log_free(s->request_log);
	credentials_done(&s->credentials);
	loop_done(&s->loop);
	state_close(s->kept);
	decisions_close(s->decisions);
	server_cache_close(s);
	state_lock_release(s->state_lock); /* last: nothing of the directory is open any more */
}

const char *server_not_ready(const struct server *s)
{
	if (s->state != SERVER_READY)
		return s->state == SERVER_STARTING ? "starting" : "draining";
	const char *why = relay_certificates_not_ready(&s->workers[0].relay);
	if (why || s->settings->loopback_caller.account)
		return why ? why : authlist_sync_not_ready(s->list);
	if (metric_sum(s->blocks, s->worker_count, METRIC_authd_up, 0, 0) < s->worker_count)
		return "rms-connector-authd is away, so nobody can be authenticated";
	if (metric_sum(s->blocks, s->worker_count, METRIC_authd_kerberos, 0, 0) < s->worker_count)
		return "rms-connector-authd has no usable keytab";
	return authlist_sync_not_ready(s->list);
}
