/* auth keytab ..., auth ntlm status: what rms-connector-authd knows and does about its keys. The node asks it and shows the answer; keys and passwords pass
 * through to authd and are kept nowhere here. */
#include "core/ops/admin_call.h"
#include "core/ops/audit.h"
#include "core/relay/authd_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 15000, CHECK_MS = 90000, CHANGE_MS = 110000 };

/* ---- asking ---- */

/* What a command makes of a good answer; ends the call. */
typedef void shown(struct admin_call *c, const json_t *answer);

static const char *text_in(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "";
}

static long long number_in(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static void on_told(void *data, const json_t *answer, struct err why)
{
	struct admin_call *c = data;
	shown **then = c->own;
	if (!answer)
		admin_fail(c, EX_UNAVAILABLE,
		           "see whether rms-connector-authd runs: systemctl status rms-connector-authd", "%s",
		           err_text(why));
	else if (!json_is_true(json_object_get(answer, "ok")))
		admin_fail(c, EX_DATAERR, text_in(answer, "mend"), "%s", text_in(answer, "error"));
	else
		(*then)(c, answer);
}

static void stop(struct admin_call *c)
{
	authd_ask_cancel(c->source->authd, c);
}

/* question: taken. */
static void ask(struct admin_call *c, json_t *question, msec_t timeout_ms, shown *then)
{
	if (!c->source->authd) {
		json_decref(question);
		admin_fail(c, EX_CONFIG, "set auth.socket", "this node asks no rms-connector-authd");
		return;
	}
	shown **kept = malloc(sizeof(*kept));
	if (!kept) {
		json_decref(question);
		admin_done(c, NULL);
		return;
	}
	*kept = then;
	c->own = kept;
	c->own_done = free;
	if (authd_ask_put(c->source->authd, question, timeout_ms, on_told, c))
		admin_wait(c, stop);
	else
		admin_fail(c, EX_TEMPFAIL, "ask again in a moment", "too many questions are open");
}

/* Written down before it is done, without anything secret. what: taken. false: the call has ended. */
static bool write_down(struct admin_call *c, json_t *what)
{
	bool written = false;
	if (c->audit) {
		struct err e = audit_append(c->audit, &c->peer, admin_row(c->command)->name, NULL, what);
		written = !e.code;
		if (!written)
			admin_fail(c, EX_CANTCREAT, "nothing was changed",
			           "this cannot be written into the record of changes: %s", err_text(e));
	} else {
		admin_fail(c, EX_CONFIG,
		           "set node.state_directory to a directory that the node may write, and restart it",
		           "there is no record of changes, so nothing is changed: %s", c->audit_problem);
	}
	json_decref(what);
	return written;
}

/* Each as a sentence, and what to do about it as the next. */
static json_t *say_problems(struct admin_call *c, const json_t *rows, const char *key)
{
	const json_t *row;
	size_t i;
	json_array_foreach(rows, i, row)
	{
		admin_say(c, "%s: %s", strcmp(key, "what") ? key : "missing", text_in(row, key));
		if (*text_in(row, "mend"))
			admin_say(c, "  to mend it: %s", text_in(row, "mend"));
	}
	return json_integer((json_int_t)json_array_size(rows));
}

/* ---- show ---- */

static void show(struct admin_call *c, const json_t *answer)
{
	json_t *o = json_object(), *keys = json_array();
	const json_t *row;
	size_t i;
	json_array_foreach(json_object_get(answer, "keys"), i, row)
	{
		json_t *k = json_object();
		admin_set(k, "principal", admin_string(text_in(row, "principal")));
		admin_set(k, "kvno", json_integer(number_in(row, "kvno")));
		admin_set(k, "enctype", admin_string(text_in(row, "enctype")));
		admin_set(k, "weak", json_boolean(json_is_true(json_object_get(row, "weak"))));
		admin_set(k, "made", admin_time(number_in(row, "made_s")));
		json_array_append_new(keys, k);
	}
	admin_set(o, "path", admin_string(text_in(answer, "path")));
	admin_set(o, "state", admin_string(text_in(answer, "state")));
	admin_set(o, "read", admin_time(number_in(answer, "read_s")));
	admin_set(o, "problems", say_problems(c, json_object_get(answer, "problems"), "problem"));
	admin_set(o, "keys", keys);
	admin_done(c, o);
}

void admin_run_auth_keytab_show(struct admin_call *c)
{
	ask(c, json_pack("{s:s}", "ask", "keytab"), LOOK_MS, show);
}

/* ---- check ---- */

/* "3: aes256-cts-hmac-sha1-96, aes128-cts-hmac-sha1-96; 2: ..." */
static json_t *versions(const json_t *keys)
{
	char text[512] = "";
	size_t at = 0, i;
	long long last = -1;
	const json_t *row;
	json_array_foreach(keys, i, row)
	{
		long long kvno = number_in(row, "kvno");
		int n = kvno == last ? snprintf(text + at, sizeof(text) - at, ", %s", text_in(row, "enctype"))
		                     : snprintf(text + at, sizeof(text) - at, "%s%lld: %s", i ? "; " : "", kvno,
		                                text_in(row, "enctype"));
		if (n < 0 || (size_t)n >= sizeof(text) - at)
			break;
		at += (size_t)n;
		last = kvno;
	}
	return json_stringn(text, at);
}

static json_t *owners(const json_t *names)
{
	char text[512] = "";
	size_t at = 0, i;
	const json_t *name;
	json_array_foreach(names, i, name)
	{
		int n = snprintf(text + at, sizeof(text) - at, "%s%s", i ? ", " : "",
		                 json_string_value(name) ? json_string_value(name) : "");
		if (n < 0 || (size_t)n >= sizeof(text) - at)
			break;
		at += (size_t)n;
	}
	return at ? json_stringn(text, at) : json_null();
}

static void show_check(struct admin_call *c, const json_t *answer)
{
	json_t *o = json_object(), *all = json_array(), *skew = json_object_get(answer, "skew_s");
	const json_t *row;
	size_t i, problems = json_array_size(json_object_get(answer, "problems"));
	json_array_foreach(json_object_get(answer, "principals"), i, row)
	{
		json_t *p = json_object(), *kvno = json_object_get(row, "kdc_kvno");
		admin_set(p, "principal", admin_string(text_in(row, "principal")));
		admin_set(p, "keytab", versions(json_object_get(row, "keys")));
		admin_set(p, "kdc", json_object_get(row, "kdc") ? admin_string(text_in(row, "kdc")) : json_null());
		admin_set(p, "kdc_kvno", kvno ? json_incref(kvno) : json_null());
		admin_set(p, "owners", owners(json_object_get(row, "owners")));
		json_array_append_new(all, p);
	}
	if (!problems)
		admin_say(c, "the domain agrees with the keytab");
	admin_set(o, "path", admin_string(text_in(answer, "path")));
	admin_set(o, "clock_s", json_is_integer(skew) ? json_incref(skew) : json_null());
	admin_set(o, "problems", say_problems(c, json_object_get(answer, "problems"), "problem"));
	admin_set(o, "principals", all);
	admin_done(c, o);
}

void admin_run_auth_keytab_check(struct admin_call *c)
{
	json_t *names = json_array();
	for (const char *at = admin_text(c, "names"); at && *at;) {
		size_t n = strcspn(at, ", ");
		if (n)
			json_array_append_new(names, json_stringn(at, n));
		at += n + (at[n] != 0);
	}
	ask(c, json_pack("{s:s, s:o}", "ask", "keytab_check", "names", names), CHECK_MS, show_check);
}

/* ---- import ---- */

static void show_import(struct admin_call *c, const json_t *answer)
{
	static const char *const numbers[] = {"added", "same", "conflicts", "gone", "keys"};
	json_t *o = json_object();
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
		admin_set(o, numbers[i], json_integer(number_in(answer, numbers[i])));
	admin_say(c, "%lld keys are new, %lld are taken out; the keytab holds %lld, and they are in use",
	          number_in(answer, "added"), number_in(answer, "gone"), number_in(answer, "keys"));
	if (number_in(answer, "conflicts"))
		admin_say(c,
		          "%lld of them have the name, version and kind of an older one and another password; both are "
		          "kept, auth keytab check tells "
		          "which one the domain uses",
		          number_in(answer, "conflicts"));
	admin_done(c, o);
}

void admin_run_auth_keytab_import(struct admin_call *c)
{
	bool keep = admin_flag(c, "keep_old");
	if (!write_down(c, json_pack("{s:b}", "keep_old", (int)keep)))
		return;
	ask(c,
	    json_pack("{s:s, s:O, s:b}", "ask", "keytab_import", "keytab", json_object_get(c->arguments, "keytab"),
	              "keep_old", (int)keep),
	    CHECK_MS, show_import);
}

/* ---- rotate ---- */

static json_t *step_result(const json_t *answer, const char *step)
{
	json_t *o = json_object(), *next = json_object_get(answer, "next_kvno"),
	       *kvno = json_object_get(answer, "kvno");
	admin_set(o, "step", json_string(step));
	admin_set(o, "account", admin_string(json_string_value(json_object_get(answer, "account"))));
	admin_set(o, "service", admin_string(json_string_value(json_object_get(answer, "service"))));
	admin_set(o, "kvno", kvno ? json_incref(kvno) : json_null());
	admin_set(o, "next_kvno", next ? json_incref(next) : json_null());
	admin_set(o, "fingerprint", admin_string(json_string_value(json_object_get(answer, "fingerprint"))));
	return o;
}

static void show_prepare(struct admin_call *c, const json_t *answer)
{
	admin_say(c,
	          "the keys of the next password of %s (kvno %lld) are in %s, beside those of kvno %lld; for callers "
	          "nothing has changed",
	          text_in(answer, "account"), number_in(answer, "next_kvno"), text_in(answer, "path"),
	          number_in(answer, "kvno"));
	admin_say(c, "on every other node: copy that file there, as secret as it is here, and: rms-connectorctl auth "
	             "keytab import COPY --keep-old");
	admin_say(c, "then on every node, this one too: rms-connectorctl auth keytab rotate --verify --fingerprint %s",
	          text_in(answer, "fingerprint"));
	admin_say(c, "at last, only here: rms-connectorctl auth keytab rotate --switch");
	admin_done(c, step_result(answer, "prepare"));
}

static void show_verify(struct admin_call *c, const json_t *answer)
{
	long long kvno = number_in(answer, "kvno"), next = number_in(answer, "next_kvno");
	if (kvno == next)
		admin_say(c, "the domain uses the new key (kvno %lld) already, and it is here", kvno);
	else
		admin_say(c,
		          "both are here: kvno %lld, which the domain uses, and kvno %lld, whose fingerprint must be "
		          "the same on every node",
		          kvno, next);
	if (!admin_text(c, "fingerprint"))
		admin_say(c, "compare it with what --prepare said, or give that with --fingerprint");
	admin_done(c, step_result(answer, "verify"));
}

static void show_switch(struct admin_call *c, const json_t *answer)
{
	admin_say(c, "%s has its new password, and a fresh ticket was made with kvno %lld, which is in the keytab",
	          text_in(answer, "account"), number_in(answer, "kvno"));
	admin_say(c, "leave the old keys in it until the tickets that callers have now have ended: 10 hours, unless "
	             "the domain says otherwise");
	admin_done(c, step_result(answer, "switch"));
}

static void show_abandon(struct admin_call *c, const json_t *answer)
{
	admin_say(c,
	          "the prepared password is thrown away; %lld keys were taken out of the keytab here, other nodes keep "
	          "theirs, which do no harm",
	          number_in(answer, "gone"));
	admin_done(c, step_result(answer, "abandon"));
}

static const struct step {
	const char *flag, *ask;
	bool changes;
	shown *then;
} steps[] = {{"prepare", "keytab_prepare", true, show_prepare},
             {"verify", "keytab_verify", false, show_verify},
             {"switch", "keytab_switch", true, show_switch},
             {"abandon", "keytab_abandon", true, show_abandon}};

static const struct step *the_step(struct admin_call *c)
{
	const struct step *found = NULL;
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_COUNT(steps); i++)
		if (admin_flag(c, steps[i].flag)) {
			found = &steps[i];
			count++;
		}
	if (count == 1)
		return found;
	admin_fail(c, EX_USAGE, "begin with --prepare; docs/keytabs.md tells the whole way",
	           "which step: --prepare, --verify, --switch or --abandon?");
	return NULL;
}

