#include "core/cloud/prove.h"

#include "core/base/address.h"
#include "core/base/clock.h"
#include "core/cloud/https_call.h"
#include "core/net/tls.h"
#include "proto/uri.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOOK_MS = 20, LINES_BYTES = CREDENTIAL_WORDS_MAX + 1024 };

static void go_on(struct prove *p);

/* ---- the plan ---- */

static void plan(struct prove *p, const char *base, const char *scheme, enum rms_op_id op,
                 const struct prove_body *body)
{
	if (p->call_count == PROVE_CALLS_MAX)
		return;
	struct prove_call *c = &p->calls[p->call_count++];
	*c = (struct prove_call){.base = base, .scheme = scheme, .op = op, .body = body};
	/* "/_wmcs/licensing/license.asmx" below another base */
	snprintf(c->path, sizeof(c->path), "%s%s", base, rms_service_of(op)->path.at + strlen("/_wmcs"));
}

static void plan_probes(struct prove *p, const char *scheme)
{
	for (size_t b = 0; b < p->base_count; b++)
		for (size_t i = 0; i < RMS_PROBES; i++)
			plan(p, p->bases[b], scheme, rms_probes[i], NULL);
}

static void plan_with_words(struct prove *p)
{
	if (p->is_token) {
		plan_probes(p, "Bearer");
		plan_probes(p, "MSOID");
	} else if (p->settings->credentials[0].kind != CREDENTIAL_NONE) {
		plan_probes(p, credential_kind_word(p->settings->credentials[0].kind));
	}
}

/* Only where something was answered well: a certificate is not asked for at an address that is none. */
static void plan_bodies(struct prove *p)
{
	size_t probes = p->call_count;
	for (size_t i = 0; i < probes; i++) {
		const struct prove_call *c = &p->calls[i];
		bool first = c->op == rms_probes[0], needs = p->settings->credentials[0].kind != CREDENTIAL_NONE,
		     good = false;
		if (!first || (needs && strcmp(c->scheme, "none") == 0))
			continue;
		for (size_t k = i; k < i + RMS_PROBES && k < probes; k++)
			good |= p->calls[k].answer.outcome == PROVE_GOOD;
		for (size_t b = 0; good && b < p->body_count; b++)
			plan(p, c->base, c->scheme, p->bodies[b].op, &p->bodies[b]);
	}
}

/* ---- one call ---- */

/* Where the words' Authorization value begins behind its scheme: the token. Empty: there is none. */
static struct slice token_of(const struct prove *p)
{
	struct slice all = p->words ? credential_words_lines(p->words) : SLICE("");
	const char *at = all.len ? memmem(all.at, all.len, "Authorization: ", 15) : NULL;
	if (!at)
		return SLICE("");
	struct slice value = slice_from(all, (size_t)(at - all.at) + 15);
	value = slice_until(value, slice_find(value, '\r'));
	size_t space = slice_find(value, ' ');
	return space < value.len ? slice_from(value, space + 1) : value;
}

static int write_lines(const struct prove *p, const struct prove_call *c, char *out, size_t cap)
{
	char soap[512];
	rms_probe_lines(c->op, c->body ? c->body->soap : SOAP_11, soap, sizeof(soap));
	if (strcmp(c->scheme, "none") == 0)
		return snprintf(out, cap, "Host: %s\r\nUser-Agent: rms-connectorctl/" RMS_VERSION "\r\n%s",
		                p->host_line, soap);
	if (p->is_token)
		return snprintf(out, cap,
		                "Host: %s\r\nAuthorization: %s %.*s\r\nUser-Agent: rms-connectorctl/" RMS_VERSION
		                "\r\n%s",
		                p->host_line, c->scheme, SLICE_ARG(token_of(p)), soap);
	return snprintf(out, cap, "%.*sUser-Agent: rms-connectorctl/" RMS_VERSION "\r\n%s",
	                SLICE_ARG(credential_words_lines(p->words)), soap);
}

static void on_over(uv_timer_t *timer)
{
	struct prove *p = timer->data;
	p->on_end(p);
}

/* In a turn of its own: this may be the resolver's callback, which must not be the one that closes it. */
static void end(struct prove *p)
{
	if (!p->ended)
		uv_timer_start(&p->look, on_over, 0, 0);
	p->ended = true;
}

static void on_answer(void *context, struct err why, const struct https_answer *answer)
{
	struct prove *p = context;
	struct prove_call *c = &p->calls[p->next++];
	p->call = NULL;
	c->took = clock_now() - p->started;
	if (answer) {
		struct slice token =
		        p->is_token || p->settings->credentials[0].kind == CREDENTIAL_STATIC ? token_of(p) : SLICE("");
		prove_answer_read(&c->answer, c->op, answer->head, answer->body, token);
	} else {
		c->answer.outcome = PROVE_LOST;
		snprintf(c->problem, sizeof(c->problem), "%s: %s", err_row(why.code)->text, err_text(why));
	}
	/* The first one tells whether there is a service at all; what did not answer once will not answer twenty times. */
	if (!answer && p->next == 1)
		end(p);
	else
		go_on(p);
}

