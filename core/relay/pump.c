#include "core/relay/pump.h"

#include "core/base/log.h"
#include "core/cloud/reach.h"
#include "core/relay/authn.h"
#include "core/relay/onboarding.h"
#include "core/relay/remember.h"
#include "proto/http_write.h"

#include <stdlib.h>

enum {
	REWIND_BYTES = 64 * 1024,  /* requests that may be sent again are small; larger ones are not kept */
	DISCARD_BYTES = 64 * 1024, /* of an answer that is replaced; a longer one costs its connection */
	INTERIM_MAX = 8,           /* 1xx answers before the real one */
	REPLY_HEAD_BYTES = 64 * 1024,
	REPLY_PLAIN_BYTES = 64 * 1024,
};

static const char chunk_end[] = "\r\n", last_chunk[] = "0\r\n\r\n";

void pump_send(struct stream *to, struct slice head, struct input content, bool chunked, bool last)
{
	char start[18];
	size_t start_len = chunked && content.n ? http_write_chunk_start(start, content.n) : 0;
	const char *end = chunked ? chunk_end : "";
	/* What a chunked answer loses in frames is never less than what ours need behind it; behind a whole buffer there is tail room. */
	if (content.in_place && content.n && (size_t)(content.at - to->loop->plain_block) >= start_len + head.len) {
		char *at = content.at - start_len - head.len;
		size_t n = head.len + start_len + content.n;
		memcpy(at, head.at, head.len);
		memcpy(at + head.len, start, start_len);
		if (chunked) {
			memcpy(at + n, end, sizeof(chunk_end) - 1);
			n += sizeof(chunk_end) - 1;
			if (last) {
				memcpy(at + n, last_chunk, sizeof(last_chunk) - 1);
				n += sizeof(last_chunk) - 1;
			}
		}
		stream_write(to, at, n);
		return;
	}
	stream_write(to, head.at, head.len);
	if (content.n) {
		stream_write(to, start, start_len);
		stream_write(to, content.at, content.n);
		stream_write(to, end, chunked ? sizeof(chunk_end) - 1 : 0);
	}
	if (chunked && last)
		stream_write(to, last_chunk, sizeof(last_chunk) - 1);
}

/* ---- held bytes, all counted against limits.held_bytes ---- */

static void count_held(struct relay *r, int64_t n)
{
	r->held_bytes = (size_t)((int64_t)r->held_bytes + n);
	metric_add(r->metrics, METRIC_held, 0, 0, n);
}

static bool append(struct relay *r, char **block, size_t *len, size_t *cap, const char *bytes, size_t n)
{
	if (*len + n > *cap) {
		size_t more = *len + n < 2 * *cap ? 2 * *cap : *len + n;
		char *bigger = realloc(*block, more);
		if (!bigger)
			return false;
		count_held(r, (int64_t)(more - *cap));
		*block = bigger;
		*cap = more;
	}
	memcpy(*block + *len, bytes, n);
	*len += n;
	return true;
}

static void drop(struct relay *r, char **block, size_t *len, size_t *cap)
{
	count_held(r, -(int64_t)*cap);
	free(*block);
	*block = NULL;
	*len = *cap = 0;
}

/* ---- the request ---- */

