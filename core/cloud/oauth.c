#include "core/cloud/oauth.h"

#include "core/base/address.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/cloud/https_call.h"
#include "core/cloud/secret.h"
#include "core/cloud/token_roles.h"
#include "core/crypto/crypto.h"
#include "core/crypto/signer.h"
#include "proto/clouds.h"
#include "proto/uri.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	TIMEOUT_MS = 15000,
	PAUSE_FIRST_S = 1,
	PAUSE_LAST_S = 60,
	PAUSE_FATAL_S = 3600,
	PAUSE_LOOP_S = 60, /* where the service says that it is asked in a loop */
	EARLY_S = 300,
	REFUSED_PAUSE_MS = 10000,
	RETRY_AFTER_MAX_S = 3600,
};

struct oauth {
	struct loop *loop;
	const struct settings *all;
	const struct credential_settings *settings;
	struct resolver *resolver;
	struct tls_client *tls; /* owned; NULL: plain, on loopback only */
	struct way_out way;
	const struct oauth_events *events;
	void *context;
	struct uri login;
	char path[600], url[1000], lines[400];
	const char *scope;
	/* what proves us: one of both */
	struct secret secret;
	struct crypto_signer *signer;
	uv_timer_t timer; /* until the next fetch */
	uv_timer_t end;   /* of the token */
	struct https_call *call;
	char *token;
	int64_t token_ends_s;
	uint32_t failures; /* in a row */
	uint32_t fetched, failed;
	uint32_t code;                                    /* of the last try */
	bool refused, clock_tried, fatal, closing, again; /* again: something changed while a fetch ran */
	uint8_t handles;
	msec_t last_refused;
	char problem[TOKEN_ADVICE_BYTES];
	char excess[TOKEN_EXCESS_BYTES]; /* that was warned of */
};

static void fetch(struct oauth *o);

static void on_timer(uv_timer_t *timer)
{
	fetch(timer->data);
}

/* In s seconds and up to a quarter more, so that nodes that failed together do not ask together. */
static void fetch_in(struct oauth *o, uint32_t s)
{
	uint16_t random;
	crypto_random(&random, sizeof(random));
	uv_timer_start(&o->timer, on_timer, s * 1000ull + s * 250ull * random / UINT16_MAX, 0);
}

static void drop_token(struct oauth *o)
{
	if (!o->token)
		return;
	explicit_bzero(o->token, strlen(o->token));
	free(o->token);
	o->token = NULL;
	o->token_ends_s = 0;
	uv_timer_stop(&o->end);
	o->events->on_token(o->context, NULL);
}

static void on_token_end(uv_timer_t *timer)
{
	struct oauth *o = timer->data;
	event_log(EVENT_TOKEN_ENDED, "credentials.%s: no token any more; requests are deferred. Last problem: %s",
	          o->settings->name, o->problem[0] ? o->problem : "none");
	drop_token(o);
}

/* Once for each set of permissions, not for each token. */
static void warn_of_excess(struct oauth *o, const char *token)
{
	char excess[TOKEN_EXCESS_BYTES];
	bool only_exchange = (o->settings->roles & ~(1u << AUTHLIST_ROLE_EXCHANGE)) == 0;
	token_excess(token, only_exchange, excess);
	if (*excess && strcmp(excess, o->excess))
		event_log(EVENT_TOKEN_EXCESS,
		          "credentials.%s: %s: take these permissions from the app registration, or give callers of "
		          "other "
		          "roles a credential of their own",
		          o->settings->name, excess);
	memcpy(o->excess, excess, sizeof(excess));
}

