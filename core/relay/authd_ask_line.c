#include "core/relay/authd_ask_line.h"

#include "core/relay/authd_ask.h"

#include <stdlib.h>

enum { LINE_MS = 20000 /* longer than the program may take */ };

struct line_asked {
	void (*told)(void *owner, size_t index, struct slice line, int64_t ends_s, const char *problem);
	void *owner;
	size_t index;
};

static void on_told(void *data, const json_t *answer, struct err why)
{
	struct line_asked *q = data;
	char problem[AUTHD_PROBLEM_BYTES];
	const json_t *line = json_object_get(answer, "header"), *ends = json_object_get(answer, "expires");
	if (authd_ask_problem(answer, why, problem))
		q->told(q->owner, q->index, SLICE(""), 0, problem);
	else if (!json_is_string(line) || !json_is_integer(ends))
		q->told(q->owner, q->index, SLICE(""), 0, "rms-connector-authd is of another release");
	else
		q->told(q->owner, q->index, slice_of(json_string_value(line), json_string_length(line)),
		        json_integer_value(ends), NULL);
	free(q);
}

bool authd_ask_line(struct authd_ask *a, const char *credential,
                    void (*told)(void *owner, size_t index, struct slice line, int64_t ends_s, const char *problem),
                    void *owner, size_t index)
{
	struct line_asked *q = malloc(sizeof(*q));
	if (!q)
		return false;
	*q = (struct line_asked){told, owner, index};
	if (authd_ask_put(a, json_pack("{s:s, s:s}", "ask", "exec", "credential", credential), LINE_MS, on_told, q))
		return true;
	free(q);
	return false;
}
