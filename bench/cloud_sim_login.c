#include "bench/cloud_sim_login.h"

#include "core/crypto/crypto.h"
#include "core/crypto/verifier.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { FORM_MAX = 64 * 1024, SECRET_MAX = 8192, ASSERTION_MAX = 16 * 1024, SKEW_S = 300, LIFE_MAX_S = 660 };

/* ---- life ---- */

/* Tokens are good beyond a restart, as those of a service are: the key comes from the secrets. Without any, it is a new one each time. */
static void make_key(struct sim_login *l)
{
	struct crypto_sha256 s;
	bool has_secret = false;
	crypto_sha256_start(&s);
	crypto_sha256_add(&s, l->path, strlen(l->path));
	for (unsigned i = 0; i < l->app_count; i++) {
		if (l->apps[i].secret)
			crypto_sha256_add(&s, l->apps[i].secret, l->apps[i].secret_len);
		has_secret |= l->apps[i].secret != NULL;
	}
	crypto_sha256_end(&s, l->key);
	if (!has_secret)
		crypto_random(l->key, sizeof l->key);
}

static struct err read_secret(struct sim_app *app, const char *file)
{
	static _Thread_local char text[512];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	app->secret = calloc(1, SECRET_MAX);
	CHECK(app->secret);
	ssize_t n = fd < 0 ? -1 : read(fd, app->secret, SECRET_MAX);
	int failed = errno;
	if (fd >= 0)
		close(fd);
	if (n > 0 && app->secret[n - 1] == '\n')
		n--;
	app->secret_len = n > 0 ? (size_t)n : 0;
	if (n > 0)
		return OK;
	snprintf(text, sizeof text, "%s: %s", file, n < 0 ? strerror(failed) : "the file is empty");
	return (struct err){ERR_FILE, failed, text};
}

struct err sim_login_init(struct sim_login *l, const struct sim_login_options *o)
{
	*l = (struct sim_login){.options = o};
	pthread_mutex_init(&l->lock, NULL);
	if (!o->tenant)
		return OK;
	snprintf(l->path, sizeof l->path, "/%s/oauth2/v2.0/token", o->tenant);
	for (; l->app_count < o->app_count;) {
		const struct sim_app_options *from = &o->apps[l->app_count];
		struct sim_app *app = &l->apps[l->app_count++];
		app->client_id = from->client_id;
		TRY(from->secret_file ? read_secret(app, from->secret_file)
		                      : crypto_verifier_load(from->certificate_file, &app->certificate));
	}
	make_key(l);
	return OK;
}

void sim_login_done(struct sim_login *l)
{
	for (unsigned i = 0; i < l->app_count; i++) {
		free(l->apps[i].secret);
		crypto_verifier_free(l->apps[i].certificate);
	}
	pthread_mutex_destroy(&l->lock);
}

bool sim_login_is_path(const struct sim_login *l, struct slice path)
{
	return l->path[0] && slice_equal_nocase(path, slice_str(l->path));
}

void sim_login_forget(struct sim_login *l)
{
	__atomic_add_fetch(&l->generation, 1, __ATOMIC_RELAXED);
}

/* ---- the form ---- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

/* The decoded value of a name; false: it is not there, is there twice, or is no form. */
static bool form_get(struct slice form, const char *name, struct text *out)
{
	bool found = false;
	while (form.len) {
		size_t end = slice_find(form, '&');
		struct slice pair = slice_until(form, end);
		form = end < form.len ? slice_from(form, end + 1) : SLICE("");
		size_t equals = slice_find(pair, '=');
		if (!slice_equal(slice_until(pair, equals), slice_str(name)))
			continue;
		if (found || equals == pair.len)
			return false;
		found = true;
		for (size_t i = equals + 1; i < pair.len; i++) {
			char c = pair.at[i] == '+' ? ' ' : pair.at[i];
			if (c == '%') {
				int high = i + 2 < pair.len ? hex_digit(pair.at[i + 1]) : -1;
				int low = i + 2 < pair.len ? hex_digit(pair.at[i + 2]) : -1;
				if (high < 0 || low < 0)
					return false;
				c = (char)(high * 16 + low);
				i += 2;
			}
			*text_grow(out, 1) = c;
		}
	}
	return found;
}

