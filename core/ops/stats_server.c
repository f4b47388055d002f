#include "core/ops/stats_server.h"
#include "core/base/log.h"
#include "core/net/listener.h"
#include "core/net/timers.h"
#include "core/base/address_list.h"
#include "proto/http_parse.h"
#include "proto/http_write.h"

#include <stdlib.h>
#include <string.h>

enum {
	CONNECTIONS_MAX = 64,
	HEAD_BYTES = 8192,
	WORK_MS = 10 * 1000,  /* handshake, a head, taking an answer */
	IDLE_MS = 120 * 1000, /* between two requests: longer than the usual scrape interval of a minute */
};

struct stats_server {
	struct loop *loop;
	struct listener listener;
	bool listening;
	struct tls_server *tls;
	const struct stats_source *source;
	struct address_prefix *allow;
	size_t allow_count;
	struct list connections;
	unsigned connection_count;
	struct stats_conn *
	        spare; /* without memory, a connection is taken with it and closed: libuv listens no more until it is taken */
	bool one_waits; /* not even that was left; the next end of a connection tries again */
	struct deadline_queue working, idle;
	struct http_head head; /* scratch: large, and one at a time is enough */
	bool closing;
};

struct stats_conn {
	struct stream io;
	struct stats_server *server;
	struct list link;
	struct deadline deadline;
	size_t used, scanned;
	bool ending; /* the last answer is written */
	char bytes[HEAD_BYTES];
};

static void free_when_empty(struct stats_server *v)
{
	if (!v->closing || v->listening || v->connection_count)
		return;
	deadline_queue_close(&v->working);
	deadline_queue_close(&v->idle);
	tls_server_free(v->tls);
	free(v->allow);
	free(v->spare);
	free(v);
}

/* ---- answers ---- */

struct page {
	unsigned status;
	const char *type;
	char *body; /* malloc'd, or NULL: text */
	const char *text;
	size_t len;
	const char *extra; /* header lines */
};

static struct page plain_page(unsigned status, const char *text)
{
	return (struct page){.status = status, .type = "text/plain; charset=utf-8", .text = text, .len = strlen(text)};
}

static struct page made_page(const char *type, char *body, size_t len)
{
	if (!body)
		return plain_page(500, "out of memory\n");
	return (struct page){.status = 200, .type = type, .body = body, .len = len};
}

static struct page page_of(const struct stats_source *source, const struct http_head *head)
{
	size_t len = 0;
	struct slice path = head->path;
	bool stats = slice_equal(path, SLICE("/stats")), metrics = slice_equal(path, SLICE("/metrics"));
	bool livez = slice_equal(path, SLICE("/livez")), readyz = slice_equal(path, SLICE("/readyz"));
	bool front = slice_equal(path, SLICE("/"));
	if (!stats && !metrics && !livez && !readyz && !front)
		return plain_page(404, "here are / /stats /metrics /livez /readyz\n");
	if (head->method != HTTP_GET && head->method != HTTP_HEAD) {
		struct page page = plain_page(405, "this address takes GET\n");
		page.extra = "Allow: GET, HEAD\r\n";
		return page;
	}
	if (livez)
		return plain_page(200, "ok\n");
	if (readyz)
		return strcmp(stats_state(source), "ready") == 0 ? plain_page(200, "ready\n")
		                                                 : plain_page(503, "not ready\n");
	if (stats) {
		char *body = stats_json(source, &len);
		return made_page("application/json", body, len);
	}
	if (front) {
		char *body = stats_page(source, &len);
		struct page page = made_page("text/html; charset=utf-8", body, len);
		page.extra = "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors "
		             "'none'\r\n";
		return page;
	}
	char *body = stats_prometheus(source, &len);
	return made_page("text/plain; version=0.0.4; charset=utf-8", body, len);
}

static void answer(struct stats_conn *c, struct page page, bool with_body, bool keep)
{
	char head[512];
	int n = snprintf(head, sizeof(head),
	                 "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
	                 "X-Content-Type-Options: nosniff\r\n%s%s\r\n",
	                 page.status, http_status_reason(page.status), page.type, page.len,
	                 page.extra ? page.extra : "", keep ? "" : "Connection: close\r\n");
	CHECK(n > 0 && (size_t)n < sizeof(head));
	struct slice body = slice_of(page.body ? page.body : page.text, with_body ? page.len : 0);
	stream_write(&c->io, head, (size_t)n);
	stream_write(&c->io, body.at, body.len);
	free(page.body);
	if (keep)
		return;
	c->ending = true;
	stream_end(&c->io);
}

