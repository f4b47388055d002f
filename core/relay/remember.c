#include "core/relay/remember.h"

#include "core/relay/flight.h"
#include "core/relay/recall.h"
#include "proto/http_write.h"
#include "proto/rms_keep.h"

#include <stdlib.h>

static void count_held(struct relay *r, int64_t n)
{
	r->held_bytes = (size_t)((int64_t)r->held_bytes + n);
	metric_add(r->metrics, METRIC_held, 0, 0, n);
}

static bool append(struct exchange *x, const char *bytes, size_t n)
{
	struct kept *k = &x->recall->kept;
	if (k->len + n > k->cap) {
		size_t more = k->len + n < 2 * k->cap ? 2 * k->cap : k->len + n;
		char *bigger = realloc(k->bytes, more);
		if (!bigger)
			return false;
		count_held(x->relay, (int64_t)(more - k->cap));
		k->bytes = bigger;
		k->cap = more;
	}
	if (n)
		memcpy(k->bytes + k->len, bytes, n);
	k->len += n;
	return true;
}

void remember_drop(struct exchange *x)
{
	struct kept *k = &x->recall->kept;
	count_held(x->relay, -(int64_t)k->cap);
	free(k->bytes);
	*k = (struct kept){0};
}

/* Nobody needs to wait for an answer that will not be kept. */
static void give_up(struct exchange *x)
{
	remember_drop(x);
	flight_in_vain(x);
}

static bool has_header(const struct http_head *h, struct slice name)
{
	for (size_t i = 0; i < h->header_count; i++)
		if (slice_equal_nocase(h->headers[i].name, name))
			return true;
	return false;
}

static bool may_be_kept(const struct exchange *x, const struct http_head *h)
{
	enum soap_version soap;
	/* An answer that another cache gave is older than we could say. */
	return h->status == 200 && !http_head_has(h, HDR_CONTENT_ENCODING) && !has_header(h, SLICE("age")) &&
	       soap_content_type(http_head_get(h, HDR_CONTENT_TYPE), &soap) && soap == x->soap &&
	       (h->framing == BODY_CHUNKED ||
	        (h->framing == BODY_LENGTH && h->content_length && h->content_length <= CACHED_BODY_BYTES_MAX));
}

void remember_begin(struct exchange *x, const struct http_head *h)
{
	struct relay *r = x->relay;
	size_t n = may_be_kept(x, h)
	                   ? http_write_answer(r->scratch, sizeof(r->scratch), h, BODY_NONE, 0, SLICE(""), false)
	                   : 0;
	n = n > 2 ? n - 2 : 0; /* without the empty line: what frames the body comes behind */
	if (n == 0 || n > CACHED_HEAD_BYTES_MAX || !append(x, r->scratch, n))
		give_up(x);
	else
		x->recall->kept.head_len = n;
}

static void keep(struct exchange *x)
{
	struct relay *r = x->relay;
	struct recall *q = x->recall;
	struct slice head = slice_of(q->kept.bytes, q->kept.head_len);
	struct slice body = slice_of(q->kept.bytes + head.len, q->kept.len - head.len);
	uint64_t now_s = clock_wall() / 1000000;
	struct rms_keep how_long;
	struct cached *c = NULL;
	bool wanted = !q->first_time || flight_is_shared(x);
	if (wanted && rms_keep_for(x->op, body, (int64_t)now_s, &how_long)) {
		q->facts.born_s = now_s;
		q->facts.fresh_until_s = now_s + how_long.fresh_s;
		q->facts.stale_until_s = q->facts.fresh_until_s + how_long.stale_s;
		c = cached_new(&q->facts, head, body);
	}
	if (!c) {
		give_up(x);
		return;
	}
	metric_add(r->metrics, METRIC_cache_stored, x->op->id, 0, 1);
	remember_drop(x);
	recall_put(r, c, q->purges);
	flight_landed(x, c);
	if (r->on_remembered)
		r->on_remembered(r, cached_ref(c), q->purges);
	cached_unref(c);
}

void remember_take(struct exchange *x, struct input content)
{
	const struct kept *k = &x->recall->kept;
	if (!k->bytes)
		return;
	if (k->len - k->head_len + content.n > CACHED_BODY_BYTES_MAX || !append(x, content.at, content.n))
		give_up(x);
	else if (x->reply.complete)
		keep(x);
}
