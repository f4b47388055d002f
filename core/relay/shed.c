#include "core/relay/shed.h"

#include "core/relay/exchange.h"

static bool is_due(const struct relay *r)
{
	return shed_waiting_bytes(r) > r->settings->limits_held_bytes;
}

static void reset(struct client_conn *c, enum err_code why)
{
	if (c->exchange)
		c->exchange->failure = (struct err){.code = why, .what = "limits.held_bytes is reached"};
	client_conn_reset(c, CLOSE_FULL);
}

/* Half a body. A longer one that streams holds nothing: its bytes are with the cloud. */
static void shed_bodies(struct relay *r, const struct client_conn *except)
{
	list_for_each_safe (link, &r->waits[WAIT_BODY].armed) {
		struct client_conn *c = container_of(link, struct client_conn, deadline.link);
		if (!is_due(r))
			return;
		if (c != except && (c->held || (c->exchange && exchange_holds_body(c->exchange))))
			reset(c, ERR_OVERLOAD);
	}
}

/* What a caller does not read, or the cloud does not take. In each queue who came first has waited longest. */
static void shed_unsent(struct relay *r, const struct client_conn *except)
{
	static const uint8_t order[] = {WAIT_CLIENT, WAIT_LINGER, WAIT_IDLE,       WAIT_ANSWER,          WAIT_HEAD,
	                                WAIT_LEASE,  WAIT_BODY,   WAIT_FIRST_BYTE, WAIT_FIRST_BYTE_LONG, WAIT_AUTH};
	for (size_t i = 0; i < ARRAY_COUNT(order); i++)
		list_for_each_safe (link, &r->waits[order[i]].armed) {
			struct client_conn *c = container_of(link, struct client_conn, deadline.link);
			const struct upstream_conn *up = c->exchange ? c->exchange->leased : NULL;
			if (!is_due(r))
				return;
			if (c == except)
				continue;
			if (stream_is_blocked(&c->io))
				reset(c, ERR_CALLER_SLOW);
			else if (up && stream_is_blocked(&up->io))
				reset(c, ERR_OVERLOAD);
		}
}

bool shed_held(struct relay *r, const struct client_conn *except)
{
	if (!is_due(r))
		return true;
	/* Those who hold more of it pay first: callers that do not read must not cost others their requests, nor the other way round. */
	if (r->loop->waiting_bytes > r->held_bytes) {
		shed_unsent(r, except);
		shed_bodies(r, except);
	} else {
		shed_bodies(r, except);
		shed_unsent(r, except);
	}
	return !is_due(r);
}

/* Attackers send beginnings of heads and wait: the oldest make room. */
void shed_unfinished(struct relay *r, const struct client_conn *except)
{
	while (r->unfinished_bytes > r->settings->limits_unfinished_heads_bytes) {
		struct client_conn *oldest = NULL;
		list_for_each (link, &r->waits[WAIT_HEAD].armed) {
			struct client_conn *c = container_of(link, struct client_conn, deadline.link);
			if (c->unfinished && c != except) {
				oldest = c;
				break;
			}
		}
		if (!oldest)
			return;
		metric_add(r->metrics, METRIC_unfinished_heads_shed, 0, 0, 1);
		client_conn_reset(oldest, CLOSE_FULL);
	}
}
