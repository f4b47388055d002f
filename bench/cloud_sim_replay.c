#include "bench/cloud_sim_replay.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_BYTES = 512 };

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

/* NULL: this call was answered as it should be. */
static json_t *rule_of(const json_t *call)
{
	const char *outcome = text_of(call, "outcome"), *fault = text_of(call, "fault");
	if (strcmp(outcome, "good") == 0)
		return NULL;
	json_t *rule = json_pack("{s:{s:s, s:s, s:s}}", "match", "path", text_of(call, "path"), "op",
	                         text_of(call, "operation"), "authorization", text_of(call, "scheme"));
	json_int_t status = json_integer_value(json_object_get(call, "status"));
	if (!status) {
		json_object_set_new(rule, "do", json_string("rst"));
		json_object_set_new(rule, "at", json_integer(0));
		return rule;
	}
	json_object_set_new(rule, "status", json_integer(status));
	if (*fault) {
		char sentence[TEXT_BYTES + 1]; /* a space makes it one, which a script takes as it is */
		snprintf(sentence, sizeof sentence, "%.*s%s", TEXT_BYTES - 1, fault, strchr(fault, ' ') ? "" : " ");
		json_object_set_new(rule, "fault", json_string(sentence));
	}
	if (*text_of(call, "location"))
		json_object_set_new(rule, "location", json_string(text_of(call, "location")));
	if (*text_of(call, "challenge")) {
		char line[TEXT_BYTES];
		snprintf(line, sizeof line, "WWW-Authenticate: %s", text_of(call, "challenge"));
		json_object_set_new(rule, "headers", json_pack("[s]", line));
	}
	return rule;
}

static struct err wrong(const char *file, const char *what)
{
	static _Thread_local char text[512];
	snprintf(text, sizeof text, "%s: %s", file, what);
	return (struct err){.code = ERR_FILE, .what = text};
}

struct err sim_replay(struct sim_script *s, const struct sim_login *login, const char *file)
{
	char why[256];
	json_error_t problem;
	json_t *root = json_load_file(file, JSON_REJECT_DUPLICATES, &problem), *calls = json_object_get(root, "calls");
	if (!root)
		return wrong(file, problem.text);
	if (strcmp(text_of(root, "kind"), "upstream-proof") != 0 || !json_is_array(calls)) {
		json_decref(root);
		return wrong(file, "this is no transcript of rms-connectorctl upstream prove --out");
	}
	json_t *rules = json_array();
	json_int_t code = json_integer_value(json_object_get(json_object_get(root, "login"), "code"));
	if (code && login->path[0])
		json_array_append_new(rules, json_pack("{s:{s:s}, s:I}", "match", "path", login->path, "aadsts", code));
	for (size_t i = 0; i < json_array_size(calls); i++) {
		json_t *rule = rule_of(json_array_get(calls, i));
		if (rule)
			json_array_append_new(rules, rule);
	}
	json_t *script = json_pack("{s:o}", "rules", rules);
	char *text = json_dumps(script, JSON_COMPACT);
	CHECK(text);
	bool good = sim_script_load(s, slice_str(text), why);
	free(text);
	json_decref(script);
	json_decref(root);
	return good ? OK : wrong(file, why);
}
