#include "core/relay/directory_answers.h"

#include "core/base/check.h"

#include <stdio.h>

json_t *directory_question(const char *ask, const struct sid *sid)
{
	char text[SID_TEXT_BYTES];
	sid_print(sid, text);
	return json_pack("{s:s, s:s}", "ask", ask, "sid", text);
}

enum directory_answer directory_answer_of(const json_t *answer, struct err why,
                                          char problem[static AUTHD_PROBLEM_BYTES])
{
	static const struct {
		const char *code;
		enum directory_answer means;
	} codes[] = {{"gone", DIRECTORY_OBJECT_GONE},
	             {"unknown-domain", DIRECTORY_NOT_OURS},
	             {"no-directory", DIRECTORY_NONE}};
	const char *code = json_string_value(json_object_get(answer, "code"));
	if (!authd_ask_problem(answer, why, problem))
		return DIRECTORY_TOLD;
	if (!answer)
		return DIRECTORY_AUTHD_AWAY;
	for (size_t i = 0; code && i < ARRAY_COUNT(codes); i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].means;
	return DIRECTORY_AWAY;
}

static bool read_sid(const json_t *text, struct sid *out)
{
	return json_is_string(text) && sid_parse(slice_of(json_string_value(text), json_string_length(text)), out);
}

bool directory_members_of(const json_t *answer, uint32_t limit, struct sid_set *out,
                          char problem[static AUTHD_PROBLEM_BYTES])
{
	const json_t *members = json_object_get(answer, "members");
	bool many = json_is_true(json_object_get(answer, "truncated")) || json_array_size(members) > limit;
	struct sid s;
	size_t i;
	json_t *one;
	*out = (struct sid_set){0};
	*problem = 0;
	if (many) {
		snprintf(problem, AUTHD_PROBLEM_BYTES,
		         "it has more than %u members; a security group needs no such answer", limit);
		return false;
	}
	if (!json_is_array(members)) {
		snprintf(problem, AUTHD_PROBLEM_BYTES, "the answer of rms-connector-authd names no members");
		return false;
	}
	json_array_foreach(members, i, one)
	{
		if (read_sid(one, &s) && sid_set_add_up_to(out, &s, limit))
			continue;
		snprintf(problem, AUTHD_PROBLEM_BYTES,
		         "the answer of rms-connector-authd is not understood, or there is no memory for it");
		sid_set_done(out);
		return false;
	}
	return true;
}

struct standing *directory_groups_of(const json_t *answer, const struct sid *account, int64_t at)
{
	const json_t *groups = json_object_get(answer, "groups");
	bool disabled = json_is_true(json_object_get(json_object_get(answer, "account"), "disabled"));
	bool told = json_is_array(groups) && !json_is_true(json_object_get(answer, "truncated"));
	struct sid_set set = {0};
	struct sid s;
	size_t i;
	json_t *one;
	json_array_foreach(groups, i, one) told &= read_sid(one, &s) && sid_set_add(&set, &s);
	struct standing *made =
	        standing_new(account, disabled ? STANDING_DISABLED : STANDING_GOOD, at, told ? &set : NULL);
	sid_set_done(&set);
	return made;
}

bool directory_account_row(const json_t *row, struct sid *account, enum standing_state *state)
{
	const json_t *found = json_object_get(row, "found"), *disabled = json_object_get(row, "disabled");
	if (!json_is_boolean(found) || !json_is_boolean(disabled) || !read_sid(json_object_get(row, "sid"), account))
		return false;
	*state = json_is_false(found) ? STANDING_GONE : json_is_true(disabled) ? STANDING_DISABLED : STANDING_GOOD;
	return true;
}
