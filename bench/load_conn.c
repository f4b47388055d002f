#include "bench/load_conn.h"

#include <stdlib.h>

enum {
	PIECE_BYTES = 256 * 1024, /* of a large request: more is not handed to the kernel at once */
	EXPECT_MS = 350,
};

static const struct guard_limits limits = {.head_bytes = LOAD_HEAD_MAX, .plain_bytes = LOAD_HEAD_MAX};

static const struct stream_events stream_events;

static void on_timeout(struct deadline *d, struct deadline_queue *q)
{
	struct load_conn *c = container_of(d, struct load_conn, timeout);
	load_conn_close(c, LOAD_ERROR_TIMEOUT);
}

static void pump(struct load_conn *c);

static void on_expect_over(struct deadline *d, struct deadline_queue *q)
{
	struct load_conn *c = container_of(d, struct load_conn, expect);
	c->expecting = false;
	pump(c);
}

void load_link_init(struct load_link *k, struct loop *l, const struct load_conn_events *events, uint32_t timeout_ms)
{
	*k = (struct load_link){.loop = l, .events = events};
	deadline_queue_open(l, &k->timeouts, timeout_ms, on_timeout, k);
	deadline_queue_open(l, &k->expects, EXPECT_MS, on_expect_over, k);
}

void load_link_done(struct load_link *k)
{
	deadline_queue_close(&k->timeouts);
	deadline_queue_close(&k->expects);
}

void load_conn_init(struct load_conn *c, struct load_link *k, const struct sockaddr *address, struct tls_client *tls)
{
	*c = (struct load_conn){.link = k, .address = address, .tls = tls};
	stream_init(&c->io, k->loop, &stream_events);
	deadline_init(&c->timeout);
	deadline_init(&c->expect);
}

/* ---- the end of a request, and of a connection ---- */

/* Nothing of an answer is kept between requests. */
static void forget_answer(struct load_conn *c)
{
	deadline_disarm(&c->timeout);
	deadline_disarm(&c->expect);
	http_body_done(&c->body);
	free(c->held);
	c->held = NULL;
	c->held_len = c->scanned = 0;
}

static void finish(struct load_conn *c, enum load_error why)
{
	forget_answer(c);
	c->busy = false;
	c->answer.error = why;
	c->answer.kept = c->request.keep_body && !why && !c->answer.compressed;
	if (!c->answer.kept) {
		free(c->answer.body);
		c->answer.body = NULL;
	}
	c->link->events->on_answer(c, &c->answer);
}

/* In good order: with TLS the other side is told, as the servers' own libraries do. */
static void end_well(struct load_conn *c)
{
	if (c->tls && stream_is_open(&c->io))
		stream_end(&c->io);
	stream_close(&c->io);
}

void load_conn_close(struct load_conn *c, enum load_error why)
{
	if (c->state == LOAD_CONN_CLOSED || c->state == LOAD_CONN_CLOSING)
		return;
	if (c->state == LOAD_CONN_CONNECTING && why != LOAD_ERROR_UNFINISHED)
		c->link->connections_failed++;
	bool owed = c->busy, idle = c->state == LOAD_CONN_OPEN;
	if (owed) /* a caller that gives up cuts the connection: what is half done must not look done */
		stream_reset(&c->io);
	c->state = LOAD_CONN_CLOSING;
	if (owed)
		finish(c, why);
	else if (idle && c->link->events->on_lost)
		c->link->events->on_lost(c);
	if (owed)
		stream_close(&c->io);
	else
		end_well(c);
}

static void on_closed(struct stream *s)
{
	struct load_conn *c = container_of(s, struct load_conn, io);
	forget_answer(c);
	c->state = LOAD_CONN_CLOSED;
	c->link->live--;
	c->link->events->on_closed(c);
}

/* ---- sending ---- */

static size_t whole_len(const struct load_request *r)
{
	return r->len + r->line.len;
}

