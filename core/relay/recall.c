#include "core/relay/recall.h"

#include "core/crypto/crypto.h"
#include "core/relay/authn.h"
#include "core/relay/authz.h"
#include "core/relay/flight.h"
#include "core/relay/pump.h"
#include "core/relay/remember.h"
#include "proto/rms_keep.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEY_SCHEMA = 1 };

/* ---- the key ---- */

static void add(struct crypto_sha256 *sum, struct slice s)
{
	uint32_t len = s.at ? (uint32_t)s.len : UINT32_MAX; /* absent is not empty */
	crypto_sha256_add(sum, &len, sizeof(len));
	if (s.at && s.len)
		crypto_sha256_add(sum, s.at, s.len);
}

static void add_text(struct crypto_sha256 *sum, const char *text)
{
	add(sum, text ? slice_str(text) : (struct slice){NULL, 0});
}

void recall_note_head(struct exchange *x, const struct http_head *head)
{
	static const enum http_header_id depends_on[] = {HDR_CONTENT_TYPE, HDR_ACCEPT_ENCODING, HDR_ACCEPT,
	                                                 HDR_ACCEPT_LANGUAGE, HDR_ACCEPT_CHARSET};
	struct crypto_sha256 sum;
	if (!x->relay->cached || (x->op && x->op->cache == CACHE_NEVER))
		return;
	crypto_sha256_start(&sum);
	for (size_t i = 0; i < ARRAY_COUNT(depends_on); i++) {
		for (size_t k = 0; k < head->header_count; k++)
			if (head->headers[k].id == depends_on[i])
				add(&sum, head->headers[k].value);
		add(&sum, (struct slice){NULL, 0});
	}
	crypto_sha256_end(&sum, x->variant);
	x->noted = true;
	/* "no-cache", "no-store": who says so gets the cloud's own answer. */
	x->asks_anew = http_head_has(head, HDR_CACHE_CONTROL);
}

static void add_place(struct crypto_sha256 *sum, const struct exchange *x)
{
	const struct settings *s = x->relay->settings;
	uint16_t schema = KEY_SCHEMA;
	crypto_sha256_add(sum, &schema, sizeof(schema));
	add_text(sum, s->upstream_cloud);
	add_text(sum, s->upstream_url);
	add_text(sum, s->upstream_path);
	add_text(sum, x->up->credential->tenant);
	add_text(sum, x->up->credential->name);
}

/* For whom: an entry of the list, or everybody who speaks with that credential. */
static void make_scope(const struct exchange *x, struct cached_facts *f)
{
	struct crypto_sha256 sum;
	uint8_t digest[CRYPTO_SHA256_BYTES];
	const struct decision *d = x->authorized ? &x->client->who->decision : NULL;
	crypto_sha256_start(&sum);
	add_place(&sum, x);
	if (x->op->cache == CACHE_BY_ENTRY) {
		uint8_t role = (uint8_t)d->role;
		memcpy(f->entry, d->entry_id.bytes, sizeof(f->entry));
		crypto_sha256_add(&sum, f->entry, sizeof(f->entry));
		crypto_sha256_add(&sum, &role, sizeof(role));
	}
	crypto_sha256_end(&sum, digest);
	memcpy(f->scope, digest, sizeof(f->scope));
}

static bool is_fresh(const struct cached *c, uint64_t now_s)
{
	/* A clock that was set back must not make an answer live longer. */
	return now_s < c->facts.fresh_until_s && c->facts.born_s <= now_s + 1;
}

/* Templates are good as long as what the entry was told about them: false when that is not known. */
static bool add_template_information(struct crypto_sha256 *sum, const struct exchange *x, const struct cached_facts *f)
{
	const char *told = rms_ops[OP_ACQUIRE_TEMPLATE_INFORMATION].name.at;
	const struct relay *r = x->relay;
	const struct cached *c = cache_index_youngest(r->cached, told, f->scope);
	for (size_t i = 0; i < RECALL_RECENT; i++) {
		const struct cached *own = r->recent[i].answer;
		if (own && strcmp(own->facts.operation, told) == 0 &&
		    memcmp(own->facts.scope, f->scope, sizeof(f->scope)) == 0 &&
		    (!c || own->facts.born_s >= c->facts.born_s))
			c = own;
	}
	uint8_t digest[CRYPTO_SHA256_BYTES];
	if (!c || !is_fresh(c, clock_wall() / 1000000))
		return false;
	crypto_sha256(c->body, digest);
	crypto_sha256_add(sum, digest, sizeof(digest));
	return true;
}

