/* Scripts out of JSON. Strict: a key that is not known, or a value of another kind, refuses the whole script, so that a test with a slip of the pen
 * fails where the slip is. */
#include "bench/cloud_sim_script.h"

#include "bench/rms_fault.h"
#include "core/crypto/crypto.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>

struct reading {
	char *why; /* of 256 bytes */
	char where[64];
	bool failed;
};

static void fail(struct reading *in, const char *key, const char *what)
{
	if (!in->failed)
		snprintf(in->why, 256, "%s: \"%.64s\" %s", in->where, key, what);
	in->failed = true;
}

static void only_known(struct reading *in, json_t *object, const char *const *known)
{
	const char *key;
	json_t *value;
	json_object_foreach(object, key, value)
	{
		size_t i = 0;
		while (known[i] && strcmp(known[i], key) != 0)
			i++;
		if (!known[i])
			fail(in, key, "is no key that is known here");
	}
}

static uint64_t number(struct reading *in, json_t *object, const char *key, uint64_t otherwise, uint64_t max)
{
	json_t *value = json_object_get(object, key);
	if (!value)
		return otherwise;
	if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max) {
		char what[64];
		snprintf(what, sizeof what, "must be a number from 0 to %llu", (unsigned long long)max);
		fail(in, key, what);
		return otherwise;
	}
	return (uint64_t)json_integer_value(value);
}

static bool boolean(struct reading *in, json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);
	if (value && !json_is_boolean(value))
		fail(in, key, "must be true or false");
	return json_is_true(value);
}

/* A string without control characters, or NULL; borrowed. */
static const char *string(struct reading *in, json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);
	if (!value)
		return NULL;
	if (!json_is_string(value)) {
		fail(in, key, "must be a string");
		return NULL;
	}
	for (const char *s = json_string_value(value); *s; s++) {
		if ((unsigned char)*s < ' ' && *s != '\t')
			fail(in, key, "must not hold control characters");
	}
	return in->failed ? NULL : json_string_value(value);
}

static char *string_copy(struct reading *in, json_t *object, const char *key)
{
	const char *s = string(in, object, key);
	char *copy = s ? strdup(s) : NULL;
	CHECK(!s || copy);
	return copy;
}

static bool bytes(struct reading *in, json_t *object, const char *key, struct text *out)
{
	json_t *value = json_object_get(object, key);
	size_t n;
	if (!value)
		return false;
	struct slice s = slice_of(json_string_value(value) ? json_string_value(value) : "", json_string_length(value));
	uint8_t *room = (uint8_t *)text_grow(out, s.len / 4 * 3 + 1);
	if (!json_is_string(value) || !crypto_base64_decode(s, room, s.len / 4 * 3, &n)) {
		fail(in, key, "must be bytes in base64");
		return false;
	}
	out->len = n;
	return true;
}

static size_t numbers(struct reading *in, json_t *value, const char *key, uint32_t min, uint32_t out[SIM_LIST_MAX])
{
	size_t n = json_array_size(value);
	if (!json_is_array(value) || n > SIM_LIST_MAX) {
		fail(in, key, "must be a list of at most 64 numbers");
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		json_t *item = json_array_get(value, i);
		if (!json_is_integer(item) || json_integer_value(item) < min || json_integer_value(item) > 1 << 24)
			fail(in, key, "holds something that is no number in range");
		out[i] = (uint32_t)json_integer_value(item);
	}
	return n;
}

static json_t *object_at(struct reading *in, json_t *object, const char *key, const char *const *known)
{
	json_t *value = json_object_get(object, key);
	if (!value)
		return NULL;
	if (!json_is_object(value)) {
		fail(in, key, "must be an object");
		return NULL;
	}
	only_known(in, value, known);
	return value;
}

/* ---- parts of a rule ---- */

static void read_match(struct reading *in, json_t *rule, struct sim_rule *r)
{
	static const char *const known[] = {"op",    "path",       "connection",    "nth",
	                                    "every", "user_agent", "authorization", NULL};
	json_t *match = object_at(in, rule, "match", known);
	const char *op = match ? string(in, match, "op") : NULL;
	if (!match)
		return;
	for (enum rms_op_id id = 0; op && id <= OP_NONE; id++) {
		if (slice_equal(slice_str(op), rms_ops[id].name))
			r->op = id;
	}
	if (op && r->op == OP_COUNT)
		fail(in, "op", "is no operation: AcquireLicense, Certify ... or none");
	r->path = string_copy(in, match, "path");
	r->user_agent = string_copy(in, match, "user_agent");
	r->authorization = string_copy(in, match, "authorization");
	r->connection = number(in, match, "connection", 0, UINT32_MAX);
	r->nth = number(in, match, "nth", 0, UINT32_MAX);
	r->every = number(in, match, "every", 0, UINT32_MAX);
}