static bool form_is(struct slice form, const char *name, const char *value)
{
	struct text got = {0};
	bool is = form_get(form, name, &got) && slice_equal(text_slice(&got), slice_str(value));
	text_free(&got);
	return is;
}

/* ---- assertions (RFC 7523) ---- */

static bool from_url_form(struct slice part, struct text *out)
{
	struct text padded = {0};
	size_t n = 0;
	for (size_t i = 0; i < part.len; i++)
		*text_grow(&padded, 1) = part.at[i] == '-' ? '+' : part.at[i] == '_' ? '/' : part.at[i];
	while (padded.len % 4)
		*text_grow(&padded, 1) = '=';
	uint8_t *room = (uint8_t *)text_grow(out, padded.len / 4 * 3 + 1);
	bool good = crypto_base64_decode(text_slice(&padded), room, padded.len / 4 * 3, &n);
	out->len = n;
	text_free(&padded);
	return good;
}

static json_t *part_json(struct slice part)
{
	struct text text = {0};
	json_t *o = from_url_form(part, &text) ? json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	text_free(&text);
	return o;
}

static bool says(const json_t *o, const char *key, struct slice value)
{
	const json_t *v = json_object_get(o, key);
	return json_is_string(v) && slice_equal(slice_of(json_string_value(v), json_string_length(v)), value);
}

static bool used_before(struct sim_login *l, const char *id)
{
	uint8_t digest[CRYPTO_SHA256_BYTES];
	uint64_t hash;
	bool found = false;
	crypto_sha256(slice_str(id), digest);
	memcpy(&hash, digest, sizeof hash);
	hash |= 1; /* 0 is a free place */
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < SIM_IDS_MAX; i++)
		found |= l->ids[i] == hash;
	l->ids[l->next_id] = hash;
	l->next_id = (l->next_id + 1) % SIM_IDS_MAX;
	pthread_mutex_unlock(&l->lock);
	return found;
}

static unsigned claims_problem(struct sim_login *l, const struct sim_app *app, const json_t *claims, struct slice host,
                               int64_t now_s, const char **what)
{
	char audience[512];
	struct slice id = slice_str(app->client_id);
	const char *jti = json_string_value(json_object_get(claims, "jti"));
	int64_t from = json_integer_value(json_object_get(claims, "nbf"));
	int64_t until = json_integer_value(json_object_get(claims, "exp"));
	const char *told = json_string_value(json_object_get(claims, "aud"));
	/* With or without TLS: which of both it was, the request itself does not say. */
	snprintf(audience, sizeof audience, "://%.*s%s", SLICE_ARG(host), l->path);
	*what = "the audience, issuer or subject of the assertion is wrong, or it has no id of its own";
	if (!told || strncmp(told, "http", 4) != 0 || strcmp(told + 4 + (told[4] == 's'), audience) != 0 ||
	    !says(claims, "iss", id) || !says(claims, "sub", id) || !jti)
		return 7000214;
	*what = "the assertion is not within its valid time range";
	if (from - SKEW_S > now_s || until <= now_s || until > now_s + LIFE_MAX_S + SKEW_S)
		return 700024;
	*what = "the assertion was used before";
	return used_before(l, jti) ? 7000214 : 0;
}

