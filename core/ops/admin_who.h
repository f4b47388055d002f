/* Whom somebody means: a SID, a principal of a realm without directory, the name of a row of the list, or a name in the directory, which authd is asked
 * for. Unknown names are refused, ambiguous ones listed, computers without their dollar shown with it. Main thread. */
#pragma once
#include "core/ops/admin_ask.h"
#include "core/ops/admin_list.h"

/* Rows of the list have the names that were true when they were added; the same name may belong to another object by now. */
enum admin_whom {
	WHOM_DIRECTORY,       /* what is to be added: only the directory knows */
	WHOM_DIRECTORY_FIRST, /* an account as it is now; a name of the list when the directory does not answer or has none */
	WHOM_ROWS_FIRST, /* a row of the list, by its name; else by what the directory calls it */
};
/* found(c), at once or on a later turn, with c->who set; or the call ends with an error. c is not to be touched after this. A SID is found also when the
 * directory cannot be asked: who.problem says why. */
void admin_who_find(struct admin_call *c, const char *text, enum admin_whom whom, void (*found)(struct admin_call *c));
/* "CORP\FS01$ (S-1-5-...)" or the SID or principal alone. */
enum { ADMIN_WHO_BYTES = AUTHLIST_ID_BYTES + AUTHLIST_TEXT_MAX + 8 };
const char *admin_object_words(const struct authlist_object *o, char out[static ADMIN_WHO_BYTES]);
/* {"sid", "kind", "name", "disabled"} of the directory, as authd tells objects; false: it is none that can be on the list. */
bool admin_who_read(const json_t *object, struct admin_who *out);
/* The argument "kind"; *given: whether there is one. false: the call has ended with an error. */
bool admin_kind_read(struct admin_call *c, enum authlist_kind *out, bool *given);
/* It must be what the directory says about c->who. false: the call has ended with an error. */
bool admin_kind_agrees(struct admin_call *c, enum authlist_kind kind);
/* For tables: name, kind, SID, "disabled" of such an object. */
json_t *admin_found_json(const json_t *object);
