/* What explain and servers test found out about somebody, and how it is told: in sentences and as JSON. Filled in over turns of the loop by
 * admin_explain.c. Main thread. */
#pragma once
#include "core/ops/admin_who.h"
#include "store/decision_record.h"

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
	/* The decision that was asked about, or the last one of this node about who; its id is 0: there is none. */
	struct decision_record then;
	bool by_id;        /* the first of the two */
	json_t *path_then; /* as path, to the row that decided then; empty: there is no way to it; NULL: not asked */
};

/* The command that would turn the verdict around. */
enum { EXPLAINED_CHANGE_BYTES = AUTHLIST_ID_BYTES + 64 };
void explained_change(const struct explained *x, char out[static EXPLAINED_CHANGE_BYTES]);
/* SID or principal of the row that decides; "": none does. */
const char *explained_row(const struct explained *x, char out[static AUTHLIST_ID_BYTES]);
/* Whether x->decision would be the same whatever groups the account is in, or they are known. */
bool explained_is_known(const struct explained *x);
const char *explained_verdict_word(enum verdict v); /* for programs */
/* "CORP\FS01$, which is in CORP\Servers." */
void explained_say_path(struct admin_call *c, const json_t *path);
/* Says it, and returns it for programs. */
json_t *explained_json(struct admin_call *c, const struct explained *x);
