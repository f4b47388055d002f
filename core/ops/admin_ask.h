/* Questions of commands to rms-connector-authd (core/authd/asks.def), one at a time for each call. Main thread. */
#pragma once
#include "core/ops/admin_call.h"

enum { ADMIN_ASK_MS = 30 * 1000 };

/* question: taken. told(c, answer) on a later turn, or from inside when authd cannot be asked at all: so c is not to be touched after this. answer is
 * authd's own, {"ok": true, ...} or {"ok": false, "error", "mend", ("code")}; when there is none, it is made here, with the code "away". */
void admin_ask(struct admin_call *c, json_t *question, void (*told)(struct admin_call *c, const json_t *answer));
/* {"ask": name, key: value}; key NULL: no more than the name. */
json_t *admin_question(const char *name, const char *key, const char *value);
bool admin_told_well(const json_t *answer);
const char *admin_told_error(const json_t *answer);
/* Ends the call with what authd said. before: a few words, "the directory cannot be searched". */
void admin_fail_told(struct admin_call *c, const json_t *answer, const char *before);