/* What stands at `from` of the whole message, in one piece: head, the line that goes into it, the rest. */
static struct slice piece_at(const struct load_request *r, size_t from, size_t until)
{
	size_t line_at = r->head_len - 2, behind = line_at + r->line.len;
	struct slice piece;
	if (!r->line.len)
		piece = slice_of(r->bytes + from, r->len - from);
	else if (from < line_at)
		piece = slice_of(r->bytes + from, line_at - from);
	else if (from < behind)
		piece = slice_from(r->line, from - line_at);
	else
		piece = slice_of(r->bytes + (from - r->line.len), whole_len(r) - from);
	piece = slice_until(piece, until - from);
	return slice_until(piece, PIECE_BYTES);
}

static void write_serial(const struct load_request *r)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t serial = r->serial;
	for (size_t i = 16; i-- > 0; serial >>= 4)
		r->bytes[r->serial_at + i] = digits[serial & 15];
}

static void pump(struct load_conn *c)
{
	const struct load_request *r = &c->request;
	size_t until = c->expecting ? r->head_len + r->line.len : whole_len(r);
	/* the usual case: all of it, once */
	while (c->busy && c->sent < until && !stream_is_blocked(&c->io)) {
		struct slice piece = piece_at(r, c->sent, until);
		if ((uintptr_t)r->bytes + r->serial_at - (uintptr_t)piece.at < piece.len)
			write_serial(r); /* other connections send the same image, each with its own */
		c->sent += piece.len;
		stream_write(&c->io, piece.at, piece.len);
	}
	if (c->expecting && c->sent == until && list_empty(&c->expect.link))
		deadline_arm(&c->expect, &c->link->expects, loop_now(c->link->loop));
}

static void on_drained(struct stream *s)
{
	struct load_conn *c = container_of(s, struct load_conn, io);
	if (c->state == LOAD_CONN_BUSY)
		pump(c);
}

static void start(struct load_conn *c)
{
	c->state = LOAD_CONN_BUSY;
	pump(c);
}

static void on_ready(struct stream *s)
{
	struct load_conn *c = container_of(s, struct load_conn, io);
	if (c->state != LOAD_CONN_CONNECTING)
		return;
	c->link->connections++;
	c->state = LOAD_CONN_OPEN;
	if (c->busy)
		start(c);
	else if (c->link->events->on_open)
		c->link->events->on_open(c);
}

static void take_connect_failure(struct load_conn *c, struct err why)
{
	enum load_error e = why.code == ERR_TLS || why.code == ERR_TRUNCATED ? LOAD_ERROR_TLS
	                    : why.sys == UV_ECONNREFUSED                     ? LOAD_ERROR_REFUSED
	                                                                     : LOAD_ERROR_CONNECT;
	c->link->connections_failed++;
	c->state = LOAD_CONN_CLOSING;
	if (c->busy)
		finish(c, e);
	stream_close(&c->io);
}

static void connect_now(struct load_conn *c)
{
	stream_init(&c->io, c->link->loop, &stream_events);
	c->state = LOAD_CONN_CONNECTING;
	c->link->live++;
	struct err failed = stream_connect(&c->io, c->address, c->tls);
	if (failed.code)
		take_connect_failure(c, failed);
}

void load_conn_open(struct load_conn *c)
{
	CHECK(c->state == LOAD_CONN_CLOSED);
	connect_now(c);
}

void load_conn_send(struct load_conn *c, const struct load_request *r)
{
	CHECK(!c->busy && (c->state == LOAD_CONN_OPEN || c->state == LOAD_CONN_CLOSED));
	c->busy = true;
	c->request = *r;
	c->sent = 0;
	c->expecting = r->expect;
	c->head_seen = false;
	c->interim = 0;
	c->kept_cap = 0;
	c->answer = (struct load_answer){0};
	deadline_arm(&c->timeout, &c->link->timeouts, loop_now(c->link->loop));
	if (c->state == LOAD_CONN_OPEN)
		start(c);
	else
		connect_now(c);
}

/* ---- the answer ---- */

/* A copy of a sampled body, unless there is no memory or it is more than is sensible. */
static void keep(struct load_conn *c, const char *data, size_t n)
{
	size_t have = c->answer.body_bytes;
	if (have + n > c->kept_cap) {
		size_t cap = c->body.framing == BODY_LENGTH ? have + n + c->body.left : (have + n) * 2;
		char *grown = cap <= LOAD_KEPT_MAX ? realloc(c->answer.body, cap) : NULL;
		if (!grown) {
			free(c->answer.body);
			c->answer.body = NULL;
			c->request.keep_body = false;
			return;
		}
		c->answer.body = grown;
		c->kept_cap = cap;
	}
	memcpy(c->answer.body + have, data, n);
}

