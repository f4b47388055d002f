#include "core/ops/admin_ask.h"

#include "core/relay/authd_ask.h"

#include <string.h>

json_t *admin_question(const char *name, const char *key, const char *value)
{
	json_t *o = json_object();
	admin_set(o, "ask", json_string(name));
	if (key)
		admin_set(o, key, admin_string(value));
	return o;
}

bool admin_told_well(const json_t *answer)
{
	return json_is_true(json_object_get(answer, "ok"));
}

static const char *member(const json_t *answer, const char *key)
{
	const char *text = json_string_value(json_object_get(answer, key));
	return text ? text : "";
}

const char *admin_told_error(const json_t *answer)
{
	const char *error = member(answer, "error");
	return *error ? error : "rms-connector-authd did not say why";
}

void admin_fail_told(struct admin_call *c, const json_t *answer, const char *before)
{
	const char *code = member(answer, "code");
	bool theirs =
	        strcmp(code, "malformed") == 0 || strcmp(code, "gone") == 0 || strcmp(code, "unknown-domain") == 0;
	admin_fail(c, theirs ? EX_DATAERR : EX_UNAVAILABLE, member(answer, "mend"), "%s: %s", before,
	           admin_told_error(answer));
}

/* ---- asking ---- */

static void tell(struct admin_call *c, const json_t *answer)
{
	void (*told)(struct admin_call *, const json_t *) = c->told;
	c->told = NULL;
	told(c, answer);
}

static void tell_away(struct admin_call *c, const char *error, const char *mend)
{
	json_t *o = json_object();
	admin_set(o, "ok", json_false());
	admin_set(o, "code", json_string("away"));
	admin_set(o, "error", admin_string(error));
	admin_set(o, "mend", json_string(mend));
	tell(c, o);
	json_decref(o);
}

static void on_told(void *data, const json_t *answer, struct err why)
{
	if (answer)
		tell(data, answer);
	else
		tell_away(data, err_text(why),
		          "systemctl status rms-connector-authd; rms-connectorctl auth status says more");
}

static void stop_asking(struct admin_call *c)
{
	authd_ask_cancel(c->source->authd, c);
}

void admin_ask(struct admin_call *c, json_t *question, void (*told)(struct admin_call *c, const json_t *answer))
{
	c->told = told;
	if (!c->source->authd) {
		json_decref(question);
		tell_away(c, "this node asks no rms-connector-authd", "");
		return;
	}
	admin_wait(c, stop_asking);
	if (!authd_ask_put(c->source->authd, question, ADMIN_ASK_MS, on_told, c))
		tell_away(c, "too many questions to rms-connector-authd are open", "try again in a moment");
}
