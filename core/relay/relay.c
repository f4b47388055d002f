#include "core/relay/relay.h"

#include "core/relay/exchange.h"
#include "core/relay/recall.h"

#include <stdlib.h>
#include <sys/random.h>

static void on_expired(struct deadline *d, struct deadline_queue *q)
{
	struct relay *r = q->context;
	struct client_conn *c = container_of(d, struct client_conn, deadline);
	enum wait w = (enum wait)(q - r->waits);
	if (c->lingering)
		client_conn_reset(c, c->close_reason);
	else if (c->exchange)
		client_conn_turn(c, EV_TIMEOUT);
	else if (c->io.state == STREAM_PREFACE)
		entrance_refuse(c, PROXY_SLOW);
	else if (w == WAIT_HEAD) /* a TLS handshake that does not end */
		client_conn_reset(c, CLOSE_SLOW);
	else
		client_conn_close(c, CLOSE_IDLE);
}

/* Exchanges for which something came in this turn: a connection or its refusal, an identity. */
static void run_ready(struct relay *r)
{
	for (struct list *link; (link = list_first(&r->ready));) {
		struct exchange *x = container_of(link, struct exchange, link);
		list_remove(link);
		client_conn_turn(x->client, x->ready_event);
	}
}

static void on_before_poll(uv_prepare_t *handle)
{
	run_ready(handle->data);
}

struct err relay_open(struct relay *r, struct loop *loop, const struct settings *s, struct metric_block *metrics,
                      struct request_log_buffer *log, const struct upstream_endpoint *endpoint, bool first)
{
	r->loop = loop;
	r->settings = s;
	r->metrics = metrics;
	r->log = log;
	r->head_limits = (struct guard_limits){s->limits_request_head_bytes, 16 * 1024};
	list_init(&r->ready);
	list_init(&r->spare);
	list_init(&r->flights);
	if (getrandom(&r->id_prefix, sizeof(r->id_prefix), 0) != sizeof(r->id_prefix) ||
	    getrandom(&r->decision_id, sizeof(r->decision_id), 0) != sizeof(r->decision_id))
		return ERR_OF(SYSTEM, .what = "no random numbers");
	r->spare_conn = malloc(sizeof(*r->spare_conn));
	if (!r->spare_conn)
		return ERR_OF(NO_MEMORY);
	const uint32_t limits[WAIT_COUNT] = {
	        [WAIT_IDLE] = s->limits_keep_alive_ms,
	        [WAIT_HEAD] = s->limits_head_timeout_ms,
	        [WAIT_BODY] = s->limits_body_grace_ms < s->limits_body_timeout_ms ? s->limits_body_grace_ms
	                                                                          : s->limits_body_timeout_ms,
	        [WAIT_AUTH] = s->auth_timeout_ms,
	        [WAIT_LEASE] = s->upstream_queue_ms,
	        [WAIT_FIRST_BYTE] = s->upstream_first_byte_ms,
	        [WAIT_FIRST_BYTE_LONG] = s->upstream_first_byte_ms / 10 * 25,
	        [WAIT_ANSWER] = s->upstream_idle_timeout_ms,
	        [WAIT_CLIENT] = s->limits_client_write_ms,
	        [WAIT_LINGER] = s->limits_linger_ms,
	};
	for (int w = WAIT_IDLE; w < WAIT_COUNT; w++)
		deadline_queue_open(loop, &r->waits[w], limits[w], on_expired, r);
	/* Handles of this kind run newest first: so before the loop's own, which sends what they write. */
	uv_prepare_init(&loop->uv, &r->before_poll);
	r->before_poll.data = r;
	uv_prepare_start(&r->before_poll, on_before_poll);
	r->ntlm = strcmp(s->auth_ntlm, "off") != 0;
	r->anonymous_locator = strcmp(s->auth_anonymous_locator, "local") == 0;
	rate_share_open(&r->rate, r->node_rate);
	r->list_serial++;
	principals_open(&r->principals, metrics);
	if (!s->loopback_caller.account && s->auth_socket[0])
		TRY(authd_client_open(&r->authd, loop, s->auth_socket, metrics, first));
	TRY(upstreams_open(&r->upstreams, loop, s, metrics, endpoint));
	enum authlist_role role;
	if (s->loopback_caller.account && authlist_role_read(slice_str(s->loopback_caller.role), &role))
		r->switched = upstreams_find(&r->upstreams, role, NULL);
	return OK;
}

void relay_take_list(struct relay *r, struct authlist *list)
{
	authlist_unref(r->list);
	r->list = list ? authlist_ref(list) : NULL;
	r->list_serial++;
}

void relay_take_words(struct relay *r)
{
	if (!upstreams_take(&r->upstreams))
		return;
	for (size_t i = 0; i < r->upstreams.count; i++)
		list_for_each_safe (link, &r->upstreams.list[i].awaiting)
			exchange_run_later(container_of(link, struct exchange, link), EV_WORDS);
}

const char *relay_certificates_not_ready(const struct relay *r)
{
	int64_t now = (int64_t)(clock_wall() / 1000000);
	if (r->certificates_until_s && now >= r->certificates_until_s)
		return "a certificate of a listener has expired";
	if (r->certificates_until_s && now < r->certificates_from_s)
		return "a certificate of a listener is not valid yet";
	return NULL;
}

const char *relay_not_ready(const struct relay *r)
{
	const char *why = r->draining ? "draining" : relay_certificates_not_ready(r);
	if (why)
		return why;
	if (r->settings->loopback_caller.account)
		return NULL;
	if (!r->authd.up)
		return "rms-connector-authd is away, so nobody can be authenticated";
	if (!(r->authd.features & AUTHD_CAN_KERBEROS))
		return "rms-connector-authd has no usable keytab";
	return r->list ? NULL : "the list of authorized servers was never loaded";
}

void relay_drain(struct relay *r)
{
	r->draining = true;
}

void relay_stop(struct relay *r, bool at_once)
{
	r->draining = r->stopping = true;
	for (int w = WAIT_IDLE; w < WAIT_COUNT; w++)
		list_for_each_safe (link, &r->waits[w].armed) {
			struct client_conn *c = container_of(link, struct client_conn, deadline.link);
			if (at_once)
				client_conn_reset(c, CLOSE_DRAIN);
			else if (w == WAIT_IDLE)
				client_conn_close(c, CLOSE_DRAIN);
		}
	if (r->clients == 0)
		r->on_empty(r);
}

void relay_close(struct relay *r)
{
	upstreams_close(&r->upstreams);
	authd_client_close(&r->authd);
	uv_close((uv_handle_t *)&r->before_poll, NULL);
}

void relay_done(struct relay *r)
{
	while (!list_empty(&r->spare)) {
		struct list *link = list_first(&r->spare);
		list_remove(link);
		free(container_of(link, struct exchange, link));
	}
	free(r->spare_conn);
	r->spare_conn = NULL;
	upstreams_done(&r->upstreams);
	principals_close(&r->principals);
	recall_done(r);
	authlist_unref(r->list);
}