/* The number of what is wrong; 0: nothing. */
static unsigned assertion_problem(struct sim_login *l, const struct sim_app *app, struct slice jwt, struct slice host,
                                  int64_t now_s, const char **what)
{
	char thumbprint[CRYPTO_SHA256_BYTES * 2];
	size_t n = crypto_base64_encode(crypto_verifier_thumbprint(app->certificate), CRYPTO_SHA256_BYTES, thumbprint);
	for (size_t i = 0; i < n; i++)
		thumbprint[i] = thumbprint[i] == '+' ? '-' : thumbprint[i] == '/' ? '_' : thumbprint[i];
	while (n && thumbprint[n - 1] == '=')
		n--;
	size_t first = slice_find(jwt, '.');
	struct slice head = slice_until(jwt, first), rest = first < jwt.len ? slice_from(jwt, first + 1) : SLICE("");
	size_t second = slice_find(rest, '.');
	struct slice claims_part = slice_until(rest, second);
	struct text signature = {0};
	json_t *header = part_json(head), *claims = part_json(claims_part);
	unsigned code = 7000214;
	*what = "the assertion is no JWT signed with PS256";
	if (second < rest.len && jwt.len <= ASSERTION_MAX && header && claims && says(header, "alg", SLICE("PS256")) &&
	    says(header, "typ", SLICE("JWT")) && from_url_form(slice_from(rest, second + 1), &signature)) {
		code = 700027;
		*what = "the certificate with this thumbprint is not registered for the application, its signature is "
		        "wrong, or it has expired";
		if (says(header, "x5t#S256", slice_of(thumbprint, n)) &&
		    crypto_verifier_ends(app->certificate) > now_s &&
		    crypto_verifier_check_ps256(app->certificate, slice_until(jwt, first + 1 + second),
		                                text_slice(&signature)))
			code = claims_problem(l, app, claims, host, now_s, what);
	}
	json_decref(header);
	json_decref(claims);
	text_free(&signature);
	return code;
}

/* ---- answers ---- */

static const char *name_of(unsigned code)
{
	return code == 70011                                                          ? "invalid_scope"
	       : code == 90033                                                        ? "temporarily_unavailable"
	       : code == 7000216 || code == 7000218                                   ? "invalid_request"
	       : code == 700016 || code == 7000112 || code == 501051 || code == 53003 ? "unauthorized_client"
	                                                                              : "invalid_client";
}

void sim_login_refusal(struct text *out, unsigned code, const char *what, int64_t now_s)
{
	char when[24];
	time_t at = (time_t)now_s;
	struct tm tm;
	strftime(when, sizeof when, "%Y-%m-%d %H:%M:%SZ", gmtime_r(&at, &tm));
	text_format(
	        out,
	        "{\"error\":\"%s\",\"error_description\":\"AADSTS%u: %s. Trace ID: 0 Correlation ID: 0 Timestamp: %s\","
	        "\"error_codes\":[%u],\"timestamp\":\"%s\",\"trace_id\":\"0\",\"correlation_id\":\"0\"}",
	        name_of(code), code, what, when, code, when);
}

static unsigned refuse(struct text *out, unsigned code, const char *what, int64_t now_s)
{
	sim_login_refusal(out, code, what, now_s);
	return code == 700016 || code == 70011 || code == 7000216 || code == 7000218 ? 400 : 401;
}

/* "client;ends;generation;serial" and a digest over it, both in hex: whoever has not the key cannot make one. */
static void seal(const struct sim_login *l, struct slice text, char hex[static 65])
{
	struct crypto_sha256 s;
	uint8_t digest[CRYPTO_SHA256_BYTES];
	crypto_sha256_start(&s);
	crypto_sha256_add(&s, l->key, sizeof l->key);
	crypto_sha256_add(&s, text.at, text.len);
	crypto_sha256_add(&s, l->key, sizeof l->key);
	crypto_sha256_end(&s, digest);
	crypto_hex(digest, sizeof digest, hex);
}

static unsigned give(struct sim_login *l, const struct sim_app *app, int64_t now_s, struct text *out)
{
	struct text said = {0};
	char digest[65];
	unsigned life = l->options->token_life_s;
	text_format(&said, "%s;%lld;%u;%u", app->client_id, (long long)now_s + life,
	            __atomic_load_n(&l->generation, __ATOMIC_RELAXED),
	            __atomic_add_fetch(&l->given, 1, __ATOMIC_RELAXED));
	seal(l, text_slice(&said), digest);
	text_format(
	        out,
	        "{\"token_type\":\"Bearer\",\"expires_in\":%u,\"ext_expires_in\":%u,\"access_token\":\"sim.%.*s.%s\"}",
	        life, life, (int)said.len, said.at, digest);
	text_free(&said);
	return 200;
}

