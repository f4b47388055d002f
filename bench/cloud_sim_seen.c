#include "bench/cloud_sim_seen.h"

#include <stdlib.h>

enum { BODIES = 1 << 18 }; /* room for hashes; a full table is said in the report */

void sim_seen_init(struct sim_seen *s, size_t keep)
{
	*s = (struct sim_seen){.cap = keep};
	pthread_mutex_init(&s->lock, NULL);
	s->ring = calloc(keep, sizeof *s->ring);
	s->bodies = calloc(BODIES, sizeof *s->bodies);
	CHECK(s->ring && s->bodies);
}

static void unref(struct sim_record *r)
{
	if (!r || --r->refs)
		return;
	text_free(&r->method);
	text_free(&r->target);
	text_free(&r->headers);
	free(r);
}

void sim_seen_done(struct sim_seen *s)
{
	for (size_t i = 0; i < s->cap; i++)
		unref(s->ring[i]);
	free(s->ring);
	free(s->bodies);
	pthread_mutex_destroy(&s->lock);
}

void sim_seen_reset(struct sim_seen *s)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->cap; i++) {
		unref(s->ring[i]);
		s->ring[i] = NULL;
	}
	memset(s->bodies, 0, BODIES * sizeof *s->bodies);
	uint64_t open = s->connections.open;
	s->next = s->body_count = 0;
	s->bodies_full = false;
	s->requests = s->whole = s->cut = s->answers_cut = s->duplicates = s->refused = 0;
	s->connections = (struct sim_seen_connections){.open = open};
	memset(s->ops, 0, sizeof s->ops);
	memset(s->refused_by, 0, sizeof s->refused_by);
	pthread_mutex_unlock(&s->lock);
}

struct sim_record *sim_seen_head(struct sim_seen *s, const struct http_head *head, enum rms_op_id op,
                                 uint64_t connection, bool resumed)
{
	struct sim_record *r = calloc(1, sizeof *r);
	CHECK(r);
	*r = (struct sim_record){.refs = 2, .op = op, .connection = connection, .resumed = resumed, .at = clock_wall()};
	text_add(&r->method, head->method_name);
	text_add(&r->target, head->target);
	for (size_t i = 0; i < head->header_count; i++) {
		text_add_str(&r->headers, i ? ",[" : "[");
		text_add_json(&r->headers, head->headers[i].name);
		text_add_str(&r->headers, ",");
		text_add_json(&r->headers, head->headers[i].value);
		text_add_str(&r->headers, "]");
	}
	pthread_mutex_lock(&s->lock);
	r->number = ++s->requests;
	s->ops[op].requests++;
	unref(s->ring[s->next]);
	s->ring[s->next] = r;
	s->next = (s->next + 1) % s->cap;
	pthread_mutex_unlock(&s->lock);
	return r;
}

/* Whether that body came before; remembers it. */
static bool seen_before(struct sim_seen *s, const uint8_t digest[static CRYPTO_SHA256_BYTES])
{
	uint64_t hash;
	memcpy(&hash, digest, sizeof hash);
	hash |= 1; /* 0 is a free place */
	size_t at = hash % BODIES;
	for (; s->bodies[at]; at = (at + 1) % BODIES) {
		if (s->bodies[at] == hash)
			return true;
	}
	if (s->body_count >= BODIES / 4 * 3) {
		s->bodies_full = true;
		return false;
	}
	s->bodies[at] = hash;
	s->body_count++;
	return false;
}

void sim_seen_whole(struct sim_seen *s, struct sim_record *r, uint64_t body_bytes,
                    const uint8_t digest[static CRYPTO_SHA256_BYTES])
{
	pthread_mutex_lock(&s->lock);
	r->whole = true;
	r->body_bytes = body_bytes;
	memcpy(r->digest, digest, sizeof r->digest);
	s->whole++;
	s->ops[r->op].whole++;
	s->ops[r->op].request_bytes += body_bytes;
	r->duplicate = body_bytes && seen_before(s, digest);
	s->duplicates += r->duplicate;
	pthread_mutex_unlock(&s->lock);
}

void sim_seen_answer(struct sim_seen *s, struct sim_record *r, unsigned status)
{
	pthread_mutex_lock(&s->lock);
	r->status = status;
	s->ops[r->op].answers++;
	s->ops[r->op].ok += status == 200;
	s->ops[r->op].faults += status == 500;
	s->ops[r->op].other += status != 200 && status != 500;
	pthread_mutex_unlock(&s->lock);
}

void sim_seen_refused(struct sim_seen *s, enum guard_reason why)
{
	pthread_mutex_lock(&s->lock);
	s->refused++;
	s->refused_by[why]++;
	pthread_mutex_unlock(&s->lock);
}

void sim_seen_count(struct sim_seen *s, uint64_t *counter, int64_t n)
{
	pthread_mutex_lock(&s->lock);
	*counter += (uint64_t)n;
	pthread_mutex_unlock(&s->lock);
}

/* ---- JSON ---- */

void text_add_json(struct text *t, struct slice s)
{
	text_add_str(t, "\"");
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];
		if (c == '"' || c == '\\')
			text_format(t, "\\%c", c);
		else if (c < ' ' || c > '~')
			text_format(t, "\\u%04x", c);
		else
			*text_grow(t, 1) = (char)c;
	}
	text_add_str(t, "\"");
}

