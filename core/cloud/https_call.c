#include "core/cloud/https_call.h"

#include "core/net/stream.h"
#include "core/net/timers.h"
#include "proto/http_guard.h"
#include "proto/http_parse.h"

#include <stdio.h>
#include <stdlib.h>

struct https_call {
	struct stream io;
	struct loop *loop;
	struct resolver *resolver;
	struct tls_client *tls;
	const struct way_out *way;
	struct proxy_reader *proxy; /* owned; while a web proxy has not opened the way */
	uv_timer_t timer;
	void (*done)(void *context, struct err why, const struct https_answer *answer);
	void *context;
	struct resolved addresses;
	size_t next_address;
	struct err last; /* why the address before did not work */
	msec_t timeout;
	char *out, *in;
	size_t out_len, in_len, in_cap, body_at, scanned;
	struct http_head head;
	struct http_body body;
	enum http_method method;
	bool resolving, open, head_known, over;
	uint8_t handles; /* that are not closed yet */
};

static const struct guard_limits limits = {HTTPS_HEAD_MAX, HTTPS_HEAD_MAX};

static void free_when_closed(struct https_call *c)
{
	if (!c->over || c->handles || c->resolving)
		return;
	http_body_done(&c->body);
	free(c->proxy);
	explicit_bzero(c->out, c->out_len);
	free(c->out);
	if (c->in)
		explicit_bzero(c->in, c->in_cap);
	free(c->in);
	free(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct https_call *c = handle->data;
	c->handles--;
	free_when_closed(c);
}

static void close_all(struct https_call *c)
{
	c->over = true;
	if (!uv_is_closing((uv_handle_t *)&c->timer))
		uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	if (c->open) {
		c->open = false;
		stream_close(&c->io);
	}
}

static void end(struct https_call *c, struct err why, const struct https_answer *answer)
{
	if (c->over)
		return;
	c->over = true;
	c->done(c->context, why, answer);
	close_all(c);
}

static void answered(struct https_call *c)
{
	struct https_answer answer = {&c->head, slice_of(c->in + c->body_at, c->body.seen)};
	end(c, OK, &answer);
}

/* ---- connecting ---- */

static const struct stream_events events;

/* A stream that could not even begin is closed like any other, and the next address is tried when that is done. */
static void try_next(struct https_call *c)
{
	if (c->next_address == c->addresses.count) {
		enum err_code code = c->last.code == ERR_TLS              ? ERR_UPSTREAM_TLS
		                     : c->last.code == ERR_UPSTREAM_PROXY ? ERR_UPSTREAM_PROXY
		                                                          : ERR_UPSTREAM_CONNECT;
		end(c, (struct err){code, c->last.sys, err_text(c->last)}, NULL);
		return;
	}
	const struct sockaddr *to = (struct sockaddr *)&c->addresses.address[c->next_address++];
	stream_init(&c->io, c->loop, &events);
	c->handles++;
	c->open = true;
	bool proxied = way_out_is_proxied(c->way);
	free(c->proxy);
	c->proxy = proxied ? way_out_reader(c->way) : NULL;
	struct err failed =
	        proxied && !c->proxy ? ERR_OF(NO_MEMORY) : stream_connect(&c->io, to, proxied ? NULL : c->tls);
	if (failed.code) {
		c->last = failed;
		c->open = false;
		stream_close(&c->io);
	}
}

static void on_resolved(void *context, struct err why, const struct resolved *answer)
{
	struct https_call *c = context;
	c->resolving = false;
	if (c->over) {
		free_when_closed(c);
	} else if (why.code) {
		end(c, (struct err){ERR_UPSTREAM_NAME, why.sys, err_text(why)}, NULL);
	} else {
		c->addresses = *answer;
		try_next(c);
	}
}

/* ---- what the stream says ---- */

static struct https_call *call_of(struct stream *s)
{
	return container_of(s, struct https_call, io);
}

/* This address is given up; the next one is tried when it is closed. */
static void give_up(struct https_call *c, struct err why)
{
	c->last = why;
	c->open = false;
	stream_close(&c->io);
}

static void on_proxy_bytes(struct https_call *c, const char *bytes, size_t n)
{
	bool open = false;
	struct err failed = way_out_take(c->proxy, bytes, n, &open);
	if (open) {
		free(c->proxy);
		c->proxy = NULL;
		if (c->tls)
			failed = stream_secure(&c->io, c->tls);
		else
			stream_write(&c->io, c->out, c->out_len);
	}
	if (failed.code)
		give_up(c, failed);
}

static void on_ready(struct stream *s)
{
	struct https_call *c = call_of(s);
	if (c->proxy)
		stream_write(s, c->way->ask, c->way->ask_len);
	else
		stream_write(s, c->out, c->out_len);
}

static bool keep(struct https_call *c, const char *bytes, size_t n)
{
	if (n > HTTPS_ANSWER_MAX + HTTPS_HEAD_MAX - c->in_len)
		return false;
	if (c->in_len + n > c->in_cap) {
		size_t cap = (c->in_len + n) * 2;
		char *more = malloc(cap); /* not realloc(): what is left behind could be a token */
		if (!more)
			return false;
		if (c->in) {
			memcpy(more, c->in, c->in_len);
			explicit_bzero(c->in, c->in_cap);
			free(c->in);
		}
		c->in = more;
		c->in_cap = cap;
	}
	memcpy(c->in + c->in_len, bytes, n);
	c->in_len += n;
	return true;
}

/* 1: the head is known, 0: more is needed, -1: it is no HTTP. 1xx heads are passed over. */
static int look_for_head(struct https_call *c)
{
	enum guard_reason why;
	for (;;) {
		long len = http_guard_answer(c->in, c->in_len, &c->scanned, &limits, &why);
		if (len <= 0)
			return (int)len;
		if (!http_parse_answer(c->in, (size_t)len, c->method, &c->head, &why))
			return -1;
		if (c->head.status >= 200) {
			c->body_at = (size_t)len;
			return 1;
		}
		c->scanned = 0;
		c->in_len -= (size_t)len;
		memmove(c->in, c->in + len, c->in_len);
	}
}

/* The head's slices point into what was kept, which may have moved since. */
static bool parse_again(struct https_call *c)
{
	enum guard_reason why;
	return http_parse_answer(c->in, c->body_at, c->method, &c->head, &why);
}

static void on_bytes(struct stream *s, char *bytes, size_t n)
{
	struct https_call *c = call_of(s);
	struct err bad = ERR_OF(UPSTREAM_ANSWER_BAD, .what = "the answer is not valid HTTP, or too long");
	enum guard_reason why;
	if (c->over)
		return;
	if (c->proxy) {
		on_proxy_bytes(c, bytes, n);
		return;
	}
	size_t fresh = c->in_len;
	if (!keep(c, bytes, n)) {
		end(c, bad, NULL);
		return;
	}
	if (!c->head_known) {
		int found = look_for_head(c);
		if (found < 0)
			end(c, bad, NULL);
		if (found <= 0)
			return;
		c->head_known = true;
		http_body_start(&c->body, &c->head);
		fresh = c->body_at;
	}
	/* Content is moved to follow what came before: chunk frames are squeezed out. */
	struct http_taken t = {.ok = true};
	if (!c->body.complete)
		t = http_body_take(&c->body, c->in + fresh, c->in_len - fresh, &why);
	if (!t.ok || (!c->body.complete && t.used != c->in_len - fresh)) {
		end(c, bad, NULL);
		return;
	}
	if (t.data_len)
		memmove(c->in + c->body_at + c->body.seen - t.data_len, t.data, t.data_len);
	c->in_len = c->body_at + c->body.seen;
	if (c->body.complete && parse_again(c))
		answered(c);
}

static void on_gone(struct stream *s, struct err why)
{
	struct https_call *c = call_of(s);
	bool connected = s->state == STREAM_OPEN || c->in_len;
	if (c->over)
		return;
	if (connected && c->proxy) {
		give_up(c, ERR_OF(UPSTREAM_PROXY,
		                  .what = "the web proxy closed the connection instead of answering CONNECT"));
		return;
	}
	if (c->head_known && why.code == ERR_CLOSED && http_body_end(&c->body) && parse_again(c)) {
		answered(c);
		return;
	}
	if (connected) {
		end(c, ERR_OF(UPSTREAM_LOST, .what = "the connection ended before the answer was complete"), NULL);
		return;
	}
	give_up(c, why);
}

static void on_closed(struct stream *s)
{
	struct https_call *c = call_of(s);
	c->handles--;
	if (!c->over)
		try_next(c);
	else
		free_when_closed(c);
}

static void on_nothing(struct stream *s)
{
}

static const struct stream_events events = {
        .on_ready = on_ready,
        .on_bytes = on_bytes,
        .on_blocked = on_nothing,
        .on_drained = on_nothing,
        .on_gone = on_gone,
        .on_closed = on_closed,
};

static void on_timeout(uv_timer_t *timer)
{
	struct https_call *c = timer->data;
	const char *what = c->resolving                             ? "the name servers did not answer in time"
	                   : c->io.state == STREAM_HANDSHAKE        ? "the TLS handshake did not end in time"
	                   : c->proxy && c->io.state == STREAM_OPEN ? "the web proxy did not answer CONNECT in time"
	                   : c->io.state == STREAM_OPEN             ? "no answer in time"
	                                                            : "connecting took too long";
	end(c, ERR_OF(UPSTREAM_TIMEOUT, .what = what), NULL);
}

/* ---- from outside ---- */

static bool write_request(struct https_call *c, const struct https_request *r)
{
	size_t cap = r->method.len + r->path.len + r->lines.len + r->body.len + 128;
	c->out = malloc(cap);
	if (!c->out)
		return false;
	int n = snprintf(c->out, cap, "%.*s %.*s HTTP/1.1\r\n%.*sContent-Length: %zu\r\nConnection: close\r\n\r\n",
	                 SLICE_ARG(r->method), SLICE_ARG(r->path), SLICE_ARG(r->lines), r->body.len);
	memcpy(c->out + n, r->body.at, r->body.len);
	c->out_len = (size_t)n + r->body.len;
	return true;
}

static void on_start(uv_timer_t *timer)
{
	struct https_call *c = timer->data;
	uv_timer_start(timer, on_timeout, c->timeout, 0);
	c->resolving = true;
	resolver_lookup(c->resolver, c->way->host, c->way->port, on_resolved, c);
}

struct https_call *https_call_start(struct loop *l, const struct https_request *r,
                                    void (*done)(void *context, struct err why, const struct https_answer *answer),
                                    void *context)
{
	struct https_call *c = calloc(1, sizeof(*c));
	if (!c || !write_request(c, r)) {
		free(c);
		return NULL;
	}
	c->loop = l;
	c->resolver = r->resolver;
	c->tls = r->tls;
	c->way = r->way;
	c->done = done;
	c->context = context;
	c->timeout = r->timeout;
	c->method = slice_equal(r->method, SLICE("GET")) ? HTTP_GET : HTTP_POST;
	uv_timer_init(&l->uv, &c->timer);
	c->timer.data = c;
	c->handles = 1;
	uv_timer_start(&c->timer, on_start, 0,
	               0); /* a name may resolve at once, and nothing is told from inside this call */
	return c;
}

void https_call_cancel(struct https_call *c)
{
	if (c)
		close_all(c);
}
