#include "bench/cloud_sim_control.h"

#include "proto/http_parse.h"
#include "proto/http_write.h"

#include <stdlib.h>

enum { HEAD_MAX = 16 * 1024, BODY_MAX = 64 * 1024 * 1024 };

struct control_conn {
	struct list link;
	struct stream io;
	struct sim_control *control;
	struct text in; /* whole requests; small and rare, so nothing is clever here */
	size_t scanned;
};

/* ---- answers ---- */

struct control_answer {
	unsigned status;
	struct text body;
};

static void say_error(struct control_answer *a, unsigned status, const char *why)
{
	a->status = status;
	text_add_str(&a->body, "{\"error\":");
	text_add_json(&a->body, slice_str(why));
	text_add_str(&a->body, "}");
}

void sim_address_text(const struct sockaddr_storage *a, bool tls, struct text *out)
{
	char host[64];
	bool v6 = a->ss_family == AF_INET6;
	unsigned port =
	        ntohs(v6 ? ((const struct sockaddr_in6 *)a)->sin6_port : ((const struct sockaddr_in *)a)->sin_port);
	text_format(out, v6 ? "%s://[%s]:%u" : "%s://%s:%u", tls ? "https" : "http", address_text(a, host), port);
}

static void say_health(struct sim *sim, struct control_answer *a)
{
	text_add_str(&a->body, "{\"ok\":true,\"addresses\":[");
	for (unsigned i = 0; i < sim->options->listen_count; i++) {
		text_add_str(&a->body, i ? ",\"" : "\"");
		sim_address_text(&sim->bound[i], sim->options->listen[i].certificate != NULL, &a->body);
		text_add_str(&a->body, "\"");
	}
	text_format(&a->body, "],\"version\":\"%s\",\"fixed\":%s}", RMS_VERSION,
	            sim->options->fixed ? "true" : "false");
}

/* A number of the query: "last=10". */
static uint64_t query_number(struct slice query, const char *name, uint64_t otherwise)
{
	size_t n = strlen(name);
	if (query.len <= n || memcmp(query.at, name, n) != 0 || query.at[n] != '=' || query.len > n + 10)
		return otherwise;
	uint64_t value = 0;
	for (size_t i = n + 1; i < query.len; i++) {
		if (query.at[i] < '0' || query.at[i] > '9')
			return otherwise;
		value = value * 10 + (uint64_t)(query.at[i] - '0');
	}
	return value;
}

static void say_fixed(struct sim *sim, struct text *out)
{
	uint64_t sums[3] = {0};
	for (unsigned i = 0; i < sim->worker_count; i++) {
		const struct sim_fixed *f = &sim->workers[i].fixed;
		sums[0] += __atomic_load_n(&f->requests, __ATOMIC_RELAXED);
		sums[1] += __atomic_load_n(&f->request_bytes, __ATOMIC_RELAXED);
		sums[2] += __atomic_load_n(&f->answer_bytes, __ATOMIC_RELAXED);
	}
	text_format(out, ",\"fixed\":{\"requests\":%llu,\"request_bytes\":%llu,\"answer_bytes\":%llu}}",
	            (unsigned long long)sums[0], (unsigned long long)sums[1], (unsigned long long)sums[2]);
}

static void say_seen(struct sim *sim, struct slice query, struct control_answer *a)
{
	struct text rules = {0};
	sim_script_report(&sim->script, &rules);
	sim_seen_report(&sim->seen, query_number(query, "last", sim->options->keep), text_slice(&rules), &a->body);
	text_free(&rules);
	if (sim->options->fixed) {
		a->body.len--; /* the closing brace */
		say_fixed(sim, &a->body);
	}
}

static void listen_as_told(struct sim_control *c)
{
	pthread_mutex_lock(&c->sim->script.lock);
	bool refuse = c->sim->script.connections.refuse;
	pthread_mutex_unlock(&c->sim->script.lock);
	if (refuse != c->refusing)
		sim_listen(c->sim, !refuse);
	c->refusing = refuse;
}

static void take_script(struct sim_control *c, struct slice body, struct control_answer *a)
{
	char why[256];
	if (c->sim->options->fixed) {
		say_error(a, 409, "the answers are fixed (--bench): there is no script");
	} else if (!sim_script_load(&c->sim->script, body, why)) {
		say_error(a, 400, why);
	} else {
		listen_as_told(c);
		text_add_str(&a->body, "{\"ok\":true}");
	}
}

static void take_close(struct sim_control *c, struct slice query, struct control_answer *a)
{
	static const struct {
		struct slice query;
		enum sim_which which;
		enum sim_action how;
	} rows[] = {
	        {SLICE("idle"), SIM_IDLE_CONNECTIONS, SIM_TRUNCATE},
	        {SLICE("idle-rst"), SIM_IDLE_CONNECTIONS, SIM_RESET},
	        {SLICE("idle-cut"), SIM_IDLE_CONNECTIONS, SIM_CLOSE},
	        {SLICE("all"), SIM_ALL_CONNECTIONS, SIM_TRUNCATE},
	        {SLICE("all-rst"), SIM_ALL_CONNECTIONS, SIM_RESET},
	        {SLICE("all-cut"), SIM_ALL_CONNECTIONS, SIM_CLOSE},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (slice_equal(query, rows[i].query)) {
			sim_close_connections(c->sim, rows[i].which, rows[i].how);
			text_add_str(&a->body, "{\"ok\":true}");
			return;
		}
	}
	say_error(a, 400, "POST /close?WHICH, where WHICH is idle, idle-rst, idle-cut, all, all-rst or all-cut");
}

