/* A decision of the past (store/decisions.h) beside what would be decided now: for explain. Part of struct explained; main thread. */
#pragma once
#include "core/ops/explained.h"

/* Notes the decision with that id. false: the call has ended with an error. */
bool explained_decision_find(struct admin_call *c, struct explained *x, uint64_t id);
/* Notes the last one about x->who, if there is one. */
void explained_decision_last(const struct admin_call *c, struct explained *x);

/* SID or principal of the row that decided then; "": none did. */
const char *explained_decision_row(const struct explained *x);
/* Whether what would be decided now is another verdict, role or row. Only where explained_is_known(). */
bool explained_decision_differs(const struct explained *x);

/* As explained_change(), by the decision of then. */
void explained_decision_change(const struct explained *x, char out[static EXPLAINED_CHANGE_BYTES]);
/* Says what was decided, and whether it would be decided so now. */
void explained_decision_say(struct admin_call *c, const struct explained *x);
json_t *explained_decision_json(const struct explained *x); /* null when there is none */
