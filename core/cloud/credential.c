#include "core/cloud/credential.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/cloud/line.h"
#include "core/cloud/oauth.h"
#include "core/cloud/secret.h"
#include "core/crypto/signer.h"
#include "core/net/resolver.h"
#include "core/net/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY_MS = 24 * 3600 * 1000, FIRST_LOOK_MS = 1000, DAY_S = 86400 };

struct credential {
	struct credentials *all;
	const struct credential_settings *settings;
	struct oauth *oauth;            /* NULL: its words do not come from a login service */
	struct line *line;              /* NULL: nor from a program */
	struct credential_words *words; /* a reference: the last that were told; NULL: none were */
	uint32_t serial;
	bool ready;
	int64_t certificate_ends_s;       /* of mtls; 0: not known */
	char name[80];                    /* "credentials.NAME", for messages */
	char problem[TOKEN_ADVICE_BYTES]; /* why its secret cannot be used; "" */
};

static bool is_line(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] < ' ' || text.at[i] == 127)
			return false;
	return text.len > 0 && text.len < CREDENTIAL_WORDS_MAX / 2;
}

/* Whether a secret can be one of that kind. */
static struct err check_secret(const struct credential_settings *c, struct slice secret)
{
	struct crypto_signer *signer;
	if (c->kind == CREDENTIAL_STATIC && !is_line(secret))
		return ERR_OF(FILE, .what = "authorization_file must hold one line of printable text, for instance: "
		                            "Bearer TOKEN");
	if (c->kind == CREDENTIAL_OAUTH2_CERTIFICATE) {
		TRY(crypto_signer_load(c->certificate_file, secret, "the new key", &signer));
		crypto_signer_free(signer);
	}
	if (c->kind == CREDENTIAL_MTLS) {
		struct tls_client *client;
		struct tls_client_options o = {.host = "localhost",
		                               .certificate = c->certificate_file,
		                               .key = "the new key",
		                               .key_pem = secret};
		TRY(tls_client_new(&o, &client));
		tls_client_free(client);
	}
	return OK;
}

static void publish(struct credentials *all, struct credential *c, struct credential_words *w)
{
	c->serial++;
	all->on_words(all->owner, (size_t)(c - all->list), w);
	credential_words_unref(c->words);
	c->words = w;
}

static struct err say(struct credentials *all, struct credential *c, struct slice authorization)
{
	struct credential_words *w = credential_words_new(slice_str(all->host), authorization, c->serial + 1);
	if (!w)
		return ERR_OF(NO_MEMORY);
	publish(all, c, w);
	return OK;
}

static bool is_oauth(const struct credential *c)
{
	return c->settings->kind == CREDENTIAL_OAUTH2_SECRET || c->settings->kind == CREDENTIAL_OAUTH2_CERTIFICATE;
}

static void on_token(void *context, const char *token)
{
	struct credential *c = context;
	struct credentials *all = c->all;
	c->ready = false;
	struct credential_words *none = token ? NULL : credential_words_none(c->serial + 1);
	if (none)
		publish(all, c, none);
	if (!token)
		return;
	char line[CREDENTIAL_WORDS_MAX];
	const char *scheme = c->settings->scheme ? c->settings->scheme : "Bearer";
	int n = snprintf(line, sizeof(line), "%s %s", scheme, token);
	struct err failed = n < (int)sizeof(line) ? say(all, c, slice_of(line, (size_t)n)) : ERR_OF(NO_MEMORY);
	explicit_bzero(line, sizeof(line));
	c->ready = !failed.code;
	if (failed.code)
		event_log(EVENT_TOKEN_UNAVAILABLE, "%s: %s", c->name, err_text(failed));
}

static const struct oauth_events oauth_events = {on_token};

static bool ask_line(void *context)
{
	struct credential *c = context;
	struct credentials *all = c->all;
	return all->ask_line && all->ask_line(all->owner, (size_t)(c - all->list));
}

static void on_line(void *context, struct slice text)
{
	struct credential *c = context;
	struct credential_words *none = text.len ? NULL : credential_words_none(c->serial + 1);
	if (none)
		publish(c->all, c, none);
	struct err failed = text.len ? say(c->all, c, text) : OK;
	c->ready = text.len && !failed.code;
	if (failed.code)
		event_log(EVENT_TOKEN_UNAVAILABLE, "%s: %s", c->name, err_text(failed));
}