static void take_token(struct oauth *o, struct token_answer *a)
{
	warn_of_excess(o, a->token);
	if (o->problem[0])
		event_log(EVENT_TOKEN_RECOVERED, "credentials.%s", o->settings->name);
	char *before = o->token;
	o->token = a->token;
	a->token = NULL;
	o->token_ends_s = (int64_t)(clock_wall() / 1000000) + a->expires_in_s;
	o->fetched++;
	o->failures = 0;
	o->fatal = o->clock_tried = o->refused = false;
	o->code = 0;
	o->problem[0] = 0;
	o->events->on_token(o->context, o->token);
	if (before)
		explicit_bzero(before, strlen(before));
	free(before);
	uv_timer_start(&o->end, on_token_end, a->expires_in_s * 1000ull, 0);
	uint32_t early = a->expires_in_s / 5 < EARLY_S ? a->expires_in_s / 5 : EARLY_S;
	uv_timer_start(&o->timer, on_timer, (a->expires_in_s - early) * 1000ull, 0);
}

static void failed(struct oauth *o, enum token_outcome outcome, uint32_t pause_s)
{
	o->failed++;
	o->failures++;
	o->fatal = outcome == TOKEN_FATAL;
	o->refused = outcome != TOKEN_WAIT;
	event_log(outcome == TOKEN_FATAL ? EVENT_TOKEN_REFUSED : EVENT_TOKEN_UNAVAILABLE, "credentials.%s: %s%s",
	          o->settings->name, o->problem, o->token ? "; the token before is used on while it is good" : "");
	fetch_in(o, pause_s);
}

static uint32_t pause_after(uint32_t failures)
{
	return failures < 6 ? PAUSE_FIRST_S << failures : PAUSE_LAST_S;
}

static uint32_t retry_after(const struct http_head *h)
{
	struct slice v = http_head_get(h, HDR_RETRY_AFTER);
	uint32_t s = 0;
	for (size_t i = 0; i < v.len; i++) {
		if (v.at[i] < '0' || v.at[i] > '9')
			return 0;
		s = s > RETRY_AFTER_MAX_S ? s : s * 10 + (uint32_t)(v.at[i] - '0');
	}
	return s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S;
}

static void on_answer(void *context, struct err why, const struct https_answer *answer)
{
	struct oauth *o = context;
	o->call = NULL;
	if (o->again) {
		o->again = false;
		fetch(o);
		return;
	}
	if (!answer) {
		bool proxied = way_out_is_proxied(&o->way);
		char by[300] = "";
		if (proxied)
			snprintf(by, sizeof(by), " by the web proxy %s:%u", o->way.host, o->way.port);
		snprintf(o->problem, sizeof(o->problem), "%s:%u%s: %s", o->login.host, o->login.port, by,
		         err_text(why));
		o->code = 0;
		failed(o, TOKEN_WAIT, pause_after(o->failures));
		return;
	}
	struct token_answer a;
	token_answer_read(&a, answer->head->status, answer->body);
	if (a.outcome == TOKEN_GOOD) {
		take_token(o, &a);
	} else {
		snprintf(o->problem, sizeof(o->problem), "%s", a.advice);
		o->code = a.code;
		uint32_t asked = retry_after(answer->head), pause = pause_after(o->failures);
		bool at_once = a.outcome == TOKEN_CLOCK && !o->clock_tried;
		o->clock_tried |= a.outcome == TOKEN_CLOCK;
		if (a.code == 50196 && pause < PAUSE_LOOP_S)
			pause = PAUSE_LOOP_S;
		if (a.outcome == TOKEN_FATAL)
			pause = PAUSE_FATAL_S;
		failed(o, a.outcome, at_once ? 0 : asked > pause ? asked : pause);
	}
	token_answer_done(&a);
}