/* One WWW-Authenticate value: a word, or a word and a token. */
static void look_at_offer(struct load_conn *c, struct slice value)
{
	size_t space = slice_find(value, ' ');
	struct slice word = slice_until(value, space), token = slice_from(value, space);
	while (token.len && token.at[0] == ' ')
		token = slice_from(token, 1);
	bool negotiate = slice_equal_nocase(word, SLICE("negotiate")), ntlm = slice_equal_nocase(word, SLICE("ntlm"));
	c->answer.offers |= negotiate ? LOAD_OFFER_NEGOTIATE : ntlm ? LOAD_OFFER_NTLM : 0;
	if ((negotiate || ntlm) && token.len && !c->answer.token)
		c->answer.token = strndup(token.at, token.len);
}

static void look_at_head(struct load_conn *c, const struct http_head *h)
{
	c->answer.status = h->status;
	c->keep_alive = h->keep_alive;
	c->answer.compressed = http_head_has(h, HDR_CONTENT_ENCODING);
	for (size_t i = 0; i < h->header_count && c->request.proof; i++)
		if (slice_equal_nocase(h->headers[i].name, SLICE("www-authenticate")))
			look_at_offer(c, h->headers[i].value);
	if (h->status >= 200 && h->status < 300)
		return;
	/* Only answers that are not good are looked at closely: they are few, or it does not matter. */
	struct slice type = http_head_get(h, HDR_CONTENT_TYPE);
	c->answer.soap = slice_equal_nocase(slice_until(type, 8), SLICE("text/xml")) ||
	                 slice_equal_nocase(slice_until(type, 20), SLICE("application/soap+xml"));
	for (size_t i = 0; i < h->header_count; i++)
		c->answer.self_made |= slice_equal_nocase(h->headers[i].name, SLICE("x-correlation-id"));
}

/* Why a connector answered by itself: the first line of its words, or the words of its fault. data: the start of the body. */
static void take_reason(struct load_conn *c, struct slice data)
{
	static const char fault[] = "<faultstring>", end[] = ". (connector";
	if (c->answer.soap) {
		const char *at = memmem(data.at, data.len, fault, sizeof(fault) - 1);
		if (!at)
			return;
		data = slice_from(data, (size_t)(at - data.at) + sizeof(fault) - 1);
		data = slice_until(data, slice_find(data, '<'));
		const char *stop = memmem(data.at, data.len, end, sizeof(end) - 1);
		data = stop ? slice_until(data, (size_t)(stop - data.at)) : data;
	}
	data = slice_until(slice_until(data, slice_find(data, '\n')), sizeof(c->reason));
	memcpy(c->reason, data.at, data.len);
	c->answer.reason = slice_of(c->reason, data.len);
}

/* A head at the start of bytes. Its length, 0: more is needed, -1: not HTTP. */
static long take_head(struct load_conn *c, const char *bytes, size_t n)
{
	struct http_head *h = &c->link->head;
	enum guard_reason why;
	long len = http_guard_answer(bytes, n, &c->scanned, &limits, &why);
	if (len <= 0)
		return len;
	c->scanned = 0;
	if (!http_parse_answer(bytes, (size_t)len, HTTP_POST, h, &why))
		return -1;
	if (h->status < 200) {
		if (h->status == 101 || ++c->interim > LOAD_INTERIM_MAX)
			return -1;
		if (h->status == 100 && c->expecting) {
			c->expecting = false;
			deadline_disarm(&c->expect);
			pump(c);
		}
		return len;
	}
	c->head_seen = true;
	look_at_head(c, h);
	http_body_start(&c->body, h);
	return len;
}

/* The answer is whole. Bytes behind it belong to nobody: this caller sends one request at a time. */
static void complete(struct load_conn *c, size_t left_over)
{
	bool reusable =
	        c->keep_alive && !left_over && c->sent == whole_len(&c->request) && c->body.framing != BODY_UNTIL_CLOSE;
	if (reusable) {
		c->state = LOAD_CONN_OPEN;
		finish(c, LOAD_ERROR_NONE);
		return;
	}
	c->state = LOAD_CONN_CLOSING;
	if (c->sent < whole_len(&c->request))
		stream_reset(&c->io);
	finish(c, left_over ? LOAD_ERROR_BAD_HTTP : LOAD_ERROR_NONE);
	end_well(c);
}