static void read_headers(struct reading *in, json_t *rule, struct sim_rule *r)
{
	json_t *list = json_object_get(rule, "headers");
	if (list && !json_is_array(list))
		fail(in, "headers", "must be a list of header lines");
	for (size_t i = 0; list && i < json_array_size(list); i++) {
		json_t *line = json_array_get(list, i);
		if (!json_is_string(line)) {
			fail(in, "headers", "must be a list of header lines");
			return;
		}
		/* As it stands: tests of the node's guard send lines here that no server should. */
		text_add(&r->headers, slice_of(json_string_value(line), json_string_length(line)));
		text_add_str(&r->headers, "\r\n");
	}
}

static void read_chunks(struct reading *in, json_t *rule, struct sim_rule *r)
{
	json_t *value = json_object_get(rule, "chunked");
	if (!value || json_is_false(value))
		return;
	r->chunk_count = 1;
	r->chunks[0] = 4096;
	if (json_is_integer(value) && json_integer_value(value) > 0 && json_integer_value(value) <= 1 << 24)
		r->chunks[0] = (uint32_t)json_integer_value(value);
	else if (json_is_array(value) && json_array_size(value))
		r->chunk_count = numbers(in, value, "chunked", 1, r->chunks);
	else if (!json_is_true(value))
		fail(in, "chunked", "must be true, a size, or a list of sizes");
}

static void read_item_error(struct reading *in, json_t *rule, struct sim_rule *r)
{
	static const char *const known[] = {"items", "exception", NULL};
	json_t *error = object_at(in, rule, "item_error", known);
	if (!error)
		return;
	const char *name = string(in, error, "exception");
	json_t *items = json_object_get(error, "items");
	if (!items)
		fail(in, "item_error", "must name its items, from 0");
	else
		r->failing_count = numbers(in, items, "items", 0, r->failing);
	if (!name)
		return;
	name = rms_exception_name(name);
	if (!name || strpbrk(name, "<>&")) {
		fail(in, "exception", "is no exception that is known; a full name is taken as it is");
		return;
	}
	r->item_exception = strdup(name);
	CHECK(r->item_exception);
}

static void read_fault(struct reading *in, json_t *rule, struct sim_rule *r)
{
	const char *name = string(in, rule, "fault");
	if (!name)
		return;
	/* A sentence is the fault's text as it is; a name is made whole. */
	const char *full = strchr(name, ' ') ? name : rms_exception_name(name);
	if (!full) {
		fail(in, "fault", "is no exception that is known; a full name or a sentence is taken as it is");
		return;
	}
	r->fault = strdup(full);
	CHECK(r->fault);
}

static void read_interim(struct reading *in, json_t *rule, struct sim_rule *r)
{
	static const char *const known[] = {"status", "count", "length", NULL};
	json_t *interim = object_at(in, rule, "interim", known);
	if (!interim)
		return;
	r->interim_status = (unsigned)number(in, interim, "status", 100, 199);
	r->interim_count = (unsigned)number(in, interim, "count", 1, 1000);
	if (json_object_get(interim, "length"))
		r->interim_length = (int64_t)number(in, interim, "length", 0, 1 << 24);
	if (r->interim_status < 100)
		fail(in, "status", "of an interim answer is 100 to 199");
}

static void read_early(struct reading *in, json_t *rule, struct sim_rule *r)
{
	static const char *const known[] = {"after", "then", NULL};
	static const char *const words[] = {
	        [SIM_THEN_READ] = "read", [SIM_THEN_STOP] = "stop", [SIM_THEN_CLOSE] = "close"};
	json_t *early = object_at(in, rule, "early_answer", known);
	if (!early)
		return;
	r->early = true;
	r->early_after = number(in, early, "after", 0, UINT32_MAX);
	const char *then = string(in, early, "then");
	for (size_t i = 0; then && i < ARRAY_COUNT(words); i++) {
		if (strcmp(then, words[i]) == 0) {
			r->early_then = (enum sim_then)i;
			then = NULL;
		}
	}
	if (then)
		fail(in, "then", "is read, stop or close");
}