static void start(struct prove *p, struct prove_call *c)
{
	char *lines = malloc(LINES_BYTES), probe[RMS_PROBE_BYTES];
	int n = lines ? write_lines(p, c, lines, LINES_BYTES) : 0;
	struct https_request r = {.way = &p->way,
	                          .tls = p->tls,
	                          .resolver = p->resolver,
	                          .method = SLICE("POST"),
	                          .path = slice_str(c->path),
	                          .lines = slice_of(lines, (size_t)n),
	                          .body = c->body ? c->body->bytes : slice_of(probe, rms_probe_body(c->op, probe)),
	                          .timeout = p->timeout};
	p->started = clock_now();
	p->call = n > 0 && n < LINES_BYTES ? https_call_start(p->loop, &r, on_answer, p) : NULL;
	if (lines)
		explicit_bzero(lines, LINES_BYTES);
	free(lines);
	if (!p->call) {
		c->answer.outcome = PROVE_LOST;
		snprintf(c->problem, sizeof(c->problem), "out of memory");
		end(p);
	}
}

/* ---- the token ---- */

static void on_words(void *owner, size_t index, struct credential_words *words)
{
	struct prove *p = owner;
	if (!credential_words_lines(words).len)
		return;
	credential_words_unref(p->words);
	p->words = credential_words_ref(words);
}

static void take_words(struct prove *p)
{
	p->has_words = true;
	uv_timer_stop(&p->look);
	plan_with_words(p);
	go_on(p);
}

/* The credential tries again by itself for as long as it takes; here the first failure is the answer. */
static void on_look(uv_timer_t *timer)
{
	struct prove *p = timer->data;
	struct credential_state s = credentials_state(&p->credentials, 0);
	if (p->words) {
		take_words(p);
	} else if (s.failed) {
		snprintf(p->login_problem, sizeof(p->login_problem), "%s", s.problem ? s.problem : "");
		p->login_refused = s.refused;
		p->login_code = s.code;
		end(p);
	}
}

static void go_on(struct prove *p)
{
	if (p->next < p->call_count) {
		start(p, &p->calls[p->next]);
	} else if (!p->has_words && p->words) {
		take_words(p);
	} else if (!p->has_words) {
		uv_timer_start(&p->look, on_look, 0, LOOK_MS);
	} else if (p->body_count && !p->calls[p->call_count - 1].body) {
		plan_bodies(p);
		p->body_count = 0; /* they are planned */
		go_on(p);
	} else {
		end(p);
	}
}

/* ---- from outside ---- */

static struct err make_tls(struct prove *p)
{
	const struct credential_settings *c = &p->settings->credentials[0];
	bool mtls = c->kind == CREDENTIAL_MTLS;
	struct tls_client_options o = {.ca_file = *p->settings->upstream_ca_file ? p->settings->upstream_ca_file : NULL,
	                               .host = p->service.host,
	                               .certificate = mtls ? c->certificate_file : NULL,
	                               .key = mtls ? c->key_file : NULL};
	return p->service.tls ? tls_client_new(&o, &p->tls) : OK;
}

struct err prove_open(struct prove *p, struct loop *l, const char **where)
{
	enum credential_kind kind = p->settings->credentials[0].kind;
	p->loop = l;
	uv_timer_init(&l->uv, &p->look);
	p->look.data = p;
	p->is_token = kind == CREDENTIAL_OAUTH2_SECRET || kind == CREDENTIAL_OAUTH2_CERTIFICATE;
	*where = "the service's address";
	const char *wrong = uri_parse(slice_str(p->settings->upstream_url), &p->service);
	if (wrong)
		return ERR_OF(SETTINGS, .what = wrong);
	if (!p->service.tls && !address_is_loopback_name(p->service.host))
		return ERR_OF(
		        SETTINGS,
		        .what = "it must begin with https://: over plain HTTP the credential could be read on the "
		                "way");
	bool v6 = strchr(p->service.host, ':'), usual = p->service.port == (p->service.tls ? 443 : 80);
	char port[8] = "";
	if (!usual)
		snprintf(port, sizeof(port), ":%u", p->service.port);
	snprintf(p->host_line, sizeof(p->host_line), "%s%s%s%s", v6 ? "[" : "", p->service.host, v6 ? "]" : "", port);
	TRY(make_tls(p));
	*where = "name servers";
	TRY(way_out_open(p->settings, p->service.host, p->service.port, &p->way));
	TRY(resolver_new(l, p->settings->upstream_dns_servers, &p->resolver));
	p->credentials.on_words = on_words;
	p->credentials.owner = p;
	TRY(credentials_open(&p->credentials, l, p->settings, p->host_line, where));
	plan_probes(p, "none");
	go_on(p);
	return OK;
}

void prove_close(struct prove *p)
{
	https_call_cancel(p->call);
	credentials_close(&p->credentials);
	if (p->resolver)
		resolver_close(p->resolver);
	p->resolver = NULL;
	uv_close((uv_handle_t *)&p->look, NULL);
}

void prove_done(struct prove *p)
{
	credentials_done(&p->credentials);
	credential_words_unref(p->words);
	p->words = NULL;
	way_out_done(&p->way);
	tls_client_free(p->tls);
}