static void take_bytes(struct load_conn *c, char *bytes, size_t n)
{
	while (!c->head_seen) {
		long len = take_head(c, bytes, n);
		if (len < 0) {
			load_conn_close(c, LOAD_ERROR_BAD_HTTP);
			return;
		}
		if (len == 0) { /* a head in pieces is rare enough for a copy */
			c->held = malloc(LOAD_HEAD_MAX);
			if (!c->held || n > LOAD_HEAD_MAX) {
				load_conn_close(c, LOAD_ERROR_BAD_HTTP);
				return;
			}
			memcpy(c->held, bytes, n);
			c->held_len = n;
			return;
		}
		bytes += len;
		n -= (size_t)len;
		if (n == 0 && !c->head_seen)
			return;
	}
	enum guard_reason why;
	struct http_taken t = http_body_take(&c->body, bytes, n, &why);
	if (!t.ok) {
		load_conn_close(c, LOAD_ERROR_BAD_HTTP);
		return;
	}
	if (c->request.keep_body && t.data_len)
		keep(c, t.data, t.data_len);
	if (c->answer.self_made && !c->answer.body_bytes && t.data_len)
		take_reason(c, slice_of(t.data, t.data_len));
	c->answer.body_bytes += t.data_len;
	if (c->body.complete)
		complete(c, n - t.used);
}

static void on_bytes(struct stream *s, char *bytes, size_t n)
{
	struct load_conn *c = container_of(s, struct load_conn, io);
	if (c->state != LOAD_CONN_BUSY) {
		if (c->state == LOAD_CONN_OPEN) {
			c->link->stray++;
			load_conn_close(c, LOAD_ERROR_BAD_HTTP);
		}
		return;
	}
	if (!c->held) {
		take_bytes(c, bytes, n);
		return;
	}
	/* the head began in an earlier read */
	char *held = c->held;
	size_t room = LOAD_HEAD_MAX - c->held_len, piece = n < room ? n : room;
	memcpy(held + c->held_len, bytes, piece);
	c->held_len += piece;
	size_t had = c->held_len - piece;
	enum guard_reason why;
	size_t scanned = c->scanned;
	long len = http_guard_answer(held, c->held_len, &scanned, &limits, &why);
	if (len == 0 && piece == n) {
		c->scanned = scanned;
		return;
	}
	if (len <= 0 || (size_t)len < had) {
		load_conn_close(c, LOAD_ERROR_BAD_HTTP);
		return;
	}
	/* the head is whole: parse it from the copy, go on with the rest where it lies */
	c->held = NULL;
	c->held_len = 0;
	size_t of_this_read = (size_t)len - had;
	long again = take_head(c, held, (size_t)len);
	free(held);
	if (again != len) {
		load_conn_close(c, LOAD_ERROR_BAD_HTTP);
		return;
	}
	if (c->head_seen || n > of_this_read)
		take_bytes(c, bytes + of_this_read, n - of_this_read);
}

static void on_gone(struct stream *s, struct err why)
{
	struct load_conn *c = container_of(s, struct load_conn, io);
	if (c->state == LOAD_CONN_CONNECTING) {
		take_connect_failure(c, why);
		return;
	}
	if (c->state == LOAD_CONN_BUSY && c->head_seen && why.code == ERR_CLOSED && http_body_end(&c->body)) {
		complete(c, 0);
		return;
	}
	load_conn_close(c, c->head_seen                                          ? LOAD_ERROR_CUT
	                   : why.code == ERR_CLOSED || why.code == ERR_TRUNCATED ? LOAD_ERROR_CLOSED
	                                                                         : LOAD_ERROR_RESET);
}

static const struct stream_events stream_events = {
        .on_ready = on_ready,
        .on_bytes = on_bytes,
        .on_drained = on_drained,
        .on_gone = on_gone,
        .on_closed = on_closed,
};