static void read_action(struct reading *in, json_t *rule, struct sim_rule *r)
{
	static const char *const words[] = {[SIM_RESET] = "rst",
	                                    [SIM_CLOSE] = "close",
	                                    [SIM_TRUNCATE] = "truncate",
	                                    [SIM_HALF_CLOSE] = "half_close",
	                                    [SIM_STALL] = "stall",
	                                    [SIM_GARBAGE] = "garbage",
	                                    [SIM_TLS_GARBAGE] = "tls_garbage"};
	const char *word = string(in, rule, "do");
	r->has_at = json_object_get(rule, "at") != NULL;
	r->has_at_request = json_object_get(rule, "at_request_byte") != NULL;
	r->at = number(in, rule, "at", 0, UINT32_MAX);
	r->at_request = number(in, rule, "at_request_byte", 0, UINT32_MAX);
	r->action_delay_ms = (uint32_t)number(in, rule, "do_after_ms", 0, 600000);
	for (size_t i = 1; word && i < ARRAY_COUNT(words); i++) {
		if (strcmp(word, words[i]) == 0)
			r->action = (enum sim_action)i;
	}
	if (word && r->action == SIM_GO_ON)
		fail(in, "do", "is rst, close, truncate, half_close, stall, garbage or tls_garbage");
	if ((r->has_at || r->has_at_request) && !word)
		fail(in, "do", "is missing: what should happen at that byte?");
	if (r->has_at && r->has_at_request)
		fail(in, "at_request_byte", "and \"at\" exclude each other");
	if (word && !r->has_at && !r->has_at_request)
		fail(in, "do", "needs \"at\" or \"at_request_byte\": at which byte?");
	if (!bytes(in, rule, "garbage", &r->garbage))
		text_add_str(&r->garbage, "\x15\x03\x01\xff\xff\0garbage, neither HTTP nor TLS\r\n\r\n");
}

static void read_close_after(struct reading *in, json_t *rule, struct sim_rule *r)
{
	json_t *value = json_object_get(rule, "close_after_answer");
	if (!value || json_is_false(value))
		return;
	r->has_close_after = true;
	if (!json_is_true(value))
		r->close_after_ms = (uint32_t)number(in, rule, "close_after_answer", 0, 600000);
}

static void read_pace(struct reading *in, json_t *rule, struct sim_rule *r)
{
	uint64_t rate = number(in, rule, "bytes_per_second", 0, 1ull << 32);
	r->delay_ms = (uint32_t)number(in, rule, "delay_ms", 0, 600000);
	r->piece_bytes = number(in, rule, "piece_bytes", 0, 1 << 24);
	r->pause_ms = (uint32_t)number(in, rule, "pause_ms", 0, 600000);
	if (rate && (r->piece_bytes || r->pause_ms)) {
		fail(in, "bytes_per_second", "excludes piece_bytes and pause_ms");
	} else if (rate) { /* twenty pieces a second; fewer when even one byte would be too many */
		r->pause_ms = rate >= 20 ? 50 : (uint32_t)(1000 / rate);
		r->piece_bytes = rate >= 20 ? rate / 20 : 1;
	}
}

static void read_throttle(struct reading *in, json_t *rule, struct sim_rule *r)
{
	static const char *const known[] = {"per_second", NULL};
	json_t *throttle = object_at(in, rule, "throttle", known);
	if (!throttle)
		return;
	r->throttle_per_second = number(in, throttle, "per_second", 0, 1000000);
	if (!r->throttle_per_second)
		fail(in, "per_second", "must be 1 or more");
	if (!r->status)
		r->status = 429;
}

