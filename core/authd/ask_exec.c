/* exec: what a program of the configuration prints. The node names a credential; which program that is, only authd's own configuration says. */
#include "core/authd/ask.h"
#include "core/authd/exec.h"

#include <stdlib.h>

json_t *ask_exec(struct authd *a, const json_t *question)
{
	const char *name = ask_text(question, "credential");
	const struct credential_settings *found = NULL;
	for (size_t i = 0; name && i < a->settings->credential_count; i++) {
		const struct credential_settings *c = &a->settings->credentials[i];
		if (c->kind == CREDENTIAL_EXEC && strcmp(c->name, name) == 0)
			found = c;
	}
	if (!found)
		return ask_failed(
		        "the configuration of rms-connector-authd has no credential of the kind exec with that name",
		        "let both programs read one configuration, and restart rms-connector-authd");
	struct exec_answer *e = malloc(sizeof(*e));
	if (!e)
		return ask_failed("there is not enough memory", "ask again");
	exec_run(found->program, EXEC_TIME_MS, e);
	json_t *answer = e->problem[0] ? ask_failed(e->problem, "mend the program")
	                               : json_pack("{s:b, s:s, s:I}", "ok", 1, "header", e->header, "expires",
	                                           (json_int_t)e->expires_s);
	explicit_bzero(e, sizeof(*e));
	free(e);
	return answer;
}