static void arm(struct stats_conn *c, struct deadline_queue *q)
{
	deadline_arm(&c->deadline, q, loop_now(c->server->loop));
}

/* Answers every whole head that is there, unless an answer is still on its way. */
static void take_requests(struct stats_conn *c)
{
	static const struct guard_limits limits = {.head_bytes = HEAD_BYTES, .plain_bytes = HEAD_BYTES};
	struct stats_server *v = c->server;
	while (!c->ending && stream_is_open(&c->io) && !stream_is_blocked(&c->io)) {
		enum guard_reason why = GUARD_FINE;
		long n = http_guard_request(c->bytes, c->used, &c->scanned, &limits, &why);
		if (n == 0 && c->used == HEAD_BYTES) {
			answer(c, plain_page(431, "the request head is too large\n"), true, false);
			break;
		}
		if (n == 0)
			break;
		if (n < 0 || !http_parse_request(c->bytes, (size_t)n, &v->head, &why)) {
			answer(c, plain_page(guard_reason_status(why), guard_reason_text(why)), true, false);
			break;
		}
		/* A body has no place in a GET: its bytes are not looked at, so nothing may follow them. */
		bool has_body = v->head.framing == BODY_CHUNKED || v->head.content_length > 0;
		bool keep = v->head.keep_alive && !v->head.http10 && !has_body;
		answer(c, page_of(v->source, &v->head), v->head.method != HTTP_HEAD, keep);
		c->used -= (size_t)n;
		c->scanned = 0;
		memmove(c->bytes, c->bytes + n, c->used);
	}
	arm(c, c->used || c->ending || stream_is_blocked(&c->io) ? &v->working : &v->idle);
}

/* ---- connections ---- */

static void on_ready(struct stream *s)
{
	struct stats_conn *c = container_of(s, struct stats_conn, io);
	arm(c, &c->server->working);
}

static void on_bytes(struct stream *s, char *bytes, size_t n)
{
	struct stats_conn *c = container_of(s, struct stats_conn, io);
	while (n > 0 && !c->ending && stream_is_open(s)) {
		size_t room = HEAD_BYTES - c->used, take = n < room ? n : room;
		if (take == 0) { /* more requests while an answer waits than anybody needs */
			stream_close(s);
			return;
		}
		memcpy(c->bytes + c->used, bytes, take);
		c->used += take;
		bytes += take;
		n -= take;
		take_requests(c);
	}
}

static void on_blocked(struct stream *s)
{
	struct stats_conn *c = container_of(s, struct stats_conn, io);
	stream_pause(s);
	arm(c, &c->server->working);
}

static void on_drained(struct stream *s)
{
	struct stats_conn *c = container_of(s, struct stats_conn, io);
	stream_resume(s);
	take_requests(c);
}

static void on_gone(struct stream *s, struct err why)
{
	stream_close(s);
}

static void on_connection(struct listener *l);

static void on_conn_closed(struct stream *s)
{
	struct stats_conn *c = container_of(s, struct stats_conn, io);
	struct stats_server *v = c->server;
	deadline_disarm(&c->deadline);
	list_remove(&c->link);
	v->connection_count--;
	if (v->spare)
		free(c);
	else
		v->spare = c;
	if (v->one_waits && !v->closing) {
		v->one_waits = false;
		on_connection(&v->listener);
	}
	free_when_empty(v);
}

static const struct stream_events conn_events = {
        .on_ready = on_ready,
        .on_bytes = on_bytes,
        .on_blocked = on_blocked,
        .on_drained = on_drained,
        .on_gone = on_gone,
        .on_closed = on_conn_closed,
};

static void on_expired(struct deadline *d, struct deadline_queue *q)
{
	stream_close(&container_of(d, struct stats_conn, deadline)->io);
}

static bool is_allowed(const struct stats_server *v, const struct sockaddr_storage *from)
{
	for (size_t i = 0; i < v->allow_count; i++)
		if (address_prefix_covers(&v->allow[i], from))
			return true;
	return v->allow_count == 0;
}

static void refuse_stranger(struct stats_conn *c)
{
	struct sockaddr_storage from = {0};
	char text[64];
	if (stream_peer(&c->io, &from) && is_allowed(c->server, &from))
		return;
	event_log(EVENT_STATS_REFUSED, "%s", address_text(&from, text));
	stream_close(&c->io);
}