static struct sim_rule *read_rule(struct reading *in, json_t *object)
{
	static const char *const known[] = {"match",
	                                    "times",
	                                    "delay_ms",
	                                    "bytes_per_second",
	                                    "piece_bytes",
	                                    "pause_ms",
	                                    "throttle",
	                                    "status",
	                                    "aadsts",
	                                    "retry_after",
	                                    "location",
	                                    "fault",
	                                    "item_error",
	                                    "chunked",
	                                    "gzip",
	                                    "until_close",
	                                    "interim",
	                                    "early_answer",
	                                    "headers",
	                                    "content_type",
	                                    "body",
	                                    "raw",
	                                    "at",
	                                    "at_request_byte",
	                                    "do",
	                                    "do_after_ms",
	                                    "garbage",
	                                    "close_after_answer",
	                                    "connection_close",
	                                    NULL};
	struct sim_rule *r = sim_rule_new();
	if (!json_is_object(object)) {
		fail(in, "rules", "must hold objects");
		return r;
	}
	only_known(in, object, known);
	read_match(in, object, r);
	r->times = number(in, object, "times", UINT64_MAX, UINT32_MAX);
	r->status = (unsigned)number(in, object, "status", 0, 999);
	if (r->status && r->status < 200)
		fail(in, "status", "is 200 to 999; see interim for others");
	r->aadsts = (unsigned)number(in, object, "aadsts", 0, 99999999);
	read_throttle(in, object, r);
	if (json_object_get(object, "retry_after"))
		r->retry_after = (int64_t)number(in, object, "retry_after", 0, 86400);
	r->location = string_copy(in, object, "location");
	r->content_type = string_copy(in, object, "content_type");
	r->gzip = boolean(in, object, "gzip");
	r->until_close = boolean(in, object, "until_close");
	r->close_header = boolean(in, object, "connection_close");
	r->has_raw = bytes(in, object, "raw", &r->raw);
	r->has_body = bytes(in, object, "body", &r->body);
	read_fault(in, object, r);
	read_item_error(in, object, r);
	read_chunks(in, object, r);
	read_interim(in, object, r);
	read_early(in, object, r);
	read_headers(in, object, r);
	read_action(in, object, r);
	read_pace(in, object, r);
	read_close_after(in, object, r);
	if (r->has_raw && (r->has_body || r->fault || r->status || r->aadsts))
		fail(in, "raw", "is the whole answer: no status, fault or body beside it");
	if (r->until_close && r->chunk_count)
		fail(in, "until_close", "and chunked exclude each other");
	return r;
}

static void read_connections(struct reading *in, json_t *root, struct sim_connection_rules *c)
{
	static const char *const known[] = {
	        "accept_then_close", "accept_then_reset", "stall_handshake", "limit", "idle_ms", "refuse", NULL};
	snprintf(in->where, sizeof in->where, "connections");
	json_t *object = object_at(in, root, "connections", known);
	if (!object)
		return;
	c->accept_then_close = number(in, object, "accept_then_close", 0, UINT32_MAX);
	c->accept_then_reset = number(in, object, "accept_then_reset", 0, UINT32_MAX);
	c->stall_handshake = number(in, object, "stall_handshake", 0, UINT32_MAX);
	c->limit = number(in, object, "limit", 0, UINT32_MAX);
	c->idle_ms = (uint32_t)number(in, object, "idle_ms", 0, 3600000);
	c->refuse = boolean(in, object, "refuse");
}

static void install(struct sim_script *s, struct sim_rule **rules, size_t n, const struct sim_connection_rules *c)
{
	if (c)
		sim_script_clear(s);
	pthread_mutex_lock(&s->lock);
	s->rules = reallocarray(s->rules, s->count + n + 1, sizeof *s->rules);
	CHECK(s->rules);
	for (size_t i = 0; i < n; i++) {
		rules[i]->number = (unsigned)s->count;
		s->rules[s->count++] = rules[i];
	}
	if (c)
		s->connections = *c;
	pthread_mutex_unlock(&s->lock);
}

bool sim_script_load(struct sim_script *s, struct slice json, char why[static 256])
{
	static const char *const known[] = {"rules", "connections", "append", NULL};
	json_error_t problem;
	json_t *root = json_loadb(json.at ? json.at : "", json.len, JSON_REJECT_DUPLICATES, &problem);
	struct reading in = {.why = why, .where = "script"};
	struct sim_connection_rules connections = {0};
	if (!root) {
		snprintf(why, 256, "line %d, column %d: %s", problem.line, problem.column, problem.text);
		return false;
	}
	json_t *list = json_object_get(root, "rules");
	size_t n = json_array_size(list), made = 0;
	if (!json_is_object(root))
		fail(&in, "", "must be an object");
	else
		only_known(&in, root, known);
	if (list && (!json_is_array(list) || n > SIM_RULES_MAX)) {
		fail(&in, "rules", "must be a list of at most 1000 rules");
		n = 0;
	}
	bool append = !in.failed && boolean(&in, root, "append");
	struct sim_rule **rules = calloc(n + 1, sizeof *rules);
	CHECK(rules);
	for (; made < n && !in.failed; made++) {
		snprintf(in.where, sizeof in.where, "rule %zu", made);
		rules[made] = read_rule(&in, json_array_get(list, made));
	}
	if (!in.failed)
		read_connections(&in, root, &connections);
	if (!in.failed && append && json_object_get(root, "connections"))
		fail(&in, "append", "adds rules only; connections would be replaced");
	if (in.failed) {
		for (size_t i = 0; i < made; i++)
			sim_rule_free(rules[i]);
	} else {
		install(s, rules, n, append ? NULL : &connections);
	}
	free(rules);
	json_decref(root);
	return !in.failed;
}
