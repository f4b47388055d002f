#include "bench/cloud_sim_reply.h"

#include "bench/rms_fault.h"
#include "proto/http_write.h"

#include <stdio.h>
#include <time.h>

/* ---- the question ---- */

static bool contains_nocase(struct slice s, const char *what)
{
	size_t n = strlen(what);
	for (size_t i = 0; i + n <= s.len; i++) {
		if (strncasecmp(s.at + i, what, n) == 0)
			return true;
	}
	return false;
}

/* The action parameter of a SOAP 1.2 content type. */
static struct slice action_parameter(struct slice type)
{
	for (size_t i = 0; i + 7 <= type.len; i++) {
		if (strncasecmp(type.at + i, "action=", 7) == 0) {
			struct slice value = slice_from(type, i + 7);
			return slice_trim(slice_until(value, slice_find(value, ';')));
		}
	}
	return SLICE("");
}

/* The service at one of its further paths: PATH/licensing/license.asmx is /_wmcs/licensing/license.asmx. */
static const struct rms_service *find_service(struct slice path, const struct sim_options *o)
{
	char usual[256];
	for (unsigned i = 0; o && i < o->path_count; i++) {
		struct slice begin = slice_str(o->paths[i]);
		if (path.len > begin.len && path.at[begin.len] == '/' &&
		    slice_equal_nocase(slice_until(path, begin.len), begin)) {
			int n = snprintf(usual, sizeof usual, "/_wmcs%.*s", SLICE_ARG(slice_from(path, begin.len)));
			const struct rms_service *s = rms_service_find(slice_of(usual, (size_t)n % sizeof usual));
			if (s)
				return s;
		}
	}
	return rms_service_find(path);
}

/* One credential, one account: so that tests see who is whom without seeing secrets. A token is as good as the application it was given to. */
static void read_credential(struct sim_question *q, struct slice credential)
{
	char client[80] = "", hex[2 * CRYPTO_SHA256_BYTES + 1];
	uint8_t digest[CRYPTO_SHA256_BYTES];
	if (q->login)
		q->token = sim_login_check(q->login, credential, time(NULL), client);
	if (!credential.len)
		return;
	crypto_sha256(*client ? slice_str(client) : credential, digest);
	crypto_hex(digest, sizeof digest, hex);
	snprintf(q->identity, sizeof q->identity, "account-%.12s@contoso.example", hex);
}

void sim_question_read(struct sim_question *q, const struct http_head *head, const struct sim_options *options,
                       struct sim_login *login)
{
	*q = (struct sim_question){.method = head->method, .op = OP_NONE, .keep_alive = head->keep_alive};
	struct slice type = http_head_get(head, HDR_CONTENT_TYPE), action = http_head_get(head, HDR_SOAPACTION);
	q->login = login && login->path[0] ? login : NULL;
	q->is_login = q->login && sim_login_is_path(login, head->path);
	if (q->is_login)
		snprintf(q->host, sizeof q->host, "%.*s", SLICE_ARG(http_head_get(head, HDR_HOST)));
	q->service = find_service(head->path, options);
	q->soap = contains_nocase(type, "application/soap+xml") ? SOAP_12 : SOAP_11;
	q->is_xml = q->soap == SOAP_12 || contains_nocase(type, "text/xml");
	if (q->soap == SOAP_12)
		action = action_parameter(type);
	q->has_action = action.len > 0 && !slice_equal(action, SLICE("\"\""));
	const struct rms_op *op = q->service && q->has_action ? rms_op_by_action(q->service, action) : NULL;
	if (op)
		q->op = op->id;
	read_credential(q, http_head_get(head, HDR_AUTHORIZATION));
}

/* ---- what is said ---- */

struct saying {
	unsigned status;
	const char *content_type; /* NULL: by SOAP version */
	struct text body;
	bool allow;
	const char *challenge; /* NULL: none */
};

static void say_html(struct saying *s, unsigned status, const char *title)
{
	s->status = status;
	s->content_type = "text/html; charset=utf-8";
	text_format(&s->body, "<html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n", title, title);
}

static void say_refusal(struct saying *s, const struct sim_question *q)
{
	static const char *const challenges[] = {
	        [SIM_TOKEN_MISSING] = "Bearer",
	        [SIM_TOKEN_SCHEME] = "Bearer",
	        [SIM_TOKEN_WRONG] = "Bearer error=\"invalid_token\", error_description=\"the token is not valid\"",
	        [SIM_TOKEN_ENDED] = "Bearer error=\"invalid_token\", error_description=\"the token has expired\"",
	};
	say_html(s, 401, "401 - Unauthorized: Access is denied due to invalid credentials.");
	s->challenge = challenges[q->token];
}

