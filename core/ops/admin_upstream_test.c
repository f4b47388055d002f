/* upstream test: what works of the way to the cloud, stage by stage, for each credential. */
#include "core/cloud/credential.h"
#include "core/cloud/oauth.h"
#include "core/cloud/probe.h"
#include "core/cloud/secret.h"
#include "core/ops/admin_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
	size_t index, end; /* the one that is tested now; behind the last */
	struct oauth_trial *trial;
	struct probe *probe;
	json_t *stages;
	size_t failed;
};

static void next(struct admin_call *c);

static void drop(void *own)
{
	struct test *t = own;
	oauth_trial_cancel(t->trial);
	probe_cancel(t->probe);
	json_decref(t->stages);
	free(t);
}

static void stop(struct admin_call *c)
{
	struct test *t = c->own;
	oauth_trial_cancel(t->trial);
	probe_cancel(t->probe);
	t->trial = NULL;
	t->probe = NULL;
}

static void stage(struct admin_call *c, const char *name, bool good, const char *text)
{
	struct test *t = c->own;
	json_t *row = json_object();
	admin_set(row, "credential", admin_string(c->source->settings->credentials[t->index].name));
	admin_set(row, "stage", json_string(name));
	admin_set(row, "works", json_boolean(good));
	admin_set(row, "what", admin_string(text));
	json_array_append_new(t->stages, row);
	t->failed += !good;
}

static void failed_stage(struct admin_call *c, const char *name, const char *text)
{
	stage(c, name, false, text);
	((struct test *)c->own)->index++;
	next(c);
}

/* ---- the service ---- */

static void on_probed(void *context, const struct probe_result *r)
{
	struct admin_call *c = context;
	struct test *t = c->own;
	t->probe = NULL;
	stage(c, "service", r->good, r->text);
	t->index++;
	next(c);
}

static void ask_service(struct admin_call *c, struct slice authorization)
{
	struct test *t = c->own;
	const struct settings *s = c->source->settings;
	struct err failed = probe_start(c->source->credentials->loop, s, &s->credentials[t->index], authorization,
	                                on_probed, c, &t->probe);
	if (failed.code)
		failed_stage(c, "service", err_text(failed));
}

/* ---- the token ---- */

static void on_token(void *context, const struct token_answer *a)
{
	struct admin_call *c = context;
	struct test *t = c->own;
	const struct credential_settings *s = &c->source->settings->credentials[t->index];
	char text[128], line[TOKEN_BYTES_MAX + 128];
	t->trial = NULL;
	if (a->outcome != TOKEN_GOOD) {
		failed_stage(c, "token", a->advice);
		return;
	}
	snprintf(text, sizeof(text), "the login service gave a token for %u s", a->expires_in_s);
	stage(c, "token", true, text);
	int n = snprintf(line, sizeof(line), "%.64s %s", s->scheme ? s->scheme : "Bearer", a->token);
	ask_service(c, slice_of(line, (size_t)n));
	explicit_bzero(line, sizeof(line));
}

/* What a program printed is not asked for again: its last line is looked at. */
static void use_line(struct admin_call *c)
{
	static const char before[] = "Authorization: ";
	struct test *t = c->own;
	struct credential_state s = credentials_state(c->source->credentials, t->index);
	struct slice words = credentials_words(c->source->credentials, t->index);
	const char *at = memmem(words.at, words.len, before, sizeof(before) - 1);
	if (!s.ready || !at) {
		failed_stage(c, "token", s.problem ? s.problem : "the program has not been run yet");
		return;
	}
	stage(c, "token", true, "what the program printed is good");
	struct slice line = slice_from(words, (size_t)(at - words.at) + sizeof(before) - 1);
	ask_service(c, slice_until(line, slice_find(line, '\r')));
}

/* ---- one credential ---- */

static void begin(struct admin_call *c)
{
	struct test *t = c->own;
	const struct settings *settings = c->source->settings;
	struct secret_place place = secret_place(settings, &settings->credentials[t->index]);
	struct secret s = {0};
	struct err failed = place.member ? secret_read(&place, &s) : OK;
	char text[512];
	if (failed.code) {
		failed_stage(c, "secret", err_text(failed));
		return;
	}
	snprintf(text, sizeof(text), "%.400s is %s", place.member ? place.path : "none",
	         s.sealed ? "sealed, and could be opened" : "plain");
	stage(c, "secret", true, place.member ? text : "this kind has none");
	struct oauth *oauth = credentials_oauth(c->source->credentials, t->index);
	enum credential_kind kind = settings->credentials[t->index].kind;
	if (kind == CREDENTIAL_EXEC) {
		use_line(c);
		return;
	}
	if (oauth && !(t->trial = oauth_try(oauth, NULL, on_token, c)))
		failed_stage(c, "token", "the node is out of memory");
	else if (!oauth && kind != CREDENTIAL_STATIC && kind != CREDENTIAL_MTLS && kind != CREDENTIAL_NONE)
		failed_stage(c, "token", "the node has not taken this secret yet: send it SIGHUP");
	else if (!oauth)
		ask_service(c, kind == CREDENTIAL_STATIC ? secret_slice(&s) : SLICE(""));
	secret_done(&s);
}

static void next(struct admin_call *c)
{
	struct test *t = c->own;
	if (t->index < t->end) {
		begin(c);
		return;
	}
	const json_t *row;
	size_t i;
	if (t->failed == 0) {
		json_t *o = json_object();
		admin_say(c, "every stage works");
		admin_set(o, "stages", json_incref(t->stages));
		admin_done(c, o);
		return;
	}
	json_array_foreach(t->stages, i, row)
	{
		admin_say(c, "%s, %s: %s: %s", json_string_value(json_object_get(row, "credential")),
		          json_string_value(json_object_get(row, "stage")),
		          json_is_true(json_object_get(row, "works")) ? "works" : "DOES NOT WORK",
		          json_string_value(json_object_get(row, "what")));
	}
	admin_fail(c, EX_UNAVAILABLE, "", "%zu stage%s not work", t->failed, t->failed == 1 ? " does" : "s do");
}

void admin_run_upstream_test(struct admin_call *c)
{
	const char *name = admin_text(c, "name");
	struct test *t = calloc(1, sizeof(*t));
	c->own = t;
	c->own_done = t ? drop : NULL;
	if (!t) {
		admin_done(c, NULL);
		return;
	}
	t->stages = json_array();
	t->end = c->source->settings->credential_count;
	if (name && !credentials_find(c->source->credentials, name, &t->index)) {
		admin_fail(c, EX_DATAERR, "rms-connectorctl upstream credential show has their names",
		           "no credential of the configuration is called %s", name);
		return;
	}
	if (name)
		t->end = t->index + 1;
	/* Armed first: the last stage may end the call at once. */
	admin_wait(c, stop);
	next(c);
}
