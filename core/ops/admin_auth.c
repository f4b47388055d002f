/* auth status: how rms-connector-authd is, with what it proves callers, and what keeps it from that. */
#include "core/ops/admin_ask.h"

#include "proto/authd_msg.h"

#include <stdio.h>
#include <string.h>

static const char *const questions[] = {"status", "keytab", "directory", "ntlm"};

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void add_problem(json_t *problems, const char *about, json_t *problem, json_t *mend)
{
	json_t *o = json_object();
	admin_set(o, "about", admin_string(about));
	admin_set(o, "problem", problem ? json_incref(problem) : json_null());
	admin_set(o, "mend", mend ? json_incref(mend) : json_string(""));
	json_array_append_new(problems, o);
}

/* An array of {"problem" (or "what"), "mend"}. */
static void add_problems(json_t *problems, const char *about, const json_t *said)
{
	size_t i;
	json_t *one;
	json_array_foreach(said, i, one)
	{
		json_t *what = json_object_get(one, "problem");
		add_problem(problems, about, what ? what : json_object_get(one, "what"), json_object_get(one, "mend"));
	}
}

static json_t *keys_json(const json_t *keytab)
{
	size_t i;
	json_t *k, *all = json_array();
	json_array_foreach(json_object_get(keytab, "keys"), i, k)
	{
		json_t *o = json_object();
		admin_set(o, "principal", json_incref(json_object_get(k, "principal")));
		admin_set(o, "kvno", json_incref(json_object_get(k, "kvno")));
		admin_set(o, "enctype", json_incref(json_object_get(k, "enctype")));
		admin_set(o, "weak", json_incref(json_object_get(k, "weak")));
		admin_set(o, "made", admin_time(number(k, "made_s")));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *realm_json(const char *realm, const char *directory)
{
	json_t *o = json_object();
	admin_set(o, "realm", admin_string(realm));
	admin_set(o, "directory", json_string(directory));
	admin_set(o, "domain", json_null());
	admin_set(o, "controller", json_null());
	admin_set(o, "took_ms", json_null());
	return o;
}

static void copy(json_t *to, const char *key, const json_t *from, const char *from_key)
{
	json_t *value = json_object_get(from, from_key);
	if (value)
		admin_set(to, key, json_incref(value));
}

static json_t *realms_json(const struct settings *s, const json_t *directory, json_t *problems)
{
	size_t i;
	json_t *d, *all = json_array();
	json_array_foreach(json_object_get(directory, "domains"), i, d)
	{
		const char *realm = json_string_value(json_object_get(d, "realm"));
		bool reached = json_is_true(json_object_get(d, "reachable"));
		json_t *o = realm_json(realm, reached ? "reached" : "NOT REACHED");
		copy(o, "domain", d, "netbios");
		copy(o, "controller", d, "controller");
		copy(o, "took_ms", d, "took_ms");
		json_array_append_new(all, o);
		if (!reached)
			add_problem(problems, realm, json_object_get(d, "error"), json_object_get(d, "mend"));
	}
	for (i = 0; i < s->realm_count; i++)
		if (!s->realms[i].directory)
			json_array_append_new(all, realm_json(s->realms[i].name, "none"));
	return all;
}

static json_t *refused_json(const json_t *status, json_int_t *sum)
{
	const char *reason;
	json_t *count, *all = json_array();
	*sum = 0;
	json_object_foreach(json_object_get(status, "refused"), reason, count)
	{
		json_t *o = json_object();
		admin_set(o, "reason", json_string(reason));
		admin_set(o, "count", json_incref(count));
		*sum += json_integer_value(count);
		for (unsigned i = 0; i < AUTHD_REASON_COUNT; i++)
			if (strcmp(authd_reason_row(i)->name, reason) == 0)
				admin_set(o, "means", json_string(authd_reason_row(i)->text));
		json_array_append_new(all, o);
	}
	return all;
}

static void end(struct admin_call *c)
{
	const json_t *status = json_object_get(c->kept, "status"), *keytab = json_object_get(c->kept, "keytab");
	const json_t *directory = json_object_get(c->kept, "directory"), *ntlm = json_object_get(c->kept, "ntlm");
	json_t *problems = json_array(), *o = json_object();
	json_int_t refused;
	for (size_t i = 0; i < ARRAY_COUNT(questions); i++) {
		const json_t *answer = json_object_get(c->kept, questions[i]);
		if (!admin_told_well(answer))
			add_problem(problems, questions[i], json_object_get(answer, "error"),
			            json_object_get(answer, "mend"));
	}
	json_t *keys = keys_json(keytab), *why = refused_json(status, &refused);
	const char *keytab_state = json_string_value(json_object_get(keytab, "state"));
	bool on = json_is_true(json_object_get(ntlm, "on")), ready = json_is_true(json_object_get(ntlm, "ready"));
	admin_set(o, "version", json_incref(json_object_get(status, "version")));
	admin_set(o, "running_s", json_integer(number(status, "running_s")));
	admin_set(o, "socket", admin_string(c->source->settings->auth_socket));
	admin_set(o, "accepted", json_integer(number(status, "accepted")));
	admin_set(o, "keytab", admin_string(json_string_value(json_object_get(keytab, "path"))));
	admin_set(o, "keytab_state", admin_string(keytab_state));
	admin_set(o, "keytab_read", admin_time(number(keytab, "read_s")));
	admin_set(o, "ntlm", json_string(!on ? "off" : ready ? "on" : "not ready"));
	admin_say(
	        c,
	        "rms-connector-authd answers: version %s, running for %lld s; it proved %lld callers and refused %lld.",
	        json_string_value(json_object_get(status, "version")), (long long)number(status, "running_s"),
	        (long long)number(status, "accepted"), (long long)refused);
	admin_say(c, "The keytab is %s, with %zu key%s. NTLM is %s.", keytab_state ? keytab_state : "not known",
	          json_array_size(keys), json_array_size(keys) == 1 ? "" : "s",
	          !on     ? "off"
	          : ready ? "on"
	                  : "on, but not ready");
	add_problems(problems, "keytab", json_object_get(keytab, "problems"));
	if (on)
		add_problems(problems, "ntlm", json_object_get(ntlm, "missing"));
	admin_set(o, "keys", keys);
	admin_set(o, "realms", realms_json(c->source->settings, directory, problems));
	admin_set(o, "refused", why);
	admin_set(o, "problems", problems);
	admin_done(c, o);
}

static void ask_next(struct admin_call *c);

static void on_told(struct admin_call *c, const json_t *answer)
{
	size_t at = json_object_size(c->kept);
	if (at == 0 && !admin_told_well(answer)) {
		admin_fail_told(c, answer, "nobody can be authenticated");
		return;
	}
	admin_set(c->kept, questions[at], json_incref((json_t *)(uintptr_t)answer));
	ask_next(c);
}

static void ask_next(struct admin_call *c)
{
	size_t at = json_object_size(c->kept);
	if (at < ARRAY_COUNT(questions))
		admin_ask(c, admin_question(questions[at], NULL, NULL), on_told);
	else
		end(c);
}

void admin_run_auth_status(struct admin_call *c)
{
	c->kept = json_object();
	ask_next(c);
}