static bool make_key(struct exchange *x, struct cached_facts *f)
{
	struct crypto_sha256 sum;
	struct input body = pump_content(x);
	uint8_t digest[CRYPTO_SHA256_BYTES], soap = (uint8_t)x->soap;
	if (body.n != x->body.seen)
		return false;
	snprintf(f->operation, sizeof(f->operation), "%.*s", SLICE_ARG(x->op->name));
	make_scope(x, f);
	crypto_sha256(slice_of(body.at, body.n), digest);
	crypto_sha256_start(&sum);
	add_place(&sum, x);
	add(&sum, slice_of((const char *)f->scope, sizeof(f->scope)));
	add(&sum, x->service->path);
	add(&sum, x->op->action);
	crypto_sha256_add(&sum, &soap, sizeof(soap));
	crypto_sha256_add(&sum, x->variant, sizeof(x->variant));
	crypto_sha256_add(&sum, digest, sizeof(digest));
	if (x->op->id == OP_ACQUIRE_TEMPLATES && !add_template_information(&sum, x, f))
		return false;
	crypto_sha256_end(&sum, f->key);
	return true;
}

/* ---- looking ---- */

/* Only what was read, of somebody whom the list let in; the switch of test builds lets in everybody, to what is everybody's. */
static bool may_recall(const struct exchange *x)
{
	const struct relay *r = x->relay;
	if (!r->cached || !x->noted || x->asks_anew || !x->op || x->op->cache == CACHE_NEVER || x->uninspected ||
	    !x->body.complete || !x->up)
		return false;
	if ((x->op->id == OP_ACQUIRE_TEMPLATE_INFORMATION || x->op->id == OP_ACQUIRE_TEMPLATES) &&
	    !r->settings->cache_templates)
		return false;
	return x->authorized || (r->settings->loopback_caller.account && x->op->cache == CACHE_BY_TENANT);
}

/* Borrowed. Of the two the younger. */
static struct cached *look(const struct relay *r, const uint8_t key[static CACHED_KEY_BYTES])
{
	struct cached *found = cache_index_find(r->cached, key);
	for (size_t i = 0; i < RECALL_RECENT; i++) {
		struct cached *c = r->recent[i].answer;
		if (c && memcmp(c->facts.key, key, CACHED_KEY_BYTES) == 0 &&
		    (!found || c->facts.born_s >= found->facts.born_s))
			found = c;
	}
	return found;
}

/* Of each key there is one place, and 32 bits of it: to be wrong costs nothing but an answer that is remembered, or asked for once more. */
static bool was_asked_for(struct relay *r, const uint8_t key[static CACHED_KEY_BYTES])
{
	uint32_t part, place;
	memcpy(&part, key, sizeof(part));
	memcpy(&place, key + sizeof(part), sizeof(place));
	uint32_t *there = &r->asked[place % RECALL_ASKED];
	bool before = *there == part;
	*there = part;
	return before;
}

static void count(const struct exchange *x, enum metric_id what)
{
	metric_add(x->relay->metrics, what, x->op->id, 0, 1);
}

static enum step give(struct exchange *x, struct cached *c)
{
	x->recall->found = cached_ref(c);
	count(x, METRIC_cache_hits);
	return STEP_ANSWER;
}

/* I03: it may have waited since AUTHORIZE, for its body or for others. */
static struct err authorize_again(struct exchange *x)
{
	return !x->authorized || authz_is_fresh(x) ? OK : authz_decide(x);
}

/* By another entry or role than when it asked, a caller has other answers, and may have another credential. */
static bool is_for_another(const struct exchange *x)
{
	struct cached_facts now = {0};
	if (!x->authorized)
		return false;
	make_scope(x, &now);
	return x->client->who->up != x->up || memcmp(now.scope, x->recall->facts.scope, sizeof(now.scope)) != 0;
}

bool recall_may_have(struct exchange *x)
{
	return !authorize_again(x).code && !is_for_another(x);
}

/* For one that has no lease, and is in no queue for one. */
static enum step ask_by_itself(struct exchange *x)
{
	recall_free(x);
	x->up = x->client->who->up;
	return x->up ? STEP_CONNECT : exchange_answer_with(x, ERR_OF(CREDENTIAL_MISSING));
}

static enum step begin(struct exchange *x)
{
	struct relay *r = x->relay;
	uint64_t now_s = clock_wall() / 1000000;
	struct recall *made = may_recall(x) ? calloc(1, sizeof(*made)) : NULL;
	if (!made)
		return STEP_CONNECT;
	list_init(&made->waiting);
	made->exchange = x;
	struct err refused = authorize_again(x);
	if (!refused.code && x->authorized) {
		x->up = x->client->who->up;
		refused = x->up ? OK : ERR_OF(CREDENTIAL_MISSING);
	}
	if (refused.code || !make_key(x, &made->facts)) {
		free(made);
		return refused.code ? exchange_answer_with(x, refused) : STEP_CONNECT;
	}
	x->recall = made;
	made->purges = r->cached->purges;
	struct cached *c = look(r, made->facts.key);
	if (c && is_fresh(c, now_s))
		return give(x, c);
	if (c && now_s < c->facts.stale_until_s && c->facts.born_s <= now_s + 1)
		made->old = cached_ref(c);
	count(x, METRIC_cache_misses);
	made->first_time = !was_asked_for(r, made->facts.key) && r->cached->crowded && !c;
	return flight_join(x) ? STEP_RECALL : STEP_CONNECT;
}

