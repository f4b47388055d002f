/* H06, H07: the pool by itself, on connections, a resolver and a clock that are not real. */
#include "core/relay/upstream_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CONNECTIONS_MAX = 64 };

static const struct credential_settings credential = {.kind = CREDENTIAL_NONE};

static struct {
	struct loop loop; /* never initialized nor run: only its clock and the list of queues are used */
	struct settings settings;
	struct metric_block *metrics;
	struct upstream_endpoint endpoint;
	struct upstream_pool pool;
	/* the resolver */
	resolved_fn *asked;
	void *asked_context;
	unsigned forgotten;
	/* connections, in the order in which they were begun */
	struct upstream_conn *made[CONNECTIONS_MAX];
	unsigned made_count, closed_count;
	uint8_t tried[CONNECTIONS_MAX]; /* last byte of each address that was tried */
	unsigned tried_count;
	uint8_t no_route[8]; /* addresses that fail at once, by their last byte; 0 ends the list */
} w;

struct asker {
	struct lease_request request;
	struct upstream_conn *got;
	struct err refused;
};

/* ---- what the pool is given instead of the network ---- */

struct err resolver_new(struct loop *l, const char *servers, struct resolver **out)
{
	*out = NULL;
	return OK;
}

void resolver_lookup(struct resolver *r, const char *name, uint16_t port, resolved_fn *done, void *context)
{
	w.asked = done;
	w.asked_context = context;
}

void resolver_forget(struct resolver *r, const char *name)
{
	w.forgotten++;
}

void resolver_close(struct resolver *r)
{
}

struct upstream_conn *upstream_conn_open(struct upstream_pool *p, const struct sockaddr *address, struct err *why)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	uint8_t last = (uint8_t)(ntohl(v4->sin_addr.s_addr) & 0xff);
	w.tried[w.tried_count++] = last;
	for (size_t i = 0; w.no_route[i]; i++)
		if (w.no_route[i] == last) {
			*why = ERR_OF(NETWORK, .sys = UV_ENETUNREACH, .what = "no route");
			return NULL;
		}
	struct upstream_conn *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	c->pool = p;
	deadline_init(&c->deadline);
	list_init(&c->link);
	c->io.state = STREAM_CONNECTING;
	c->io.ended = true; /* there is nothing to end */
	w.made[w.made_count++] = c;
	return c;
}

void upstream_conn_close(struct upstream_conn *c)
{
	c->state = UPSTREAM_CLOSING;
	c->io.state = STREAM_CLOSED;
	deadline_disarm(&c->deadline);
	list_remove(&c->link);
	w.closed_count++;
}

/* ---- the world's acts ---- */

static void resolve(unsigned count)
{
	struct resolved answer = {.count = count};
	for (unsigned i = 0; i < count; i++) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)&answer.address[i];
		v4->sin_family = AF_INET;
		v4->sin_addr.s_addr = htonl(0x7f000001 + i);
	}
	resolved_fn *done = w.asked;
	assert_non_null(done);
	w.asked = NULL;
	done(w.asked_context, OK, &answer);
}

static void connected(struct upstream_conn *c)
{
	c->io.state = STREAM_OPEN;
	upstream_pool_connected(&w.pool, c);
}

static void pass_ms(unsigned ms)
{
	w.loop.uv.time += ms;
	deadlines_expire(&w.loop);
}

static void on_granted(struct lease_request *q, struct upstream_conn *c)
{
	container_of(q, struct asker, request)->got = c;
}

static void on_refused(struct lease_request *q, struct err why)
{
	container_of(q, struct asker, request)->refused = why;
}

static enum err_code lease_newer(struct asker *a, msec_t newer_than)
{
	*a = (struct asker){.request = {.granted = on_granted, .refused = on_refused, .newer_than = newer_than}};
	list_init(&a->request.link);
	return upstream_pool_lease(&w.pool, &a->request, &a->got).code;
}

static enum err_code lease(struct asker *a)
{
	return lease_newer(a, 0);
}

static int begin(void **state)
{
	memset(&w, 0, sizeof(w));
	list_init(&w.loop.deadline_queues);
	w.loop.uv.time = 1000;
	w.settings.upstream_connections = 3;
	w.settings.upstream_queue = 4;
	w.settings.upstream_keep_idle_ms = 50000;
	w.settings.upstream_connect_timeout_ms = 5000;
	w.metrics = metric_block_new();
	strcpy(w.endpoint.host, "cloud.test");
	w.endpoint.port = 443;
	assert_int_equal(upstream_pool_open(&w.pool, &w.loop, &w.settings, w.metrics, &w.endpoint, &credential).code,
	                 ERR_NONE);
	return 0;
}