static void on_connection(struct listener *l)
{
	struct stats_server *v = l->context;
	struct stats_conn *c = malloc(sizeof(*c));
	bool poor = !c;
	if (poor) {
		c = v->spare;
		v->spare = NULL;
	}
	if (!c) {
		v->one_waits = true;
		return;
	}
	*c = (struct stats_conn){.server = v};
	deadline_init(&c->deadline);
	list_push_back(&v->connections, &c->link);
	v->connection_count++;
	stream_init(&c->io, v->loop, &conn_events);
	struct err e = stream_accept(&c->io, (uv_stream_t *)&l->tcp, v->tls);
	if (e.code || poor || v->connection_count > CONNECTIONS_MAX) {
		stream_close(&c->io);
		return;
	}
	arm(c, &v->working);
	if (v->allow_count)
		refuse_stranger(c);
}

/* ---- beginning and end ---- */

static void on_listener_closed(struct listener *l)
{
	struct stats_server *v = l->context;
	v->listening = false;
	free_when_empty(v);
}

static const char *words(const char *setting, const char *what)
{
	static _Thread_local char text[640];
	snprintf(text, sizeof(text), "%s: %s", setting, what);
	return text;
}

static struct err wrong(const char *setting, const char *what)
{
	return ERR_OF(SETTINGS, .what = words(setting, what));
}

static struct err read_allow(struct stats_server *v, const struct settings *s)
{
	v->allow = calloc(s->stats_allow_count ? s->stats_allow_count : 1, sizeof(*v->allow));
	if (!v->allow)
		return ERR_OF(NO_MEMORY);
	for (; v->allow_count < s->stats_allow_count; v->allow_count++)
		if (address_prefix_parse(s->stats_allow[v->allow_count], &v->allow[v->allow_count]))
			return wrong("stats.allow", "not an address or a prefix");
	return OK;
}

static struct err prepare(struct stats_server *v, const struct settings *s, struct sockaddr_storage *address)
{
	struct err e = address_parse(s->stats_address, address);
	if (e.code)
		return wrong("stats.address", err_text(e));
	TRY(read_allow(v, s));
	bool certified = *s->stats_tls_certificate && *s->stats_tls_client_ca;
	if (!address_is_loopback((struct sockaddr *)address) && !certified && v->allow_count == 0)
		return wrong("stats.address", "off loopback it needs a client certificate or stats.allow");
	if (!*s->stats_tls_certificate)
		return OK;
	struct tls_server_options o = {
	        .certificate = {s->stats_tls_certificate},
	        .key = {s->stats_tls_key},
	        .client_ca = *s->stats_tls_client_ca ? s->stats_tls_client_ca : NULL,
	};
	e = tls_server_new(&o, &v->tls);
	return e.code ? wrong("stats.tls_certificate", err_text(e)) : OK;
}

struct err stats_server_open(struct loop *main_loop, const struct settings *s, const struct stats_source *source,
                             struct stats_server **out)
{
	*out = NULL;
	if (!*s->stats_address)
		return OK;
	struct stats_server *v = calloc(1, sizeof(*v));
	if (v)
		v->spare = malloc(sizeof(*v->spare));
	if (!v || !v->spare) {
		free(v);
		return ERR_OF(NO_MEMORY);
	}
	struct sockaddr_storage address;
	v->loop = main_loop;
	v->source = source;
	list_init(&v->connections);
	deadline_queue_open(main_loop, &v->working, WORK_MS, on_expired, v);
	deadline_queue_open(main_loop, &v->idle, IDLE_MS, on_expired, v);
	v->listener.on_connection = on_connection;
	v->listener.on_closed = on_listener_closed;
	v->listener.context = v;
	struct err e = prepare(v, s, &address);
	if (!e.code) {
		e = listener_open(&v->listener, main_loop, (struct sockaddr *)&address, false, 16);
		if (e.code) /* as with the other listeners: the setting may be right, and the address free a moment later */
			e = ERR_OF(NETWORK, .sys = e.sys, .what = words("stats.address", err_text(e)));
		v->listening = v->listener.loop && uv_handle_get_type((uv_handle_t *)&v->listener.tcp) == UV_TCP;
	}
	if (e.code) {
		v->closing = true;
		free_when_empty(v); /* or when the half-open listener is closed */
		return e;
	}
	*out = v;
	return OK;
}

void stats_server_close(struct stats_server *v)
{
	if (!v || v->closing)
		return;
	v->closing = true;
	listener_close(&v->listener);
	list_for_each_safe (link, &v->connections)
		stream_close(&container_of(link, struct stats_conn, link)->io);
}

uint16_t stats_server_port(const struct stats_server *v)
{
	return v ? listener_port(&v->listener) : 0;
}