static void number(struct text *out, const char *key, uint64_t value)
{
	text_format(out, "\"%s\":%llu,", key, (unsigned long long)value);
}

static void flag(struct text *out, const char *key, bool value)
{
	text_format(out, "\"%s\":%s,", key, value ? "true" : "false");
}

static void close_list(struct text *out, char end)
{
	if (out->at[out->len - 1] == ',')
		out->len--;
	*text_grow(out, 1) = end;
}

static void add_ops(const struct sim_seen *s, struct text *out)
{
	text_add_str(out, "\"ops\":{");
	for (size_t i = 0; i < OP_COUNT; i++) {
		const struct sim_seen_op *op = &s->ops[i];
		if (!op->requests)
			continue;
		text_add_json(out, rms_ops[i].name);
		text_add_str(out, ":{");
		number(out, "requests", op->requests);
		number(out, "whole", op->whole);
		number(out, "request_bytes", op->request_bytes);
		number(out, "answers", op->answers);
		number(out, "answer_bytes", op->answer_bytes);
		number(out, "ok", op->ok);
		number(out, "faults", op->faults);
		number(out, "other", op->other);
		close_list(out, '}');
		text_add_str(out, ",");
	}
	close_list(out, '}');
	text_add_str(out, ",");
}

static void add_connections(const struct sim_seen *s, struct text *out)
{
	const struct sim_seen_connections *c = &s->connections;
	text_add_str(out, "\"connections\":{");
	number(out, "accepted", c->accepted);
	number(out, "open", c->open);
	number(out, "handshakes", c->handshakes);
	number(out, "resumed", c->resumed);
	number(out, "failed_handshakes", c->failed_handshakes);
	number(out, "closed_at_once", c->closed_at_once);
	number(out, "ended", c->ended);
	number(out, "truncated", c->truncated);
	number(out, "reset", c->reset);
	number(out, "bytes_after_fault", c->bytes_after_fault);
	close_list(out, '}');
	text_add_str(out, ",\"refused\":{");
	for (size_t i = 0; i < GUARD_COUNT; i++) {
		if (s->refused_by[i])
			number(out, guard_reason_name((enum guard_reason)i), s->refused_by[i]);
	}
	close_list(out, '}');
	text_add_str(out, ",");
}

static void add_record(const struct sim_record *r, struct text *out)
{
	char digest[2 * CRYPTO_SHA256_BYTES + 1] = "";
	if (r->whole)
		crypto_hex(r->digest, sizeof r->digest, digest);
	text_add_str(out, "{");
	number(out, "number", r->number);
	number(out, "connection", r->connection);
	text_add_str(out, "\"op\":");
	text_add_json(out, rms_ops[r->op].name);
	text_add_str(out, ",\"method\":");
	text_add_json(out, text_slice(&r->method));
	text_add_str(out, ",\"path\":");
	text_add_json(out, text_slice(&r->target));
	text_format(out, ",\"sha256\":\"%s\",", digest);
	number(out, "bytes", r->body_bytes);
	number(out, "status", r->status);
	number(out, "answer_bytes", r->answer_bytes);
	flag(out, "whole", r->whole);
	flag(out, "answered", r->answered);
	flag(out, "cut", r->cut);
	flag(out, "duplicate", r->duplicate);
	flag(out, "resumed", r->resumed);
	text_format(out, "\"at\":%.6f,\"headers\":[", (double)r->at / 1e6);
	text_add(out, text_slice(&r->headers));
	text_add_str(out, "]},");
}

void sim_seen_end(struct sim_seen *s, struct sim_record *r, uint64_t body_bytes, uint64_t answer_bytes, bool answered,
                  bool left)
{
	pthread_mutex_lock(&s->lock);
	if (!r->whole)
		r->body_bytes = body_bytes;
	r->answer_bytes = answer_bytes;
	r->answered = answered;
	r->cut = left && !answered;
	s->ops[r->op].answer_bytes += answer_bytes;
	if (r->cut && r->whole)
		s->answers_cut++;
	else if (r->cut)
		s->cut++;
	if (s->log) {
		struct text line = {0};
		add_record(r, &line);
		line.at[line.len - 1] = '\n';
		fwrite(line.at, 1, line.len, s->log);
		text_free(&line);
	}
	unref(r);
	pthread_mutex_unlock(&s->lock);
}

void sim_seen_report(struct sim_seen *s, size_t last, struct slice rules, struct text *out)
{
	pthread_mutex_lock(&s->lock);
	text_add_str(out, "{");
	number(out, "requests", s->requests);
	number(out, "whole", s->whole);
	number(out, "cut", s->cut);
	number(out, "answers_cut", s->answers_cut);
	number(out, "duplicates", s->duplicates);
	flag(out, "duplicates_uncertain", s->bodies_full);
	number(out, "malformed", s->refused);
	add_ops(s, out);
	add_connections(s, out);
	text_add_str(out, "\"rules\":");
	text_add(out, rules);
	text_add_str(out, ",\"last\":[");
	if (last > s->cap)
		last = s->cap;
	for (size_t i = s->cap - last; i < s->cap; i++) {
		const struct sim_record *r = s->ring[(s->next + i) % s->cap];
		if (r)
			add_record(r, out);
	}
	close_list(out, ']');
	text_add_str(out, "}");
	pthread_mutex_unlock(&s->lock);
}
