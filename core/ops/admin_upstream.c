/* upstream credential: what proves the tenant to the cloud, without ever showing it. */
#include "core/base/log.h"
#include "core/cloud/credential.h"
#include "core/cloud/oauth.h"
#include "core/cloud/probe.h"
#include "core/cloud/secret.h"
#include "core/cloud/secret_key.h"
#include "core/crypto/crypto.h"
#include "core/ops/admin_call.h"
#include "core/ops/audit.h"
#include "core/relay/authlist_sync.h"
#include "store/authlist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct setting_call { /* of set and rotate: what is to be the secret */
	size_t index;
	struct secret secret;
	struct oauth_trial *trial;
	struct probe *probe;
};

static struct credentials *all_of(const struct admin_call *c)
{
	return c->source->credentials;
}

/* ---- show ---- */

/* By which credential an entry of the list speaks; credential_count: none. */
static size_t credential_of(const struct settings *s, const struct authlist_entry *e)
{
	size_t found = s->credential_count;
	for (size_t i = 0; i < s->credential_count; i++) {
		const struct credential_settings *c = &s->credentials[i];
		for (size_t k = 0; !e->object.principal && k < c->entry_count; k++)
			if (sid_compare(&c->entries[k], &e->object.sid) == 0)
				return i;
		if (c->roles & 1u << e->role)
			found = i;
	}
	return found;
}

static size_t entries_of(const struct admin_call *c, size_t index)
{
	const struct authlist *list = c->source->list ? authlist_sync_current(c->source->list) : NULL;
	const struct authlist_rows *rows = list ? authlist_rows_of(list) : NULL;
	size_t count = 0;
	for (size_t i = 0; rows && i < rows->entry_count; i++)
		count += credential_of(c->source->settings, &rows->entries[i]) == index;
	return count;
}

static json_t *roles_json(const struct credential_settings *c)
{
	char text[64] = "";
	for (unsigned role = 0; role < AUTHLIST_ROLE_COUNT; role++)
		if (c->roles & 1u << role) {
			size_t n = strlen(text);
			snprintf(text + n, sizeof(text) - n, "%s%s", n ? ", " : "", authlist_role_word(role));
		}
	return text[0] ? json_string(text) : json_null();
}

/* "sealed", "plain", "none needed" or "not usable": as it is in its file now. */
static const char *stored(const struct admin_call *c, const struct credential_settings *credential)
{
	struct secret_place place = secret_place(c->source->settings, credential);
	struct secret s;
	if (!place.member)
		return "none needed";
	if (secret_read(&place, &s).code)
		return "not usable";
	bool sealed = s.sealed;
	secret_done(&s);
	return sealed ? "sealed" : "plain";
}

void admin_run_upstream_credential_show(struct admin_call *c)
{
	json_t *o = json_object(), *rows = json_array();
	for (size_t i = 0; i < c->source->settings->credential_count; i++) {
		struct credential_state s = credentials_state(all_of(c), i);
		size_t entries = entries_of(c, i);
		json_t *row = json_object();
		admin_set(row, "name", admin_string(s.settings->name));
		admin_set(row, "kind", json_string(credential_kind_word(s.settings->kind)));
		admin_set(row, "roles", roles_json(s.settings));
		admin_set(row, "entries", json_integer((json_int_t)entries));
		admin_set(row, "ready", json_boolean(s.ready));
		admin_set(row, "secret", json_string(stored(c, s.settings)));
		admin_set(row, "token_ends", admin_time(s.token_ends_s));
		admin_set(row, "certificate_ends", admin_time(s.ends_s));
		admin_set(row, "problem", s.problem ? admin_string(s.problem) : json_null());
		json_array_append_new(rows, row);
		if (s.problem)
			admin_say(c, "%s: %s", s.settings->name, s.problem);
		if (entries > 1)
			admin_say(
			        c,
			        "%zu entries of the list speak by %s: they share its certificates, and each owns what "
			        "the others protect",
			        entries, s.settings->name);
	}
	if (!c->source->settings->credential_count)
		admin_say(
		        c,
		        "there is no credential: the list credentials: of the configuration is empty, so every caller "
		        "is deferred");
	admin_set(o, "credentials", rows);
	admin_done(c, o);
}

/* ---- set and rotate ---- */

static void drop(void *own)
{
	struct setting_call *s = own;
	oauth_trial_cancel(s->trial);
	probe_cancel(s->probe);
	secret_done(&s->secret);
	free(s);
}

static void stop(struct admin_call *c)
{
	struct setting_call *s = c->own;
	oauth_trial_cancel(s->trial);
	probe_cancel(s->probe);
	s->trial = NULL;
	s->probe = NULL;
}

/* The argument as bytes, and no trace of it where it came from. false: the call has ended. */
static bool read_secret(struct admin_call *c, struct setting_call *s)
{
	json_t *given = json_object_get(c->arguments, "secret");
	struct slice text = slice_of(json_string_value(given), json_string_length(given));
	/* What secret_done() wipes. */
	s->secret.bytes = text.len <= 2 * SECRET_BYTES_MAX ? calloc(1, SECRET_ROOM) : NULL;
	bool good =
	        s->secret.bytes && crypto_base64_decode(text, (uint8_t *)s->secret.bytes, SECRET_ROOM, &s->secret.len);
	explicit_bzero((char *)(size_t)text.at, text.len);
	struct secret *x = &s->secret;
	if (good && x->len && x->bytes[x->len - 1] == '\n')
		x->len--;
	if (good && x->len && x->bytes[x->len - 1] == '\r')
		x->len--;
	if (good && x->len && x->len <= SECRET_BYTES_MAX)
		return true;
	admin_fail(c, EX_DATAERR, "", "a secret has 1 to %d bytes", SECRET_BYTES_MAX);
	return false;
}