struct err pump_take(struct exchange *x)
{
	struct relay *r = x->relay;
	if (x->body.complete || r->in.n == 0)
		return OK;
	enum guard_reason why = GUARD_FINE;
	struct http_taken t = http_body_take(&x->body, r->in.at, r->in.n, &why);
	if (!t.ok) {
		metric_add(r->metrics, METRIC_guard_refusals, why, 0, 1);
		return ERR_OF(BODY_MALFORMED, .what = guard_reason_text(why));
	}
	bool in_place = r->in.in_place;
	r->in.at += t.used;
	r->in.n -= t.used;
	/* What is only thrown away has a limit of its own, and need not even be for a service of ours. */
	if (x->body.seen > r->settings->limits_request_body_bytes && x->step < STEP_ANSWER) {
		event_log(EVENT_BODY_TOO_LARGE, "%.*s: more than %u bytes came in chunks", SLICE_ARG(x->service->path),
		          r->settings->limits_request_body_bytes);
		return ERR_OF(BODY_TOO_LARGE);
	}
	if (x->held_len || r->content.n) {
		if (r->content.n && !pump_keep(x))
			return ERR_OF(NO_MEMORY);
		return append(r, &x->held, &x->held_len, &x->held_cap, t.data, t.data_len) ? OK : ERR_OF(NO_MEMORY);
	}
	r->content = (struct input){t.data, t.data_len, in_place};
	return OK;
}

struct input pump_content(const struct exchange *x)
{
	return x->held_len ? (struct input){x->held, x->held_len, false} : x->relay->content;
}

void pump_drop_content(struct exchange *x)
{
	drop(x->relay, &x->held, &x->held_len, &x->held_cap);
	x->relay->content = (struct input){0};
}

/* The head without its words: what is kept while a request waits, as it may speak with newer ones when its turn comes. */
static size_t write_rest(struct exchange *x, char *out, size_t cap)
{
	struct relay *r = x->relay;
	return http_write_request_rest(out, cap, &r->head, r->head.framing, r->head.content_length);
}

/* The whole head, in relay->scratch. */
static size_t write_head(struct exchange *x)
{
	struct relay *r = x->relay;
	struct slice path = x->service->path;
	path.at += sizeof("/_wmcs") - 1;
	path.len -= sizeof("/_wmcs") - 1;
	size_t n = http_write_request_line(r->scratch, sizeof(r->scratch), slice_str(r->settings->upstream_path), path,
	                                   credential_words_lines(x->up->words));
	char *at = r->scratch + n;
	size_t left = sizeof(r->scratch) - n, rest;
	if (x->head_out) {
		rest = x->head_out_len <= left ? x->head_out_len : 0;
		memcpy(at, x->head_out, rest);
	} else {
		rest = write_rest(x, at, left);
	}
	return n && rest ? n + rest : 0;
}

static bool keep_head(struct exchange *x)
{
	struct relay *r = x->relay;
	size_t n = write_rest(x, r->scratch, sizeof(r->scratch));
	x->head_out = n ? malloc(n) : NULL;
	if (!x->head_out)
		return false;
	memcpy(x->head_out, r->scratch, n);
	x->head_out_len = n;
	count_held(r, (int64_t)n);
	return true;
}

bool pump_keep(struct exchange *x)
{
	struct relay *r = x->relay;
	if (r->content.n) {
		/* When there is no memory the content stays where it is: what is sent must not have a hole. */
		if (!append(r, &x->held, &x->held_len, &x->held_cap, r->content.at, r->content.n))
			return false;
		r->content = (struct input){0};
	}
	/* From AUTHENTICATE on a request may wait, and relay->head is then somebody else's. */
	return x->head_sent || x->head_out || x->step < STEP_AUTHENTICATE || x->step > STEP_RELAY || keep_head(x);
}

static void free_head(struct exchange *x)
{
	if (!x->head_out)
		return;
	count_held(x->relay, -(int64_t)x->head_out_len);
	free(x->head_out);
	x->head_out = NULL;
}

void pump_free(struct exchange *x)
{
	pump_drop_content(x);
	free_head(x);
	drop(x->relay, &x->sent, &x->sent_len, &x->sent_cap);
	if (x->reply_held) {
		count_held(x->relay, -(int64_t)x->reply_held->cap);
		free(x->reply_held);
		x->reply_held = NULL;
	}
}

/* A request that may have to be sent again: because it only reads, or because the cloud may refuse our words, which can be renewed. */
static bool may_go_again(const struct exchange *x)
{
	return !x->retried && ((x->op && x->op->retry_safe) || x->up->renews);
}