static void say_token(struct saying *s, const struct sim_question *q, struct slice body)
{
	s->content_type = "application/json; charset=utf-8";
	if (q->method == HTTP_POST)
		s->status = sim_login_answer(q->login, slice_str(q->host), body, time(NULL), &s->body);
	else
		say_html(s, 405, "405 - HTTP verb used to access this page is not allowed.");
}

static void say_fault(struct saying *s, const struct sim_question *q, bool client, const char *text)
{
	s->status = 500;
	rms_fault_make(&s->body, q->soap, client, text);
}

static void say_what_the_service_says(struct saying *s, struct rms_answers *answers, const struct sim_question *q,
                                      const struct sim_rule *rule, struct slice body)
{
	struct rms_answer_options o = {.identity = slice_str(q->identity)};
	struct rms_request r;
	if (rule)
		o.errors = (struct rms_item_errors){rule->failing, rule->failing_count, rule->item_exception};
	if (!rms_request_read(&r, body)) {
		char text[256];
		snprintf(text, sizeof text, "Server was unable to read request. ---> %s", r.wrong);
		say_fault(s, q, true, text);
	} else {
		const struct rms_op *op =
		        q->has_action ? &rms_ops[q->op] : rms_op_by_element(q->service, slice_str(r.name));
		s->status = rms_answer_make(answers, op ? op->id : OP_NONE, &r, &o, &s->body);
	}
	rms_request_done(&r);
}

static void say_natural(struct saying *s, struct rms_answers *answers, const struct sim_question *q,
                        const struct sim_rule *rule, struct slice body)
{
	char title[80];
	if (q->is_login) {
		say_token(s, q, body);
	} else if (!q->service) {
		say_html(s, 404, "404 - File or directory not found.");
	} else if (q->method == HTTP_GET || q->method == HTTP_HEAD) {
		snprintf(title, sizeof title, "%.*s Web Service", SLICE_ARG(q->service->name));
		say_html(s, 200, title);
	} else if (q->method != HTTP_POST) {
		say_html(s, 405, "405 - HTTP verb used to access this page is not allowed.");
		s->allow = true;
	} else if (q->login && q->login->options->scheme && q->token != SIM_TOKEN_GOOD) {
		say_refusal(s, q);
	} else if (q->too_large) {
		say_html(s, 413, "413 - Request entity too large.");
	} else if (!q->is_xml) {
		say_html(s, 415, "415 - Unsupported media type.");
	} else {
		say_what_the_service_says(s, answers, q, rule, body);
	}
}

static void say_as_told(struct saying *s, const struct sim_question *q, const struct sim_rule *rule)
{
	char title[64];
	if (rule->aadsts) {
		sim_login_refusal(&s->body, rule->aadsts, "told by the script", time(NULL));
		s->content_type = "application/json; charset=utf-8";
		s->status = 401;
	} else if (rule->fault) {
		say_fault(s, q, false, rule->fault);
	} else if (rule->has_body) {
		text_add(&s->body, text_slice(&rule->body));
		s->status = 200;
	} else {
		snprintf(title, sizeof title, "%u %s", rule->status, http_status_reason(rule->status));
		say_html(s, rule->status, title);
	}
	if (rule->status)
		s->status = rule->status;
	if (rule->content_type)
		s->content_type = rule->content_type;
}

/* ---- how it is framed ---- */

