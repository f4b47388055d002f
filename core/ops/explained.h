/* What explain and servers test found out about somebody, and how it is told: in sentences and as JSON. Filled in over turns of the loop by
 * admin_explain.c. Main thread. */
#pragma once
#include "core/ops/admin_who.h"

struct explained {
	struct authlist_object who; /* the call's own */
	struct sid_set groups;
	enum { GROUPS_NONE, GROUPS_GIVEN, GROUPS_TOLD } groups_from;
	char groups_problem[256];    /* why the directory did not tell them */
	bool disabled, gone;         /* in the directory */
	json_t *path;                /* names, from the account to the group that decides; NULL: not asked */
	const struct authlist *list; /* NULL: there is none */
	const struct authlist_rows *rows;
	struct decision decision;
	char id[AUTHLIST_ID_BYTES];
	char words[ADMIN_WHO_BYTES];
};

/* The command that would turn the verdict around. */
enum { EXPLAINED_CHANGE_BYTES = AUTHLIST_ID_BYTES + 64 };
void explained_change(const struct explained *x, char out[static EXPLAINED_CHANGE_BYTES]);
/* Says it, and returns it for programs. */
json_t *explained_json(struct admin_call *c, const struct explained *x);
