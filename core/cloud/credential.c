#include "core/cloud/credential.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/cloud/oauth.h"
#include "core/crypto/signer.h"
#include "core/net/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY_MS = 24 * 3600 * 1000, FIRST_LOOK_MS = 1000, DAY_S = 86400 };

struct credential {
	struct credentials *all;
	const struct credential_settings *settings;
	struct oauth *oauth; /* NULL: its words do not come from a login service */
	uint32_t serial;
	bool ready;
	int64_t certificate_ends_s; /* of mtls; 0: not known */
	char name[80];              /* "credentials.NAME", for messages */
};

/* The one line of the file, without its end. *len: of out. */
static struct err read_line(const char *path, char out[static CREDENTIAL_WORDS_MAX], size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, CREDENTIAL_WORDS_MAX);
	int failed = errno;
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return ERR_OF(
		        FILE, .sys = -failed,
		        .what = "authorization_file cannot be read: check its path and that this user may read it");
	while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
		n--;
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)out[i] < ' ' || out[i] == 127)
			n = 0;
	if (n == 0 || n == CREDENTIAL_WORDS_MAX)
		return ERR_OF(FILE, .what = "authorization_file must hold one line of printable text, for instance: "
		                            "Bearer TOKEN");
	*len = (size_t)n;
	return OK;
}

static void publish(struct credentials *all, struct credential *c, struct credential_words *w)
{
	c->serial++;
	all->on_words(all->owner, (size_t)(c - all->list), w);
	credential_words_unref(w);
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

static struct err load(struct credentials *all, struct credential *c)
{
	if (c->oauth)
		return oauth_reload(c->oauth);
	if (is_oauth(c))
		return oauth_open(all->loop, all->settings, c->settings, all->resolver, &oauth_events, c, &c->oauth);
	char line[CREDENTIAL_WORDS_MAX];
	size_t n = 0;
	if (c->settings->kind == CREDENTIAL_STATIC)
		TRY(read_line(c->settings->authorization_file, line, &n));
	struct err failed = say(all, c, slice_of(line, n));
	explicit_bzero(line, n);
	c->ready = !failed.code;
	return failed;
}

/* ---- what ends ---- */

static int64_t ends_of(const struct credential *c)
{
	if (c->oauth)
		return oauth_certificate_ends(c->oauth);
	if (c->settings->kind != CREDENTIAL_MTLS)
		return 0;
	struct crypto_signer *s;
	/* Only RSA pairs can be read so; another kind of key has no warning. */
	if (crypto_signer_load(c->settings->certificate_file, c->settings->key_file, &s).code)
		return 0;
	int64_t ends = crypto_signer_ends(s);
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
		TRY(load(all, c));
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
}

struct credential_state credentials_state(const struct credentials *all, size_t index)
{
	const struct credential *c = &all->list[index];
	struct credential_state s = {.settings = c->settings, .ready = c->ready, .ends_s = c->certificate_ends_s};
	if (c->oauth) {
		struct oauth_state o = oauth_state(c->oauth);
		s.token_ends_s = o.token_ends_s;
		s.fetched = o.fetched;
		s.failed = o.failed;
		s.problem = o.problem;
		s.refused = o.refused;
		s.code = o.code;
	}
	return s;
}

void credentials_reload(struct credentials *all)
{
	for (size_t i = 0; i < all->settings->credential_count; i++) {
		struct credential *c = &all->list[i];
		struct err failed = c->settings->kind == CREDENTIAL_STATIC || c->oauth ? load(all, c) : OK;
		if (failed.code)
			event_log(EVENT_SETTINGS_WARNING, "%s: %s; what was read before is used on", c->name,
			          err_text(failed));
	}
}

void credentials_close(struct credentials *all)
{
	for (size_t i = 0; all->list && i < all->settings->credential_count; i++) {
		oauth_close(all->list[i].oauth);
		all->list[i].oauth = NULL;
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
