/* Answers of authd about the directory (core/authd/directory_asks.h), read. Pure. */
#pragma once
#include "core/relay/authd_ask.h"
#include "store/standing.h"

/* {"ask": ask, "sid": sid}; NULL: no memory. */
json_t *directory_question(const char *ask, const struct sid *sid);

enum directory_answer {
	DIRECTORY_TOLD,
	DIRECTORY_OBJECT_GONE,
	DIRECTORY_NOT_OURS,  /* of a domain that is none of ours */
	DIRECTORY_NONE,      /* there is no directory in the settings */
	DIRECTORY_AWAY,      /* that domain cannot be asked now */
	DIRECTORY_AUTHD_AWAY /* nothing can be asked now */
};

/* problem: "" unless it is NOT_OURS, NONE, AWAY or AUTHD_AWAY. */
enum directory_answer directory_answer_of(const json_t *answer, struct err why,
                                          char problem[static AUTHD_PROBLEM_BYTES]);
/* {"members"}: at most limit of them. false: there are more, or no memory; problem says so, out is empty. */
bool directory_members_of(const json_t *answer, uint32_t limit, struct sid_set *out,
                          char problem[static AUTHD_PROBLEM_BYTES]);
/* {"account", "groups"} of `groups`. NULL: no memory. */
struct standing *directory_groups_of(const json_t *answer, const struct sid *account, int64_t at);
/* A row of {"accounts"}. false: it is none. */
bool directory_account_row(const json_t *row, struct sid *account, enum standing_state *state);