/* Such a request is copied, head and content, before it goes out, when it is small. Others go without a copy, and a part of one is no use. */
static void remember(struct exchange *x)
{
	if (!may_go_again(x) || (!x->head_sent && !x->head_out && !keep_head(x)))
		return;
	struct input content = pump_content(x);
	if (x->body.seen > REWIND_BYTES || x->sent_len + content.n != x->body.seen)
		drop(x->relay, &x->sent, &x->sent_len, &x->sent_cap);
	else if (content.n)
		append(x->relay, &x->sent, &x->sent_len, &x->sent_cap, content.at, content.n);
}

bool pump_rewind(struct exchange *x)
{
	if (!may_go_again(x) || !x->head_out || x->sent_len != x->body.seen)
		return false;
	pump_drop_content(x);
	x->held = x->sent;
	x->held_len = x->sent_len;
	x->held_cap = x->sent_cap;
	x->sent = NULL;
	x->sent_len = x->sent_cap = 0;
	x->head_sent = x->body_sent = x->permitted = false;
	x->retried = true;
	return true;
}

struct err pump_forward(struct exchange *x)
{
	struct relay *r = x->relay;
	bool chunked = x->body.framing == BODY_CHUNKED;
	bool last = x->body.complete && !x->body_sent;
	remember(x);
	struct input content = pump_content(x);
	struct slice head = SLICE("");
	if (!x->head_sent) {
		head = slice_of(r->scratch, write_head(x));
		if (head.len == 0)
			return ERR_OF(HEAD_TOO_LARGE);
		x->said_serial = x->up->words->serial;
	}
	if (head.len == 0 && content.n == 0 && !last)
		return OK;
	pump_send(&x->leased->io, head, content, chunked, last);
	metric_add(r->metrics, METRIC_upstream_sent, 0, 0, (int64_t)(head.len + content.n));
	x->head_sent = true;
	if (!may_go_again(x))
		free_head(x);
	pump_drop_content(x);
	if (last) {
		x->body_sent = true;
		x->at_sent = clock_now();
	}
	return OK;
}

/* ---- the answer ---- */

static bool keep_reply(struct exchange *x, const char *at, size_t n)
{
	struct held *h = x->reply_held;
	if (h && at >= h->bytes && at <= h->bytes + h->n) { /* the rest of what is held already */
		memmove(h->bytes, at, n);
		h->n = n;
		return true;
	}
	size_t have = h ? h->n : 0, cap = h ? h->cap : 0;
	if (have + n > cap) {
		size_t more = have + n < 2 * cap ? 2 * cap : have + n;
		h = realloc(h, sizeof(*h) + more);
		if (!h)
			return false;
		count_held(x->relay, (int64_t)(more - cap));
		h->cap = more;
		x->reply_held = h;
	}
	memcpy(h->bytes + have, at, n);
	h->n = have + n;
	return true;
}

static enum pump_reply bad(struct exchange *x, enum guard_reason why)
{
	metric_add(x->relay->metrics, METRIC_upstream_answer_refusals, why, 0, 1);
	x->failure = ERR_OF(UPSTREAM_ANSWER_BAD, .what = guard_reason_text(why));
	return REPLY_BAD;
}

static uint32_t retry_after(const struct http_head *h)
{
	struct slice v = http_head_get(h, HDR_RETRY_AFTER);
	uint32_t seconds = 0;
	for (size_t i = 0; i < v.len; i++) {
		if (v.at[i] < '0' || v.at[i] > '9' || seconds > 86400)
			return 0;
		seconds = seconds * 10 + (uint32_t)(v.at[i] - '0');
	}
	return seconds;
}