static int end(void **state)
{
	upstream_pool_close(&w.pool);
	assert_int_equal(w.pool.idle_count + w.pool.connecting_count, 0);
	for (unsigned i = 0; i < w.made_count; i++)
		free(w.made[i]);
	upstream_pool_done(&w.pool);
	metric_block_free(w.metrics);
	return 0;
}

/* count idle connections, made in this order; a millisecond apart. */
static void fill(unsigned count)
{
	struct asker a[CONNECTIONS_MAX];
	unsigned from = w.made_count;
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(lease(&a[i]), ERR_NONE);
	resolve(1);
	assert_int_equal(w.made_count, from + count);
	for (unsigned i = 0; i < count; i++)
		connected(w.made[from + i]);
	for (unsigned i = 0; i < count; i++) {
		assert_ptr_equal(a[i].got, w.made[from + i]);
		upstream_pool_release(&w.pool, a[i].got, true);
		w.loop.uv.time++;
	}
	assert_int_equal(w.pool.idle_count, count);
}

/* ---- cases ---- */

static void newest_idle_connection_is_lent_first(void **state)
{
	struct asker a, b;
	fill(3);
	assert_int_equal(lease(&a), ERR_NONE);
	assert_ptr_equal(a.got, w.made[2]);
	assert_int_equal(a.got->state, UPSTREAM_LEASED);
	assert_int_equal(lease(&b), ERR_NONE);
	assert_ptr_equal(b.got, w.made[1]);
	upstream_pool_release(&w.pool, a.got, true);
	assert_int_equal(lease(&a), ERR_NONE);
	assert_ptr_equal(a.got, w.made[2]);
	upstream_pool_release(&w.pool, a.got, false);
	upstream_pool_release(&w.pool, b.got, false);
	assert_int_equal(w.closed_count, 2);
	assert_int_equal(w.pool.idle_count, 1);
	assert_int_equal(w.pool.leased_count, 0);
}

/* H07: what ended one kept connection may have ended the others; one made since then is as good as a new one. */
static void a_second_try_wants_a_new_connection(void **state)
{
	struct asker a, b;
	fill(2);
	msec_t failed = loop_now(&w.loop);
	assert_int_equal(lease_newer(&a, failed), ERR_NONE);
	assert_null(a.got);
	resolve(1);
	assert_int_equal(w.made_count, 3);
	connected(w.made[2]);
	assert_ptr_equal(a.got, w.made[2]);
	assert_int_equal(a.got->uses, 1);
	upstream_pool_release(&w.pool, a.got, true);
	assert_int_equal(lease_newer(&b, failed), ERR_NONE);
	assert_ptr_equal(b.got, w.made[2]);
	upstream_pool_release(&w.pool, b.got, true);
}

/* H07: all are kept and old: one of them makes room. */
static void in_a_full_pool_an_idle_one_makes_room_for_a_second_try(void **state)
{
	struct asker a;
	fill(3);
	assert_int_equal(lease_newer(&a, loop_now(&w.loop)), ERR_NONE);
	assert_null(a.got);
	resolve(1);
	assert_int_equal(w.made[0]->state, UPSTREAM_CLOSING); /* idle longest */
	assert_int_equal(w.pool.idle_count, 2);
	connected(w.made[3]);
	assert_ptr_equal(a.got, w.made[3]);
	upstream_pool_release(&w.pool, a.got, true);
	assert_int_equal(w.pool.idle_count, 3);
}

/* H07: all are in use: the first that is given back is too old, and makes room; the next one serves who waits behind. */
static void a_second_try_is_not_given_what_was_just_released(void **state)
{
	struct asker busy[3], again, other;
	fill(3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(lease(&busy[i]), ERR_NONE);
	w.loop.uv.time++;
	assert_int_equal(lease_newer(&again, loop_now(&w.loop)), ERR_NONE);
	assert_int_equal(lease(&other), ERR_NONE);
	upstream_pool_release(&w.pool, busy[0].got, true);
	assert_int_equal(busy[0].got->state, UPSTREAM_CLOSING);
	assert_null(again.got);
	assert_null(other.got);
	upstream_pool_release(&w.pool, busy[1].got, true);
	assert_ptr_equal(other.got, busy[1].got);
	upstream_pool_release(&w.pool, busy[2].got, true);
	assert_null(again.got);
	assert_int_equal(w.pool.idle_count, 1);
	resolve(1);
	assert_int_equal(w.made_count, 4);
	connected(w.made[3]);
	assert_ptr_equal(again.got, w.made[3]);
	upstream_pool_release(&w.pool, again.got, true);
	upstream_pool_release(&w.pool, other.got, true);
	assert_int_equal(w.pool.idle_count, 3);
	assert_int_equal(w.closed_count, 1);
}

static void connections_and_queue_have_their_limits(void **state)
{
	struct asker a[8];
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(lease(&a[i]), ERR_NONE);
		assert_null(a[i].got);
	}
	assert_int_equal(lease(&a[4]), ERR_UPSTREAM_BUSY);
	assert_true(list_empty(&a[4].request.link));
	resolve(1);
	assert_int_equal(w.made_count, 3);
	for (unsigned i = 0; i < 3; i++)
		connected(w.made[i]);
	assert_non_null(a[0].got);
	assert_non_null(a[2].got);
	assert_null(a[3].got);
	upstream_pool_release(&w.pool, a[1].got, true); /* first come, first served */
	assert_ptr_equal(a[3].got, w.made[1]);
	for (unsigned i = 0; i < 4; i++)
		if (i != 1)
			upstream_pool_release(&w.pool, a[i].got, true);
	assert_int_equal(w.pool.idle_count, 3);
}