static void make_guid(char out[static 37])
{
	uint8_t b[16];
	char hex[33];
	crypto_random(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	crypto_hex(b, sizeof(b), hex);
	snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* candidate: a secret to try in place of the one in use; NULL: that one. */
static bool write_form(struct oauth *o, const struct secret *candidate, struct token_form *f)
{
	token_form_add(f, "grant_type", SLICE("client_credentials"));
	token_form_add(f, "client_id", slice_str(o->settings->client_id));
	token_form_add(f, "scope", slice_str(o->scope));
	if (o->signer) {
		char id[37];
		make_guid(id);
		struct token_assertion a = {o->signer, o->url, o->settings->client_id, id,
		                            (int64_t)(clock_wall() / 1000000)};
		char *jwt = token_assertion_make(&a);
		if (!jwt)
			return false;
		token_form_add(f, "client_assertion_type",
		               SLICE("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
		token_form_add(f, "client_assertion", slice_str(jwt));
		free(jwt);
	} else {
		token_form_add(f, "client_secret", secret_slice(candidate ? candidate : &o->secret));
	}
	return !f->failed;
}

static struct https_call *ask(struct oauth *o, const struct secret *candidate,
                              void (*done)(void *context, struct err why, const struct https_answer *answer),
                              void *context)
{
	struct token_form f = {0};
	struct https_request r = {.way = &o->way,
	                          .tls = o->tls,
	                          .resolver = o->resolver,
	                          .method = SLICE("POST"),
	                          .path = slice_str(o->path),
	                          .lines = slice_str(o->lines),
	                          .timeout = TIMEOUT_MS};
	struct https_call *call = NULL;
	if (write_form(o, candidate, &f)) {
		r.body = slice_of(f.text, f.len);
		call = https_call_start(o->loop, &r, done, context);
	}
	token_form_done(&f);
	return call;
}

static void fetch(struct oauth *o)
{
	if (o->closing)
		return;
	if (o->call) {
		o->again = true;
		return;
	}
	o->call = ask(o, NULL, on_answer, o);
	if (!o->call) {
		snprintf(o->problem, sizeof(o->problem), "out of memory");
		failed(o, TOKEN_WAIT, pause_after(o->failures));
	}
}

/* ---- trials ---- */

struct oauth_trial {
	struct oauth *oauth;
	struct https_call *call;
	void (*done)(void *context, const struct token_answer *answer);
	void *context;
};

static void on_trial_answer(void *context, struct err why, const struct https_answer *answer)
{
	struct oauth_trial *t = context, ended = *t;
	struct token_answer a = {.outcome = TOKEN_WAIT};
	free(t);
	if (answer)
		token_answer_read(&a, answer->head->status, answer->body);
	else
		snprintf(a.advice, sizeof(a.advice), "%s:%u: %s: %s", ended.oauth->login.host, ended.oauth->login.port,
		         err_row(why.code)->text, err_text(why));
	ended.done(ended.context, &a);
	token_answer_done(&a);
}

struct oauth_trial *oauth_try(struct oauth *o, const struct secret *candidate,
                              void (*done)(void *context, const struct token_answer *answer), void *context)
{
	struct oauth_trial *t = malloc(sizeof(*t));
	if (!t)
		return NULL;
	*t = (struct oauth_trial){o, NULL, done, context};
	t->call = ask(o, candidate, on_trial_answer, t);
	if (t->call)
		return t;
	free(t);
	return NULL;
}

void oauth_trial_cancel(struct oauth_trial *t)
{
	if (t)
		https_call_cancel(t->call);
	free(t);
}

/* ---- from outside ---- */

static struct err load(struct oauth *o)
{
	struct secret_place place = secret_place(o->all, o->settings);
	struct secret s;
	TRY(secret_read(&place, &s));
	if (o->settings->kind == CREDENTIAL_OAUTH2_SECRET) {
		secret_done(&o->secret);
		o->secret = s;
		return OK;
	}
	struct crypto_signer *signer;
	struct err failed = crypto_signer_load(o->settings->certificate_file, secret_slice(&s), place.path, &signer);
	secret_done(&s);
	TRY(failed);
	crypto_signer_free(o->signer);
	o->signer = signer;
	return OK;
}

static struct err make_address(struct oauth *o)
{
	const struct credential_settings *c = o->settings;
	const struct cloud *cloud = cloud_find(slice_str(o->all->upstream_cloud));
	char usual[300];
	snprintf(usual, sizeof(usual), "https://%s", cloud ? cloud->login : "");
	const char *base = c->login_url ? c->login_url : usual;
	o->scope = c->scope ? c->scope : cloud ? cloud->scope : "";
	const char *wrong = uri_parse(slice_str(base), &o->login);
	if (wrong || !*o->scope)
		return ERR_OF(
		        SETTINGS,
		        .what = "the cloud of upstream.cloud has no public login service: give login_url and scope");
	if (!o->login.tls && !address_is_loopback_name(o->login.host))
		return ERR_OF(SETTINGS,
		              .what = "login_url must begin with https://: over plain HTTP the secret could be read on "
		                      "the way");
	snprintf(o->path, sizeof(o->path), "/%s/oauth2/v2.0/token", c->tenant);
	bool v6 = strchr(o->login.host, ':') != NULL, usual_port = o->login.port == (o->login.tls ? 443 : 80);
	char host[280], port[8] = "";
	if (!usual_port)
		snprintf(port, sizeof(port), ":%u", o->login.port);
	snprintf(host, sizeof(host), "%s%s%s%s", v6 ? "[" : "", o->login.host, v6 ? "]" : "", port);
	snprintf(o->lines, sizeof(o->lines),
	         "Host: %s\r\nAccept: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\n", host);
	snprintf(o->url, sizeof(o->url), "http%s://%s%s", o->login.tls ? "s" : "", host, o->path);
	return OK;
}

struct err oauth_open(struct loop *l, const struct settings *all, const struct credential_settings *settings,
                      struct resolver *resolver, const struct oauth_events *events, void *context, struct oauth **out)
{
	struct oauth *o = calloc(1, sizeof(*o));
	if (!o)
		return ERR_OF(NO_MEMORY);
	*o = (struct oauth){.loop = l,
	                    .all = all,
	                    .settings = settings,
	                    .resolver = resolver,
	                    .events = events,
	                    .context = context};
	struct err wrong = make_address(o);
	if (!wrong.code)
		wrong = load(o);
	if (!wrong.code)
		wrong = way_out_open(all, o->login.host, o->login.port, &o->way);
	if (!wrong.code && o->login.tls) {
		struct tls_client_options t = {.ca_file = all->upstream_ca_file, .host = o->login.host};
		wrong = tls_client_new(&t, &o->tls);
	}
	if (wrong.code) {
		way_out_done(&o->way);
		secret_done(&o->secret);
		crypto_signer_free(o->signer);
		free(o);
		return wrong;
	}
	uv_timer_init(&l->uv, &o->timer);
	uv_timer_init(&l->uv, &o->end);
	o->timer.data = o->end.data = o;
	o->handles = 2;
	uv_timer_start(&o->timer, on_timer, 0, 0);
	*out = o;
	return OK;
}

struct err oauth_reload(struct oauth *o)
{
	TRY(load(o));
	o->failures = 0;
	o->clock_tried = false;
	fetch(o);
	return OK;
}

void oauth_refused(struct oauth *o)
{
	msec_t now = loop_now(o->loop);
	if (o->last_refused && now - o->last_refused < REFUSED_PAUSE_MS)
		return;
	o->last_refused = now;
	fetch(o);
}

struct oauth_state oauth_state(const struct oauth *o)
{
	return (struct oauth_state){.has_token = o->token != NULL,
	                            .fatal = o->fatal,
	                            .token_ends_s = o->token_ends_s,
	                            .fetched = o->fetched,
	                            .failed = o->failed,
	                            .refused = o->refused,
	                            .code = o->code,
	                            .problem = o->problem[0] ? o->problem : NULL};
}

int64_t oauth_certificate_ends(const struct oauth *o)
{
	return o->signer ? crypto_signer_ends(o->signer) : 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct oauth *o = handle->data;
	if (--o->handles)
		return;
	tls_client_free(o->tls);
	way_out_done(&o->way);
	secret_done(&o->secret);
	crypto_signer_free(o->signer);
	if (o->token)
		explicit_bzero(o->token, strlen(o->token));
	free(o->token);
	free(o);
}

void oauth_close(struct oauth *o)
{
	if (!o)
		return;
	o->closing = true;
	https_call_cancel(o->call);
	uv_close((uv_handle_t *)&o->timer, on_handle_closed);
	uv_close((uv_handle_t *)&o->end, on_handle_closed);
}
