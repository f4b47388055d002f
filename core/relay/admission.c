#include "core/relay/admission.h"

#include "core/base/log.h"
#include "core/relay/exchange.h"

enum { BEYOND_MAX = 8 /* at a time and worker; their descriptors come out of the reserve */ };

/* Its descriptor is free at once: of the one that has been idle longest, or one that has had its last answer. */
static bool make_room(struct relay *r)
{
	list_for_each (link, &r->waits[WAIT_IDLE].armed) {
		struct client_conn *c = container_of(link, struct client_conn, deadline.link);
		if (stream_is_blocked(&c->io))
			continue; /* it still takes its last answer */
		client_conn_let_go(c, CLOSE_FULL);
		return true;
	}
	list_for_each (link, &r->waits[WAIT_LINGER].armed) {
		struct client_conn *c = container_of(link, struct client_conn, deadline.link);
		if (c->admission == ADMIT) { /* the few others are counted apart */
			client_conn_reset(c, c->close_reason);
			return true;
		}
	}
	return false;
}

/* Of those beyond the limit, the first that has been told; not one whose handshake is still to come. */
static bool make_room_beyond(struct relay *r)
{
	list_for_each (link, &r->waits[WAIT_LINGER].armed) {
		struct client_conn *c = container_of(link, struct client_conn, deadline.link);
		if (c->admission == ADMIT_TO_SAY) {
			client_conn_reset(c, c->close_reason);
			return true;
		}
	}
	return false;
}

enum admission admission_ask(struct relay *r)
{
	uint32_t all = __atomic_add_fetch(r->node_clients, 1, __ATOMIC_RELAXED);
	if (all <= r->clients_max || make_room(r))
		return ADMIT;
	__atomic_fetch_sub(r->node_clients, 1, __ATOMIC_RELAXED);
	event_log(EVENT_CONNECTIONS_FULL, "%u are open", all - 1);
	if (r->beyond >= BEYOND_MAX && !make_room_beyond(r))
		return ADMIT_LATER;
	r->beyond++;
	return ADMIT_TO_SAY;
}

void admission_over(struct relay *r, enum admission how)
{
	if (how == ADMIT)
		__atomic_fetch_sub(r->node_clients, 1, __ATOMIC_RELAXED);
	else if (how == ADMIT_TO_SAY)
		r->beyond--;
}

void admission_say(struct client_conn *c)
{
	metric_add(c->relay->metrics, METRIC_client_connections_refused, 0, 0, 1);
	c->exchange = exchange_new(c->relay, c);
	if (c->exchange)
		exchange_refuse(c->exchange, ERR_OF(OVERLOAD), CLOSE_FULL);
	else
		client_conn_close(c, CLOSE_FULL);
}

void admission_stall(struct relay *r, struct listener *l)
{
	l->next_stalled = r->stalled;
	r->stalled = l;
}

void admission_resume(struct relay *r)
{
	struct listener *l = r->stalled;
	r->stalled = NULL; /* who cannot yet comes back */
	while (l && !r->stopping) {
		struct listener *next = l->next_stalled;
		client_conn_accept(r, l);
		l = next;
	}
}
