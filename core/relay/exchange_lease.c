#include "core/relay/exchange_lease.h"

#include "core/relay/client_conn.h"

void exchange_give_back(struct exchange *x, bool reusable)
{
	struct upstream_conn *c = x->leased;
	if (!c)
		return;
	x->leased = NULL;
	upstream_pool_release(&x->up->pool, c, reusable);
}

static void on_up_bytes(void *context, char *bytes, size_t n)
{
	struct exchange *x = context;
	x->relay->answer_in = (struct input){bytes, n, true};
	client_conn_turn(x->client, EV_UP_BYTES);
}

static void on_up_blocked(void *context)
{
	struct exchange *x = context;
	stream_pause(&x->client->io);
}

static void on_up_drained(void *context)
{
	struct exchange *x = context;
	client_conn_turn(x->client, EV_UP_DRAINED);
}

static void on_up_gone(void *context, struct err why)
{
	struct exchange *x = context;
	x->upstream_end = why;
	client_conn_turn(x->client, EV_UP_GONE);
}

static const struct upstream_user upstream_events = {on_up_bytes, on_up_blocked, on_up_drained, on_up_gone};

void exchange_take_lease(struct exchange *x, struct upstream_conn *c)
{
	x->leased = c;
	c->user = &upstream_events;
	c->user_context = x;
}

static void on_granted(struct lease_request *q, struct upstream_conn *c)
{
	struct exchange *x = container_of(q, struct exchange, lease);
	exchange_take_lease(x, c);
	exchange_run_later(x, EV_LEASED);
}

static void on_refused(struct lease_request *q, struct err why)
{
	struct exchange *x = container_of(q, struct exchange, lease);
	x->upstream_end = why;
	exchange_run_later(x, EV_LEASE_REFUSED);
}

void exchange_prepare_lease(struct exchange *x)
{
	list_init(&x->lease.link);
	x->lease.granted = on_granted;
	x->lease.refused = on_refused;
}