static uint32_t crc32_of(struct slice s)
{
	uint32_t crc = ~0u;
	for (size_t i = 0; i < s.len; i++) {
		crc ^= (uint8_t)s.at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static void add_little_endian(struct text *t, uint32_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		*text_grow(t, 1) = (char)(value >> (8 * i));
}

/* Valid gzip without compressing: stored blocks (RFC 1951 3.2.4, RFC 1952). The node only carries it. */
static void gzip(struct text *body)
{
	static const char head[10] = {0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
	struct text out = {0};
	struct slice rest = text_slice(body);
	text_add(&out, slice_of(head, sizeof head));
	do {
		size_t n = rest.len < 65535 ? rest.len : 65535;
		*text_grow(&out, 1) = n == rest.len;
		add_little_endian(&out, (uint32_t)n, 2);
		add_little_endian(&out, ~(uint32_t)n, 2);
		text_add(&out, slice_until(rest, n));
		rest = slice_from(rest, n);
	} while (rest.len);
	add_little_endian(&out, crc32_of(text_slice(body)), 4);
	add_little_endian(&out, (uint32_t)body->len, 4);
	text_free(body);
	*body = out;
}

static void add_chunked(struct text *wire, struct slice body, const struct sim_rule *rule)
{
	for (size_t i = 0; body.len; i++) {
		size_t n = rule->chunks[i < rule->chunk_count ? i : rule->chunk_count - 1];
		if (n > body.len)
			n = body.len;
		text_format(wire, "%zx\r\n", n);
		text_add(wire, slice_until(body, n));
		text_add_str(wire, "\r\n");
		body = slice_from(body, n);
	}
	text_add_str(wire, "0\r\n\r\n");
}

static void add_interim(struct text *wire, const struct sim_rule *rule)
{
	for (unsigned i = 0; i < rule->interim_count && rule->interim_status; i++) {
		text_format(wire, "HTTP/1.1 %u %s\r\n", rule->interim_status,
		            rule->interim_status == 100 ? "Continue" : "Interim");
		if (rule->interim_length >= 0)
			text_format(wire, "Content-Length: %lld\r\n", (long long)rule->interim_length);
		text_add_str(wire, "\r\n");
	}
}

static void add_head(struct sim_reply *reply, const struct sim_question *q, const struct sim_rule *rule,
                     const struct saying *s)
{
	struct text *wire = &reply->wire;
	char date[40];
	struct tm tm;
	time_t now = time(NULL);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	const char *type = s->content_type      ? s->content_type
	                   : q->soap == SOAP_12 ? "application/soap+xml; charset=utf-8"
	                                        : "text/xml; charset=utf-8";
	text_format(wire, "HTTP/1.1 %u %s\r\nCache-Control: private, max-age=0\r\nContent-Type: %s\r\n", s->status,
	            http_status_reason(s->status), type);
	text_format(wire, "Server: rms-cloud-sim\r\nDate: %s\r\n", date);
	if (s->allow)
		text_add_str(wire, "Allow: GET, POST\r\n");
	if (s->challenge)
		text_format(wire, "WWW-Authenticate: %s\r\n", s->challenge);
	if (rule && rule->retry_after >= 0)
		text_format(wire, "Retry-After: %lld\r\n", (long long)rule->retry_after);
	if (rule && rule->location)
		text_format(wire, "Location: %s\r\n", rule->location);
	if (rule && rule->gzip)
		text_add_str(wire, "Content-Encoding: gzip\r\n");
	if (reply->closes && !(rule && rule->until_close))
		text_add_str(wire, "Connection: close\r\n");
	if (rule)
		text_add(wire, text_slice(&rule->headers));
}

void sim_reply_make(struct sim_reply *reply, struct rms_answers *answers, const struct sim_question *q,
                    const struct sim_rule *rule, struct slice body)
{
	struct saying s = {0};
	text_clear(&reply->wire);
	reply->closes = !q->keep_alive || (rule && (rule->close_header || rule->until_close));
	if (rule && rule->has_raw) {
		text_add(&reply->wire, text_slice(&rule->raw));
		reply->status = 0;
		return;
	}
	if (rule && (rule->aadsts || rule->fault || rule->has_body || rule->status))
		say_as_told(&s, q, rule);
	else
		say_natural(&s, answers, q, rule, body);
	reply->status = s.status;
	if (rule)
		add_interim(&reply->wire, rule);
	if (rule && rule->gzip)
		gzip(&s.body);
	bool bodiless = s.status == 204 || s.status == 304;
	add_head(reply, q, rule, &s);
	if (bodiless || (rule && rule->until_close)) {
		text_add_str(&reply->wire, "\r\n");
	} else if (rule && rule->chunk_count) {
		text_add_str(&reply->wire, "Transfer-Encoding: chunked\r\n\r\n");
	} else {
		text_format(&reply->wire, "Content-Length: %zu\r\n\r\n", s.body.len);
	}
	if (!bodiless && q->method != HTTP_HEAD) {
		if (rule && rule->chunk_count)
			add_chunked(&reply->wire, text_slice(&s.body), rule);
		else
			text_add(&reply->wire, text_slice(&s.body));
	}
	text_free(&s.body);
}
