#include "core/relay/entrance.h"

#include "core/base/log.h"
#include "core/relay/client_conn.h"
#include "core/relay/told.h"

#include <stdlib.h>

struct err entrance_open(struct entrance *e, const struct listener_settings *s)
{
	*e = (struct entrance){.behind = s->behind, .binding = s->channel_binding, .proxy_protocol = s->proxy_protocol};
	e->balancers = calloc(s->balancer_count + 1, sizeof(*e->balancers));
	if (!e->balancers)
		return ERR_OF(NO_MEMORY);
	for (; e->balancer_count < s->balancer_count; e->balancer_count++)
		if (address_prefix_parse(s->balancers[e->balancer_count], &e->balancers[e->balancer_count]))
			return ERR_OF(SETTINGS, .what = "an entry of balancers is not an address or prefix");
	return OK;
}

void entrance_close(struct entrance *e)
{
	free(e->balancers);
	*e = (struct entrance){0};
}

void entrance_refuse(struct client_conn *c, enum proxy_reason why)
{
	char address[64];
	metric_add(c->relay->metrics, METRIC_proxy_refusals, why, 0, 1);
	client_conn_address(c, address);
	if (told_once(TOLD_PROXY_HEADER + why, c->address))
		event_log(EVENT_PROXY_REFUSED, "%s: %s. %s", address, proxy_reason_text(why),
		          why == PROXY_STRANGER ? "If it is a balancer of yours, add it to balancers of that listener; "
		                                  "callers themselves need a listener without proxy_protocol"
		                                : "Let the balancer send it (HAProxy: send-proxy-v2; nginx: "
		                                  "proxy_protocol on), also with its health checks, or take "
		                                  "proxy_protocol away");
	client_conn_reset(c, CLOSE_PROXY);
}

bool entrance_admits(struct client_conn *c)
{
	const struct entrance *e = c->entrance;
	struct sockaddr_storage peer;
	bool there = stream_peer(&c->io, &peer);
	for (size_t i = 0; there && i < e->balancer_count; i++)
		if (address_prefix_covers(&e->balancers[i], &peer))
			return true;
	entrance_refuse(c, PROXY_STRANGER);
	return false;
}

static bool begin(struct client_conn *c, const struct proxy_caller *caller)
{
	struct err failed = stream_begin(&c->io, c->tls_server);
	if (failed.code) {
		client_conn_reset(c, CLOSE_NETWORK);
		return false;
	}
	if (caller->known) {
		memcpy(c->address, caller->address, sizeof(c->address));
		c->address_known = c->address_told = true;
	}
	metric_add(c->relay->metrics, METRIC_proxy_headers, 0, 0, 1);
	if (!c->tls)
		client_conn_wait(c, c->relay->stopping ? WAIT_HEAD : WAIT_IDLE);
	return true;
}

size_t entrance_on_preface(struct client_conn *c, const char *bytes, size_t n)
{
	char whole[PROXY_BYTES];
	struct proxy_caller caller;
	enum proxy_reason why;
	size_t have = c->held ? c->held->n : 0, more = n < sizeof(whole) - have ? n : sizeof(whole) - have;
	if (have)
		memcpy(whole, c->held->bytes, have);
	memcpy(whole + have, bytes, more);
	long len = proxy_proto_read(whole, have + more, &caller, &why);
	if (len < 0) {
		entrance_refuse(c, why);
		return n;
	}
	if (len == 0) {
		if (!client_conn_hold(c, bytes, n))
			client_conn_reset(c, CLOSE_FULL);
		return n;
	}
	client_conn_drop_held(c);
	return begin(c, &caller) ? (size_t)len - have : n;
}