static void route(struct sim_control *c, const struct http_head *head, struct slice body, struct control_answer *a)
{
	bool get = head->method == HTTP_GET, post = head->method == HTTP_POST;
	a->status = 200;
	if (slice_equal(head->path, SLICE("/health")) && get) {
		say_health(c->sim, a);
	} else if (slice_equal(head->path, SLICE("/seen")) && get) {
		say_seen(c->sim, head->query, a);
	} else if (slice_equal(head->path, SLICE("/script")) && post) {
		take_script(c, body, a);
	} else if (slice_equal(head->path, SLICE("/close")) && post) {
		take_close(c, head->query, a);
	} else if (slice_equal(head->path, SLICE("/forget-tokens")) && post) {
		sim_login_forget(&c->sim->login);
		text_add_str(&a->body, "{\"ok\":true}");
	} else if (slice_equal(head->path, SLICE("/reset")) && post) {
		sim_script_clear(&c->sim->script);
		sim_seen_reset(&c->sim->seen);
		listen_as_told(c);
		text_add_str(&a->body, "{\"ok\":true}");
	} else {
		say_error(a, 404,
		          "GET /health, GET /seen?last=N, POST /script, POST /reset, POST /forget-tokens, POST "
		          "/close?WHICH");
	}
}

/* ---- connections ---- */

static void reply(struct control_conn *c, const struct control_answer *a, bool closes)
{
	struct text wire = {0};
	text_format(&wire,
	            "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: "
	            "%zu\r\n%s\r\n",
	            a->status, http_status_reason(a->status), a->body.len, closes ? "Connection: close\r\n" : "");
	text_add(&wire, text_slice(&a->body));
	stream_write(&c->io, wire.at, wire.len);
	text_free(&wire);
	if (closes)
		stream_end(&c->io);
}

/* One whole request at the start of c->in; its length, 0: more is needed, -1: not understood. */
static long take_request(struct control_conn *c)
{
	static const struct guard_limits limits = {.head_bytes = HEAD_MAX, .plain_bytes = HEAD_MAX};
	enum guard_reason why = GUARD_FINE;
	struct http_head head;
	long n = http_guard_request(c->in.at, c->in.len, &c->scanned, &limits, &why);
	if (n == 0)
		return c->in.len < HEAD_MAX ? 0 : -1;
	if (n < 0 || !http_parse_request(c->in.at, (size_t)n, &head, &why) || head.framing == BODY_CHUNKED ||
	    head.content_length > BODY_MAX)
		return -1;
	uint64_t body_bytes = head.framing == BODY_LENGTH ? head.content_length : 0;
	if (c->in.len - (size_t)n < body_bytes) {
		c->scanned = 0; /* the head is looked at again with its whole body */
		if (head.expect_continue && c->in.len == (size_t)n)
			stream_write(&c->io, "HTTP/1.1 100 Continue\r\n\r\n", 25);
		return 0;
	}
	c->scanned = 0;
	struct control_answer a = {0};
	route(c->control, &head, slice_of(c->in.at + n, body_bytes), &a);
	reply(c, &a, !head.keep_alive);
	text_free(&a.body);
	return n + (long)body_bytes;
}

static void on_bytes(struct stream *io, char *bytes, size_t n)
{
	struct control_conn *c = container_of(io, struct control_conn, io);
	text_add(&c->in, slice_of(bytes, n));
	while (c->in.len && stream_is_open(&c->io)) {
		long used = take_request(c);
		if (used == 0)
			return;
		if (used < 0) {
			struct control_answer a = {0};
			say_error(&a, 400, "this is not a request that the control port understands");
			reply(c, &a, true);
			text_free(&a.body);
			text_clear(&c->in);
			return;
		}
		memmove(c->in.at, c->in.at + used, c->in.len -= (size_t)used);
	}
}

static void on_gone(struct stream *io, struct err why)
{
	stream_close(io);
}

static void on_closed(struct stream *io)
{
	struct control_conn *c = container_of(io, struct control_conn, io);
	list_remove(&c->link);
	text_free(&c->in);
	free(c);
}

static const struct stream_events events = {.on_bytes = on_bytes, .on_gone = on_gone, .on_closed = on_closed};

static void on_connection(struct listener *l)
{
	struct sim_control *control = l->context;
	struct control_conn *c = calloc(1, sizeof *c);
	CHECK(c);
	c->control = control;
	list_push_back(&control->connections, &c->link);
	stream_init(&c->io, control->loop, &events);
	if (stream_accept(&c->io, (uv_stream_t *)&l->tcp, NULL).code)
		stream_close(&c->io);
}

struct err sim_control_open(struct sim_control *c, struct sim *sim, struct loop *loop,
                            const struct sockaddr_storage *address)
{
	*c = (struct sim_control){.sim = sim, .loop = loop};
	list_init(&c->connections);
	c->listener.on_connection = on_connection;
	c->listener.context = c;
	TRY(listener_open(&c->listener, loop, (const struct sockaddr *)address, false, 64));
	c->open = true;
	return OK;
}

void sim_control_close(struct sim_control *c)
{
	if (!c->open)
		return;
	c->open = false;
	listener_close(&c->listener);
	list_for_each_safe (link, &c->connections)
		stream_close(&container_of(link, struct control_conn, link)->io);
}