unsigned sim_login_answer(struct sim_login *l, struct slice host, struct slice body, int64_t now_s, struct text *out)
{
	struct text id = {0}, proof = {0};
	const struct sim_app *app = NULL;
	const char *what = "";
	unsigned status;
	bool has_id = body.len <= FORM_MAX && form_get(body, "client_id", &id);
	for (unsigned i = 0; i < l->app_count && has_id; i++) {
		if (slice_equal(text_slice(&id), slice_str(l->apps[i].client_id)))
			app = &l->apps[i];
	}
	if (!app)
		status = refuse(out, 700016, "Application was not found in the directory", now_s);
	else if (!form_is(body, "grant_type", "client_credentials"))
		status = refuse(out, 7000218, "The request must have the grant type client_credentials", now_s);
	else if (!form_is(body, "scope", "https://aadrm.com/.default"))
		status = refuse(out, 70011, "The provided value for scope is not valid", now_s);
	else if (app->secret && !form_get(body, "client_secret", &proof))
		status = refuse(out, 7000218, "The request body must contain client_assertion or client_secret", now_s);
	else if (app->secret && !slice_equal(text_slice(&proof), slice_of(app->secret, app->secret_len)))
		status = refuse(out, 7000215, "Invalid client secret provided", now_s);
	else if (app->secret)
		status = give(l, app, now_s, out);
	else if (!form_is(body, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer") ||
	         !form_get(body, "client_assertion", &proof))
		status = refuse(out, 7000218, "The request body must contain client_assertion or client_secret", now_s);
	else {
		unsigned code = assertion_problem(l, app, text_slice(&proof), host, now_s, &what);
		status = code ? refuse(out, code, what, now_s) : give(l, app, now_s, out);
	}
	text_free(&id);
	text_free(&proof);
	return status;
}

/* ---- tokens that come with requests ---- */

static enum sim_token token_problem(const struct sim_login *l, struct slice token, int64_t now_s, char *client)
{
	static const size_t digest_len = 64;
	char digest[65], text[512];
	unsigned generation, serial;
	long long ends;
	if (token.len < 4 + 1 + digest_len + 1 || token.len > sizeof text || !slice_starts_with(token, SLICE("sim.")) ||
	    token.at[token.len - digest_len - 1] != '.')
		return SIM_TOKEN_WRONG;
	struct slice said = slice_until(slice_from(token, 4), token.len - digest_len - 1 - 4);
	seal(l, said, digest);
	snprintf(text, sizeof text, "%.*s", SLICE_ARG(said));
	if (!slice_equal(slice_from(token, token.len - digest_len), slice_of(digest, digest_len)) ||
	    sscanf(text, "%79[^;];%lld;%u;%u", client, &ends, &generation, &serial) != 4 ||
	    generation != __atomic_load_n(&l->generation, __ATOMIC_RELAXED))
		return SIM_TOKEN_WRONG;
	return ends > now_s ? SIM_TOKEN_GOOD : SIM_TOKEN_ENDED;
}

enum sim_token sim_login_check(const struct sim_login *l, struct slice authorization, int64_t now_s,
                               char client[static 80])
{
	client[0] = 0;
	size_t space = slice_find(authorization, ' ');
	struct slice word = slice_until(authorization, space);
	const char *wanted = l->options->scheme;
	if (!authorization.len)
		return SIM_TOKEN_MISSING;
	bool known = slice_equal_nocase(word, SLICE("Bearer")) || slice_equal_nocase(word, SLICE("MSOID"));
	if (space == authorization.len || !known ||
	    (wanted && strcmp(wanted, "any") != 0 && !slice_equal_nocase(word, slice_str(wanted))))
		return SIM_TOKEN_SCHEME;
	enum sim_token worth = token_problem(l, slice_from(authorization, space + 1), now_s, client);
	if (worth != SIM_TOKEN_GOOD)
		client[0] = 0;
	return worth;
}
