#include "core/authd/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	ask_function *answer;
} rows[] = {
#define ASK(name, help) {#name, ask_##name},
#include "core/authd/asks.def"
#undef ASK
};

json_t *ask_failed(const char *what, const char *how)
{
	return json_pack("{s:b, s:s, s:s}", "ok", 0, "error", what, "mend", how);
}

json_t *ask_failed_with(const char *mend, const char *format, ...)
{
	char what[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	return ask_failed(what, mend);
}

const char *ask_text(const json_t *question, const char *name)
{
	return json_string_value(json_object_get(question, name));
}

static json_t *find_answer(struct authd *a, const json_t *question)
{
	const char *name = ask_text(question, "ask");
	for (size_t i = 0; name && i < ARRAY_COUNT(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].answer(a, question);
	return ask_failed("rms-connector-authd does not know this question",
	                  "let rms-connectord, rms-connectorctl and rms-connector-authd be of one version");
}

void ask_answer(struct authd *a, struct job *j)
{
	json_error_t error;
	struct slice text = j->msg.ask.text;
	json_t *question = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, &error);
	json_t *answer = question ? find_answer(a, question)
	                          : ask_failed("the question is not JSON", "this is a mistake in the node");
	char *dump = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	json_decref(question);
	json_decref(answer);
	if (dump && strlen(dump) > AUTHD_JSON_BYTES) {
		free(dump);
		dump = NULL;
	}
	j->told.text =
	        dump ? slice_str(dump)
	             : SLICE("{\"ok\":false,\"error\":\"the answer is too large, or there is not enough memory\","
	                     "\"mend\":\"ask for less\"}");
	if (dump && !arena_on_end(&j->arena, free, dump)) {
		free(dump);
		j->told.text = SLICE("{\"ok\":false,\"error\":\"there is not enough memory\",\"mend\":\"ask again\"}");
	}
}

json_t *ask_status(struct authd *a, const json_t *question)
{
	json_t *refused = json_object();
	for (unsigned i = AUTHD_NONE + 1; i < AUTHD_REASON_COUNT; i++)
		if (a->outcomes[i])
			json_object_set_new(refused, authd_reason_row((enum authd_reason)i)->name,
			                    json_integer((json_int_t)a->outcomes[i]));
	return json_pack("{s:b, s:s, s:I, s:i, s:i, s:b, s:b, s:I, s:o, s:I, s:I}", "ok", 1, "version", RMS_VERSION,
	                 "running_s", (json_int_t)((clock_wall() - a->started_wall) / 1000000), "threads",
	                 (int)a->settings->auth_threads, "queue", (int)a->settings->auth_queue, "kerberos",
	                 keytab_is_usable(&a->keytab), "ntlm", a->ntlm_step != NULL, "accepted",
	                 (json_int_t)a->outcomes[AUTHD_NONE], "refused", refused, "asked", (json_int_t)a->asked,
	                 "authenticators_remembered", (json_int_t)replay_count(&a->replay));
}