/* Who waited: for an answer, for a failure, or in vain. */
static enum step flight_is_over(struct exchange *x)
{
	struct recall *q = x->recall;
	struct err refused = authorize_again(x);
	if (refused.code)
		return exchange_answer_with(x, refused);
	if (is_for_another(x))
		return ask_by_itself(x);
	if (q->found)
		return STEP_ANSWER;
	return q->shared.code ? exchange_answer_with(x, q->shared) : STEP_CONNECT;
}

enum step recall(struct exchange *x, enum event ev)
{
	switch (ev) {
	case EV_ENTER:
		return begin(x);
	case EV_FLIGHT:
		return flight_is_over(x);
	default: /* the next request of the caller, or it read an answer before */
		return STEP_RECALL;
	}
}

/* ---- answering ---- */

bool recall_answer(struct exchange *x, bool close)
{
	char lines[96];
	struct cached *c = x->recall ? x->recall->found : NULL;
	uint64_t now_s = clock_wall() / 1000000;
	if (!c)
		return false;
	uint64_t age_s = now_s > c->facts.born_s ? now_s - c->facts.born_s : 0;
	int n = snprintf(lines, sizeof(lines), "Content-Length: %zu\r\nAge: %llu\r\n%s", c->body.len,
	                 (unsigned long long)age_s, close ? "Connection: close\r\n" : "");
	struct slice line = authn_line(x);
	stream_write(&x->client->io, c->head.at, c->head.len);
	stream_write(&x->client->io, lines, (size_t)n);
	stream_write(&x->client->io, line.at, line.len);
	stream_write(&x->client->io, "\r\n", 2);
	stream_write(&x->client->io, c->body.at, c->body.len);
	x->client_sent += c->head.len + (size_t)n + line.len + 2 + c->body.len;
	x->status = 200;
	x->answered = true;
	return true;
}

/* What 2.5 of the answers of our own calls unreachable: not that it throttles, refuses us, or that we are full. */
static bool cloud_is_away(enum err_code why)
{
	return why == ERR_UPSTREAM_NAME || why == ERR_UPSTREAM_CONNECT || why == ERR_UPSTREAM_TLS ||
	       why == ERR_UPSTREAM_TIMEOUT || why == ERR_UPSTREAM_LOST || why == ERR_UPSTREAM_ERROR;
}

void recall_failed(struct exchange *x)
{
	struct recall *q = x->recall;
	if (!q || q->found)
		return;
	flight_failed(x);
	if (!q->old || !cloud_is_away(x->failure.code) || clock_wall() / 1000000 >= q->old->facts.stale_until_s)
		return;
	if (!recall_may_have(x))
		return;
	q->found = q->old;
	q->old = NULL;
	q->is_old = true;
	x->failure = OK;
	count(x, METRIC_cache_stale);
}

const char *recall_word(const struct exchange *x)
{
	const struct recall *q = x->recall;
	return !q || !q->found ? NULL : q->is_old ? "old" : q->from_flight ? "flight" : "hit";
}

void recall_free(struct exchange *x)
{
	struct recall *q = x->recall;
	if (!q)
		return;
	flight_leave(x);
	remember_drop(x);
	cached_unref(q->found);
	cached_unref(q->old);
	free(q);
	x->recall = NULL;
}

/* ---- what this worker knows ---- */

static void forget_recent(struct relay *r, size_t i)
{
	cached_unref(r->recent[i].answer);
	r->recent[i].answer = NULL;
}

void recall_take_index(struct relay *r, struct cache_index *index)
{
	msec_t now = loop_now(r->loop);
	cache_index_unref(r->cached);
	r->cached = cache_index_ref(index);
	for (size_t i = 0; i < RECALL_RECENT; i++) {
		const struct cached *c = r->recent[i].answer, *same;
		if (!c)
			continue;
		same = cache_index_find(index, c->facts.key);
		/* The main thread has it, does not want it, or has not seen it yet: but it sees everything within a moment. */
		if (r->recent[i].purges != index->purges || (same && same->facts.born_s >= c->facts.born_s) ||
		    now - r->recent[i].since > RECALL_RECENT_MS)
			forget_recent(r, i);
	}
}

void recall_put(struct relay *r, struct cached *answer, uint64_t purges)
{
	size_t i = r->recent_next++ % RECALL_RECENT;
	if (!r->cached || r->cached->purges != purges)
		return;
	forget_recent(r, i);
	r->recent[i] = (struct recent){cached_ref(answer), purges, loop_now(r->loop)};
}

void recall_done(struct relay *r)
{
	for (size_t i = 0; i < RECALL_RECENT; i++)
		forget_recent(r, i);
	cache_index_unref(r->cached);
	r->cached = NULL;
}
