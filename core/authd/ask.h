/* Questions of an administrator, as JSON: a row in asks.def and a function for each. In the threads of the pool for asks; may block. */
#pragma once
#include "core/authd/authd.h"
#include "core/base/check.h"

#include <jansson.h>

/* Answers the job, whatever it asks. */
void ask_answer(struct authd *a, struct job *j);

/* A new object with "ok". question: borrowed. NULL: no memory. */
typedef json_t *ask_function(struct authd *a, const json_t *question);
#define ASK(name, help) ask_function ask_##name;
#include "core/authd/asks.def"
#undef ASK

/* {"ok": false, "error": what, "mend": how} */
json_t *ask_failed(const char *what, const char *how);
/* The same, put together; mend is a literal. */
json_t *ask_failed_with(const char *mend, const char *format, ...) PRINTF_LIKE(2, 3);
/* A member that must be text; NULL: it is not there or something else. */
const char *ask_text(const json_t *question, const char *name);