static void who_left_the_queue_is_passed_over(void **state)
{
	struct asker a, b, c;
	w.settings.upstream_connections = 1;
	assert_int_equal(lease(&a), ERR_NONE);
	resolve(1);
	connected(w.made[0]);
	assert_int_equal(lease(&b), ERR_NONE);
	assert_int_equal(lease(&c), ERR_NONE);
	upstream_pool_cancel(&w.pool, &b.request);
	upstream_pool_cancel(&w.pool, &b.request);
	upstream_pool_release(&w.pool, a.got, true);
	assert_null(b.got);
	assert_ptr_equal(c.got, w.made[0]);
	upstream_pool_release(&w.pool, c.got, true);
	assert_int_equal(w.pool.waiting_count, 0);
}

static void a_lost_connection_makes_room_for_who_waits(void **state)
{
	struct asker a, b;
	w.settings.upstream_connections = 1;
	assert_int_equal(lease(&a), ERR_NONE);
	resolve(1);
	connected(w.made[0]);
	assert_int_equal(lease(&b), ERR_NONE);
	assert_null(w.asked);
	upstream_pool_release(&w.pool, a.got, false);
	resolve(1);
	connected(w.made[1]);
	assert_ptr_equal(b.got, w.made[1]);
	upstream_pool_release(&w.pool, b.got, true);
}

/* H06: a node without a route for IPv6 and a cloud whose first address is one: connect() fails before it begins. */
static void an_address_that_fails_at_once_gives_way_to_the_next(void **state)
{
	struct asker a;
	memcpy(w.no_route, (uint8_t[]){1, 2, 0}, 3);
	assert_int_equal(lease(&a), ERR_NONE);
	resolve(3);
	assert_int_equal(a.refused.code, ERR_NONE);
	assert_int_equal(w.made_count, 1);
	assert_int_equal(w.tried[2], 3);
	connected(w.made[0]);
	assert_non_null(a.got);
	upstream_pool_release(&w.pool, a.got, false);
	/* and the one that worked comes first from now on */
	assert_int_equal(lease(&a), ERR_NONE);
	resolve(3);
	assert_int_equal(w.tried_count, 4);
	assert_int_equal(w.tried[3], 3);
	connected(w.made[1]);
	upstream_pool_release(&w.pool, a.got, true);
}

static void an_address_that_fails_later_does_so_too(void **state)
{
	struct asker a;
	memcpy(w.no_route, (uint8_t[]){2, 0}, 2);
	assert_int_equal(lease(&a), ERR_NONE);
	resolve(3);
	upstream_pool_ended(&w.pool, w.made[0], ERR_OF(NETWORK, .sys = UV_ECONNREFUSED));
	assert_int_equal(w.tried_count, 3);
	assert_int_equal(w.tried[2], 3);
	upstream_pool_ended(&w.pool, w.made[1], ERR_OF(NETWORK, .sys = UV_ECONNREFUSED));
	assert_int_equal(w.tried_count, 3);
	assert_int_equal(a.refused.code, ERR_UPSTREAM_CONNECT);
	assert_int_equal(w.forgotten, 1);
	assert_int_equal(w.pool.waiting_count, 0);
}

static void no_address_at_all_is_refused_and_not_waited_for(void **state)
{
	struct asker a, b;
	memcpy(w.no_route, (uint8_t[]){1, 2, 0}, 3);
	assert_int_equal(lease(&a), ERR_NONE);
	assert_int_equal(lease(&b), ERR_NONE);
	resolve(2);
	assert_int_equal(a.refused.code, ERR_UPSTREAM_CONNECT);
	assert_int_equal(b.refused.code, ERR_UPSTREAM_CONNECT);
	assert_int_equal(w.tried_count, 4);
	assert_int_equal(w.pool.waiting_count, 0);
}