/* What a caller must not see as it is: 401 would start a Windows handshake, 3xx and 502-504 make Exchange give up. SOAP faults carry meaning and pass. */
static enum err_code judge(const struct http_head *h)
{
	enum soap_version version;
	if (h->status == 429)
		return ERR_UPSTREAM_THROTTLED;
	if (h->status == 401 || h->status == 403 || h->status == 407)
		return ERR_UPSTREAM_REFUSED_US;
	if (h->status >= 300 && h->status < 400)
		return ERR_UPSTREAM_REDIRECT;
	if (h->status == 500 && soap_content_type(http_head_get(h, HDR_CONTENT_TYPE), &version))
		return ERR_NONE;
	return h->status >= 500 ? ERR_UPSTREAM_ERROR : ERR_NONE;
}

static void tell_replaced(struct exchange *x)
{
	const char *host = x->up->pool.endpoint->host;
	if (x->replacement == ERR_UPSTREAM_REFUSED_US)
		event_log(EVENT_UPSTREAM_CREDENTIAL, "%s answered %u", host, x->upstream_status);
	else if (x->replacement == ERR_UPSTREAM_THROTTLED) {
		rate_wait(x->relay->rate.limit, x->retry_after_s, clock_now());
		event_log(EVENT_UPSTREAM_THROTTLED, "%s answered 429, Retry-After %u s", host, x->retry_after_s);
	} else if (x->replacement == ERR_UPSTREAM_ERROR)
		event_log(EVENT_UPSTREAM_FAILS, "%s answered %u without SOAP. %s", host, x->upstream_status,
		          reach_advice(REACH_FAILING));
	else if (x->replacement == ERR_UPSTREAM_REDIRECT)
		event_log(EVENT_UPSTREAM_FAILS,
		          "%s answered %u, a redirect, which is never followed. Check upstream.url", host,
		          x->upstream_status);
}

/* The head of the real answer, behind any 1xx. REPLY_COMPLETE here only means: it is in relay->answer_head, *in is behind it. */
static enum pump_reply reply_head(struct exchange *x, struct input *in)
{
	struct relay *r = x->relay;
	static const struct guard_limits limits = {REPLY_HEAD_BYTES, REPLY_PLAIN_BYTES};
	enum guard_reason why = GUARD_FINE;
	if (x->reply_held) {
		if (!keep_reply(x, in->at, in->n))
			return bad(x, GUARD_FINE);
		*in = (struct input){x->reply_held->bytes, x->reply_held->n, false};
	}
	for (;;) {
		long len = http_guard_answer(in->at, in->n, &x->reply_scanned, &limits, &why);
		if (len == 0)
			return keep_reply(x, in->at, in->n) ? REPLY_MORE : bad(x, GUARD_FINE);
		if (len < 0 || !http_parse_answer(in->at, (size_t)len, HTTP_POST, &r->answer_head, &why))
			return bad(x, why);
		x->reply_scanned = 0;
		in->at += len;
		in->n -= (size_t)len;
		if (r->answer_head.status >= 200)
			return REPLY_COMPLETE;
		if (r->answer_head.status == 101 || ++x->interim > INTERIM_MAX)
			return bad(x, GUARD_FINE);
		if (in->n == 0) {
			if (x->reply_held)
				x->reply_held->n = 0;
			return REPLY_MORE;
		}
	}
}

static enum pump_reply discard(struct exchange *x, struct input *in)
{
	enum guard_reason why = GUARD_FINE;
	if (in->n && !x->reply.complete) {
		struct http_taken t = http_body_take(&x->reply, in->at, in->n, &why);
		if (!t.ok)
			return REPLY_REPLACED;
		in->at += t.used;
		in->n -= t.used;
	}
	x->extra_bytes = in->n > 0;
	bool long_one = x->reply.framing == BODY_UNTIL_CLOSE || x->reply.seen + x->reply.left > DISCARD_BYTES;
	return x->reply.complete || long_one ? REPLY_REPLACED : REPLY_MORE;
}