static const struct line_events line_events = {ask_line, on_line};

static struct err load_line(struct credentials *all, struct credential *c)
{
	struct secret_place place = secret_place(all->settings, c->settings);
	struct secret s = {0};
	struct err failed = c->settings->kind == CREDENTIAL_STATIC ? secret_read(&place, &s) : OK;
	if (!failed.code && c->settings->kind == CREDENTIAL_STATIC)
		failed = check_secret(c->settings, secret_slice(&s));
	if (!failed.code)
		failed = say(all, c, secret_slice(&s));
	secret_done(&s);
	c->ready |= !failed.code;
	return failed;
}

static struct err load_kind(struct credentials *all, struct credential *c)
{
	if (c->oauth)
		return oauth_reload(c->oauth);
	if (is_oauth(c))
		return oauth_open(all->loop, all->settings, c->settings, all->resolver, &oauth_events, c, &c->oauth);
	if (c->settings->kind != CREDENTIAL_EXEC)
		return load_line(all, c);
	if (!c->line)
		return line_open(all->loop, c->name, &line_events, c, &c->line);
	line_again(c->line);
	return OK;
}

static struct err load(struct credentials *all, struct credential *c)
{
	struct err failed = load_kind(all, c);
	snprintf(c->problem, sizeof(c->problem), "%s", failed.code ? err_text(failed) : "");
	return failed;
}

/* At the start. Without its secret one credential is not there, and everything else is: it is set while the node runs. */
static struct err load_first(struct credentials *all, struct credential *c)
{
	struct err failed = load(all, c);
	if (failed.code != ERR_SECRET_GONE)
		return failed;
	event_log(EVENT_CREDENTIAL_UNUSABLE, "%s: %s", c->name, c->problem);
	return OK;
}

/* ---- what ends ---- */

static int64_t ends_of(const struct credential *c)
{
	if (c->oauth)
		return oauth_certificate_ends(c->oauth);
	if (c->settings->kind != CREDENTIAL_MTLS)
		return 0;
	struct crypto_signer *s = NULL;
	struct secret key;
	struct secret_place place = secret_place(c->all->settings, c->settings);
	if (secret_read(&place, &key).code)
		return 0;
	/* Only RSA pairs can be read so; another kind of key has no warning. */
	struct err failed = crypto_signer_load(c->settings->certificate_file, secret_slice(&key), place.path, &s);
	secret_done(&key);
	int64_t ends = failed.code ? 0 : crypto_signer_ends(s);
	crypto_signer_free(s);
	return ends;
}

/* 30, 14, 7 days before, and each day of the last week. */
static bool is_day_to_tell(int64_t days)
{
	return days == 30 || days == 14 || days <= 7;
}

static void on_daily(uv_timer_t *timer)
{
	struct credentials *all = timer->data;
	int64_t now_s = (int64_t)(clock_wall() / 1000000);
	for (size_t i = 0; i < all->settings->credential_count; i++) {
		struct credential *c = &all->list[i];
		c->certificate_ends_s = ends_of(c);
		int64_t days = (c->certificate_ends_s - now_s) / DAY_S;
		if (!c->certificate_ends_s || !is_day_to_tell(days))
			continue;
		if (c->certificate_ends_s <= now_s)
			event_log(EVENT_CREDENTIAL_ENDS, "%s: its certificate %s has ended: replace it and send SIGHUP",
			          c->name, c->settings->certificate_file);
		else
			event_log(EVENT_CREDENTIAL_ENDS,
			          "%s: its certificate %s ends in %lld days: replace it and send SIGHUP", c->name,
			          c->settings->certificate_file, (long long)days);
	}
}

/* ---- from outside ---- */

struct err credentials_open(struct credentials *all, struct loop *loop, const struct settings *settings,
                            const char *host, const char **where)
{
	all->loop = loop;
	all->settings = settings;
	snprintf(all->host, sizeof(all->host), "%s", host);
	all->list = calloc(settings->credential_count + 1, sizeof(*all->list));
	if (!all->list)
		return ERR_OF(NO_MEMORY);
	for (size_t i = 0; i < settings->credential_count; i++) {
		struct credential *c = &all->list[i];
		c->all = all;
		c->settings = &settings->credentials[i];
		snprintf(c->name, sizeof(c->name), "credentials.%s", c->settings->name);
		*where = c->name;
		if (is_oauth(c) && !all->resolver)
			TRY(resolver_new(loop, settings->upstream_dns_servers, &all->resolver));
		TRY(load_first(all, c));
	}
	uv_timer_init(&loop->uv, &all->daily);
	all->daily.data = all;
	all->timer_open = true;
	uv_timer_start(&all->daily, on_daily, FIRST_LOOK_MS, DAY_MS);
	return OK;
}