void admin_run_auth_keytab_rotate(struct admin_call *c)
{
	static const char *const passed[] = {"service", "fingerprint", "admin"};
	const struct step *step = the_step(c);
	if (!step)
		return;
	const char *file = admin_text(c, "password_file");
	if ((!file) != (!admin_text(c, "admin"))) {
		admin_fail(c, EX_USAGE, "the password is the first line of a file; - reads standard input",
		           "--admin and --password-file go together");
		return;
	}
	json_t *question = json_pack("{s:s, s:b}", "ask", step->ask, "force", (int)admin_flag(c, "force"));
	json_t *written = json_pack("{s:s, s:b}", "step", step->flag, "force", (int)admin_flag(c, "force"));
	for (size_t i = 0; i < ARRAY_COUNT(passed); i++)
		if (admin_text(c, passed[i])) {
			admin_set(question, passed[i], json_string(admin_text(c, passed[i])));
			admin_set(written, passed[i], json_string(admin_text(c, passed[i])));
		}
	if (file)
		admin_set(question, "password", json_stringn(file, strcspn(file, "\r\n")));
	if (!step->changes)
		json_decref(written);
	else if (!write_down(c, written)) {
		json_decref(question);
		return;
	}
	ask(c, question, CHANGE_MS, step->then);
}

/* ---- NTLM ---- */

static void show_ntlm(struct admin_call *c, const json_t *answer)
{
	json_t *o = json_object();
	bool on = json_is_true(json_object_get(answer, "on")), ready = json_is_true(json_object_get(answer, "ready"));
	admin_say(c,
	          !on ? "NTLM is off: callers without a Kerberos ticket are refused (auth.ntlm: winbind lets them in)"
	          : ready ? "NTLM is on, and this node can check it"
	                  : "NTLM is on, and this node cannot check it");
	admin_set(o, "on", json_boolean(on));
	admin_set(o, "ready", json_boolean(ready));
	admin_set(o, "missing", say_problems(c, json_object_get(answer, "missing"), "what"));
	admin_done(c, o);
}

void admin_run_auth_ntlm_status(struct admin_call *c)
{
	ask(c, json_pack("{s:s}", "ask", "ntlm"), LOOK_MS, show_ntlm);
}