/* What is meant, and that it can be done at all. false: the call has ended. */
static bool begin(struct admin_call *c)
{
	const struct settings *settings = c->source->settings;
	const char *name = admin_text(c, "name");
	struct setting_call *s = calloc(1, sizeof(*s));
	c->own = s;
	c->own_done = s ? drop : NULL;
	if (!s) {
		admin_done(c, NULL);
		return false;
	}
	if (!credentials_find(all_of(c), name, &s->index)) {
		admin_fail(c, EX_DATAERR, "rms-connectorctl upstream credential show has their names",
		           "no credential of the configuration is called %s", name);
		return false;
	}
	const struct credential_settings *credential = &settings->credentials[s->index];
	if (!secret_place(settings, credential).member) {
		admin_fail(c, EX_DATAERR, "", "%s is of the kind %s, which has no secret", name,
		           credential_kind_word(credential->kind));
		return false;
	}
	if (!admin_text(c, "secret")) {
		admin_fail(c, EX_USAGE, "", "the secret is missing");
		return false;
	}
	if (!read_secret(c, s))
		return false;
	struct err failed = credentials_check(all_of(c), s->index, secret_slice(&s->secret));
	if (failed.code)
		admin_fail(c, EX_DATAERR, "nothing was changed", "%s", err_text(failed));
	return !failed.code;
}

/* Written down before it is done. */
static void set_now(struct admin_call *c)
{
	struct setting_call *s = c->own;
	const struct settings *settings = c->source->settings;
	const struct credential_settings *credential = &settings->credentials[s->index];
	struct secret_place place = secret_place(settings, credential);
	char key[SECRET_KEY_PATH_BYTES];
	bool made = false;
	if (!c->audit) {
		admin_fail(c, EX_CANTCREAT, "set node.state_directory, and restart the node",
		           "there is no record of changes, so nothing is changed: %s", c->audit_problem);
		return;
	}
	json_t *what = json_object();
	admin_set(what, "credential", admin_string(credential->name));
	admin_set(what, "file", admin_string(place.path));
	struct err failed = audit_append(c->audit, &c->peer, admin_row(c->command)->name, NULL, what);
	json_decref(what);
	if (failed.code) {
		admin_fail(c, EX_CANTCREAT, "nothing was changed",
		           "this cannot be written into the record of changes: %s", err_text(failed));
		return;
	}
	failed = credentials_set(all_of(c), s->index, secret_slice(&s->secret), &made);
	if (failed.code) {
		admin_fail(c, EX_IOERR,
		           "the node must be able to write that file's directory: one below node.state_directory "
		           "is good",
		           "%s", err_text(failed));
		return;
	}
	admin_say(c, "the secret of %s is sealed in %s%s", credential->name, place.path,
	          credential->kind == CREDENTIAL_MTLS
	                  ? "; restart the node to use it: its TLS connections are made with "
	                    "the key that was there at the start"
	                  : ", and in use from now on");
	if (made && secret_key_path(settings, key))
		admin_say(
		        c,
		        "The key for it was made: %s. It protects backups and copied disks that do not hold this file, "
		        "and does not protect this machine; docs/credentials.md has better ones.",
		        key);
	json_t *o = json_object();
	admin_set(o, "name", admin_string(credential->name));
	admin_set(o, "file", admin_string(place.path));
	admin_set(o, "key_made", json_boolean(made));
	admin_done(c, o);
}

void admin_run_upstream_credential_set(struct admin_call *c)
{
	if (begin(c))
		set_now(c);
}

static void on_trial(void *context, const struct token_answer *a)
{
	struct admin_call *c = context;
	((struct setting_call *)c->own)->trial = NULL;
	if (a->outcome == TOKEN_GOOD && admin_is_heard(c))
		set_now(c);
	else
		admin_fail(c, a->outcome == TOKEN_WAIT ? EX_TEMPFAIL : EX_DATAERR,
		           "nothing was changed; upstream credential set takes it without a trial",
		           "the login service gives no token for this secret: %s", a->advice);
}

static void on_probed(void *context, const struct probe_result *r)
{
	struct admin_call *c = context;
	((struct setting_call *)c->own)->probe = NULL;
	if (r->good && admin_is_heard(c))
		set_now(c);
	else
		admin_fail(c, r->status ? EX_DATAERR : EX_TEMPFAIL,
		           "nothing was changed; upstream credential set takes it without a trial", "%s", r->text);
}

void admin_run_upstream_credential_rotate(struct admin_call *c)
{
	if (!begin(c))
		return;
	struct setting_call *s = c->own;
	const struct credential_settings *credential = &c->source->settings->credentials[s->index];
	struct oauth *oauth = credentials_oauth(all_of(c), s->index);
	if (credential->kind == CREDENTIAL_STATIC) {
		struct err failed = probe_start(all_of(c)->loop, c->source->settings, credential,
		                                secret_slice(&s->secret), on_probed, c, &s->probe);
		if (failed.code)
			admin_fail(c, EX_OSERR, "nothing was changed", "%s", err_text(failed));
		else
			admin_wait(c, stop);
		return;
	}
	if (credential->kind != CREDENTIAL_OAUTH2_SECRET || !oauth) {
		admin_fail(
		        c, EX_DATAERR, "rms-connectorctl upstream credential set",
		        oauth || credential->kind != CREDENTIAL_OAUTH2_SECRET
		                ? "a key belongs to its certificate, so it cannot be tried alone: put the new pair's "
		                  "certificate into certificate_file, and set its key"
		                : "there is no secret yet, so there is nothing to rotate");
		return;
	}
	s->trial = oauth_try(oauth, &s->secret, on_trial, c);
	if (s->trial)
		admin_wait(c, stop);
	else
		admin_done(c, NULL);
}