void credentials_refused(struct credentials *all, size_t index, uint32_t serial)
{
	struct credential *c = &all->list[index];
	if (c->oauth && serial == c->serial)
		oauth_refused(c->oauth);
	if (c->line && serial == c->serial)
		line_again(c->line);
}

void credentials_line(struct credentials *all, size_t index, struct slice text, int64_t ends_s, const char *problem)
{
	if (all->list && all->list[index].line)
		line_told(all->list[index].line, text, ends_s, problem);
}

struct slice credentials_words(const struct credentials *all, size_t index)
{
	const struct credential *c = &all->list[index];
	return c->words ? credential_words_lines(c->words) : SLICE("");
}

struct credential_state credentials_state(const struct credentials *all, size_t index)
{
	const struct credential *c = &all->list[index];
	struct credential_state s = {.settings = c->settings,
	                             .ready = c->ready,
	                             .ends_s = c->certificate_ends_s,
	                             .problem = c->problem[0] ? c->problem : NULL};
	if (c->oauth) {
		struct oauth_state o = oauth_state(c->oauth);
		s.token_ends_s = o.token_ends_s;
		s.fetched = o.fetched;
		s.failed = o.failed;
		if (o.problem)
			s.problem = o.problem;
		s.refused = o.refused;
		s.code = o.code;
	}
	if (c->line) {
		struct line_state l = line_state(c->line);
		s.token_ends_s = l.ends_s;
		s.fetched = l.fetched;
		s.failed = l.failed;
		s.problem = l.problem;
	}
	return s;
}

void credentials_reload(struct credentials *all)
{
	for (size_t i = 0; i < all->settings->credential_count; i++) {
		struct credential *c = &all->list[i];
		struct err failed =
		        c->settings->kind == CREDENTIAL_STATIC || is_oauth(c) || c->line ? load(all, c) : OK;
		if (failed.code)
			event_log(c->serial ? EVENT_SETTINGS_WARNING : EVENT_CREDENTIAL_UNUSABLE, "%s: %s%s", c->name,
			          c->problem, c->serial ? "; what was read before is used on" : "");
	}
}

bool credentials_find(const struct credentials *all, const char *name, size_t *index)
{
	for (size_t i = 0; i < all->settings->credential_count; i++)
		if (strcmp(all->settings->credentials[i].name, name) == 0) {
			*index = i;
			return true;
		}
	return false;
}

struct err credentials_check(const struct credentials *all, size_t index, struct slice secret)
{
	return check_secret(all->list[index].settings, secret);
}

struct err credentials_set(struct credentials *all, size_t index, struct slice secret, bool *made_key)
{
	struct credential *c = &all->list[index];
	struct secret_place place = secret_place(all->settings, c->settings);
	TRY(check_secret(c->settings, secret));
	TRY(secret_write(&place, secret, made_key));
	/* TLS contexts of mtls are the workers' and made at the start. */
	if (c->settings->kind != CREDENTIAL_MTLS)
		TRY(load(all, c));
	event_log(EVENT_CREDENTIAL_SET, "%s: %s is sealed in %s", c->name, place.member, place.path);
	return OK;
}

struct oauth *credentials_oauth(const struct credentials *all, size_t index)
{
	return all->list[index].oauth;
}

void credentials_close(struct credentials *all)
{
	for (size_t i = 0; all->list && i < all->settings->credential_count; i++) {
		oauth_close(all->list[i].oauth);
		line_close(all->list[i].line);
		credential_words_unref(all->list[i].words);
		all->list[i].oauth = NULL;
		all->list[i].line = NULL;
		all->list[i].words = NULL;
	}
	if (all->resolver)
		resolver_close(all->resolver);
	all->resolver = NULL;
	if (all->timer_open)
		uv_close((uv_handle_t *)&all->daily, NULL);
	all->timer_open = false;
}

void credentials_done(struct credentials *all)
{
	free(all->list);
	all->list = NULL;
}