/* How the caller will see the end of the answer; false: only by the end of the connection. */
static bool reply_framing(struct exchange *x)
{
	x->reply_framing = x->reply.framing;
	if (x->reply.framing != BODY_CHUNKED && x->reply.framing != BODY_UNTIL_CLOSE)
		return true;
	x->reply_framing = x->http10 ? BODY_UNTIL_CLOSE : BODY_CHUNKED;
	return !x->http10;
}

enum pump_reply pump_reply(struct exchange *x)
{
	struct relay *r = x->relay;
	struct input in = r->answer_in;
	struct slice head = SLICE("");
	enum guard_reason why = GUARD_FINE;
	r->answer_in = (struct input){0};
	x->reply_bytes = true;
	metric_add(r->metrics, METRIC_upstream_received, 0, 0, (int64_t)in.n);
	if (x->replacement)
		return discard(x, &in);
	if (!x->reply_begun) {
		enum pump_reply found = reply_head(x, &in);
		if (found != REPLY_COMPLETE)
			return found;
		const struct http_head *h = &r->answer_head;
		x->at_first = clock_now();
		x->upstream_status = h->status;
		x->up_keeps = h->keep_alive;
		http_body_start(&x->reply, h);
		metric_add(r->metrics, METRIC_upstream_answers, x->op ? x->op->id : OP_NONE, h->status / 100u - 1, 1);
		enum err_code replacement = judge(h);
		if (replacement) {
			x->replacement = (uint8_t)replacement;
			x->retry_after_s = retry_after(h);
			tell_replaced(x);
			return discard(x, &in);
		}
		if (x->recall)
			remember_begin(x, h);
		x->early = !x->body.complete;
		bool close = !reply_framing(x) || !x->keep_alive || r->draining || x->early;
		x->close_after = close;
		head = slice_of(r->scratch, http_write_answer(r->scratch, sizeof(r->scratch), h, x->reply_framing,
		                                              h->content_length, authn_line(x), close));
		if (head.len == 0)
			return bad(x, GUARD_FINE);
		x->status = h->status;
	}
	struct input content = {0};
	if (in.n && !x->reply.complete) {
		struct http_taken t = http_body_take(&x->reply, in.at, in.n, &why);
		if (!t.ok)
			return bad(x, why);
		content = (struct input){t.data, t.data_len, in.in_place};
		in.at += t.used;
		in.n -= t.used;
	}
	if (x->status == 500 && onboarding_seen(&x->onboarding, slice_of(content.at, content.n)))
		onboarding_tell(x->up);
	if (x->recall)
		remember_take(x, content);
	x->reply_begun = true;
	x->extra_bytes = x->reply.complete && in.n > 0;
	if (head.len || content.n || x->reply.complete)
		pump_send(&x->client->io, head, content, x->reply_framing == BODY_CHUNKED, x->reply.complete);
	x->client_sent += head.len + content.n;
	x->answered = true;
	if (x->reply_held) {
		count_held(r, -(int64_t)x->reply_held->cap);
		free(x->reply_held);
		x->reply_held = NULL;
	}
	return x->reply.complete ? REPLY_COMPLETE : REPLY_MORE;
}

void pump_reply_restart(struct exchange *x)
{
	http_body_done(&x->reply);
	x->reply = (struct http_body){0};
	if (x->reply_held) {
		count_held(x->relay, -(int64_t)x->reply_held->cap);
		free(x->reply_held);
		x->reply_held = NULL;
	}
	x->reply_scanned = 0;
	x->replacement = ERR_NONE;
	x->retry_after_s = 0;
	x->upstream_status = 0;
	x->interim = x->onboarding = 0;
	x->reply_begun = x->reply_bytes = x->extra_bytes = x->early = false;
}

bool pump_reply_end(struct exchange *x, struct err why)
{
	if (!x->reply_begun || why.code != ERR_CLOSED || !http_body_end(&x->reply))
		return false;
	pump_send(&x->client->io, SLICE(""), (struct input){0}, x->reply_framing == BODY_CHUNKED, true);
	return true;
}