static void connecting_and_resolving_have_an_end(void **state)
{
	struct asker a;
	assert_int_equal(lease(&a), ERR_NONE);
	pass_ms(5001);
	assert_int_equal(a.refused.code, ERR_UPSTREAM_NAME);
	resolve(1); /* late: passed over */
	assert_int_equal(w.made_count, 0);
	assert_int_equal(lease(&a), ERR_NONE);
	resolve(1);
	pass_ms(5001);
	assert_int_equal(a.refused.code, ERR_UPSTREAM_CONNECT);
	assert_int_equal(w.closed_count, 1);
}

static void idle_connections_are_retired(void **state)
{
	fill(3);
	pass_ms(49000);
	assert_int_equal(w.pool.idle_count, 3);
	pass_ms(1001);
	assert_int_equal(w.pool.idle_count, 0);
	assert_int_equal(w.closed_count, 3);
}

/* The cloud closes one after 8 s: the others, idle already or later, are closed by us before that. */
static void a_learned_limit_holds_for_all(void **state)
{
	struct asker a, b;
	fill(3);
	assert_int_equal(lease(&a), ERR_NONE);
	assert_int_equal(lease(&b), ERR_NONE); /* one idle: made[0] */
	pass_ms(4000);
	upstream_pool_release(&w.pool, b.got, true); /* idle for 4 s when made[0] is for 8 */
	pass_ms(4000);
	upstream_pool_ended(&w.pool, w.made[0], ERR_OF(CLOSED));
	assert_int_equal(w.pool.idle_count, 1);
	upstream_pool_release(&w.pool, a.got, true);
	pass_ms(3100); /* 7.1 s of 7 s */
	assert_int_equal(w.made[1]->state, UPSTREAM_CLOSING);
	assert_int_equal(w.made[2]->state, UPSTREAM_IDLE);
	pass_ms(4000);
	assert_int_equal(w.pool.idle_count, 0);
}

/* The service's limit is another after a while: what was learned grows back, never beyond what was set, and is learned anew where that is too long. */
static void a_learned_limit_grows_back(void **state)
{
	enum { QUARTER_MS = 15 * 60 * 1000 };
	struct asker a;
	fill(1);
	pass_ms(8000);
	upstream_pool_ended(&w.pool, w.made[0], ERR_OF(CLOSED));
	uint32_t learned = w.pool.idle.limit_ms;
	assert_in_range(learned, 7000, 7001);
	fill(1);
	assert_int_equal(w.pool.idle.limit_ms, learned);
	pass_ms(QUARTER_MS - 8000);
	fill(1);
	assert_int_equal(w.pool.idle.limit_ms, learned);
	pass_ms(8000);
	fill(1);
	assert_int_equal(w.pool.idle.limit_ms, learned + learned / 8);
	assert_int_equal(lease(&a), ERR_NONE); /* kept for the longer time now */
	upstream_pool_release(&w.pool, a.got, true);
	pass_ms(learned + 1);
	assert_int_equal(w.pool.idle_count, 1);
	pass_ms(learned / 8);
	assert_int_equal(w.pool.idle_count, 0);

	fill(1);
	pass_ms(5000); /* still too long */
	upstream_pool_ended(&w.pool, w.made[w.made_count - 1], ERR_OF(CLOSED));
	assert_in_range(w.pool.idle.limit_ms, 4375, 4376);
	for (unsigned quarters = 0; quarters < 24; quarters++) {
		pass_ms(QUARTER_MS);
		fill(1);
	}
	assert_int_equal(w.pool.idle.limit_ms, 50000);
}

static void closing_refuses_who_waits(void **state)
{
	struct asker a, b;
	fill(1);
	w.settings.upstream_connections = 1;
	assert_int_equal(lease(&a), ERR_NONE);
	assert_int_equal(lease(&b), ERR_NONE);
	upstream_pool_close(&w.pool);
	assert_int_equal(b.refused.code, ERR_DRAINING);
	upstream_pool_release(&w.pool, a.got, true);
	assert_int_equal(w.closed_count, 1);
	assert_int_equal(lease(&b), ERR_DRAINING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	        CASE(newest_idle_connection_is_lent_first),
	        CASE(a_second_try_wants_a_new_connection),
	        CASE(in_a_full_pool_an_idle_one_makes_room_for_a_second_try),
	        CASE(a_second_try_is_not_given_what_was_just_released),
	        CASE(connections_and_queue_have_their_limits),
	        CASE(who_left_the_queue_is_passed_over),
	        CASE(a_lost_connection_makes_room_for_who_waits),
	        CASE(an_address_that_fails_at_once_gives_way_to_the_next),
	        CASE(an_address_that_fails_later_does_so_too),
	        CASE(no_address_at_all_is_refused_and_not_waited_for),
	        CASE(connecting_and_resolving_have_an_end),
	        CASE(idle_connections_are_retired),
	        CASE(a_learned_limit_holds_for_all),
	        CASE(a_learned_limit_grows_back),
	        CASE(closing_refuses_who_waits),
#undef CASE
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
