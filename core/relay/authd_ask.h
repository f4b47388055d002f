/* The control thread's line to rms-connector-authd: questions out as JSON (rows in core/authd/asks.def), answers back, matched by id. One for the
 * process, made by the server when auth.socket is set; main thread only. Workers have lines of their own, for tokens (authd_client.h).
 *
 * What a question may end with, told exactly once, from the loop and never from inside a call (but for authd_ask_close()):
 *   answer, OK                    what authd said: an object with "ok"; with false there "error" and "mend" are words for an administrator
 *   NULL, ERR_AUTH_UNAVAILABLE    authd is not there, went away before it answered, or took longer than the question's time; words in why.what
 *   NULL, ERR_NO_MEMORY           the question could not be written or the answer not be read
 *   NULL, ERR_CLOSED              the node ends
 * A question that comes while authd is away waits up to AUTHD_QUIET_MS for it. At most AUTHD_QUESTIONS_SENT are with authd, which answers a few at a
 * time; the others wait in their order.
 *
 * How an administrator's command uses it, which ends its struct admin_call later (calls outlive their connection, and this line outlives neither the
 * calls nor the admin socket: the server closes it first, so no call is left behind):
 *
 *   static void on_told(void *data, const json_t *answer, struct err why)
 *   {
 *           struct admin_call *c = data;
 *           char problem[AUTHD_PROBLEM_BYTES];
 *           if (authd_ask_problem(answer, why, problem))
 *                   admin_fail(c, EX_UNAVAILABLE, "", "%s", problem);
 *           else
 *                   admin_done(c, ...made from answer, which is borrowed: json_incref() keeps it...);
 *   }
 *   if (!authd_ask_put(asks, json_pack("{s:s, s:s}", "ask", "find", "text", name), 10000, on_told, c))
 *           admin_fail(c, EX_TEMPFAIL, "ask again in a moment", "too many questions are open");
 */
#pragma once
#include "core/base/clock.h"
#include "core/base/err.h"

#include <jansson.h>
#include <stdbool.h>

enum { AUTHD_QUESTIONS_MAX = 64, AUTHD_QUESTIONS_SENT = 8, AUTHD_PROBLEM_BYTES = 512 };

struct authd_ask;
struct loop;

/* path: of authd's socket, borrowed. Contacts nobody yet. ERR_SETTINGS: the path is too long. ERR_NO_MEMORY. */
struct err authd_ask_open(struct loop *l, const char *path, struct authd_ask **out);
/* Tells whoever still waits, from inside; takes no more questions; frees itself when its handles are closed. NULL is fine. */
void authd_ask_close(struct authd_ask *a);

/* Takes the reference to question in any case. false: AUTHD_QUESTIONS_MAX are open, it closes, or question is NULL: nothing will be told. data: handed
 * to told(), and what authd_ask_cancel() knows the question by. */
bool authd_ask_put(struct authd_ask *a, json_t *question, msec_t timeout_ms,
                   void (*told)(void *data, const json_t *answer, struct err why), void *data);
/* Takes back all questions with this data: nothing will be told of them. Harmless when there is none. */
void authd_ask_cancel(struct authd_ask *a, const void *data);

/* authd can be asked now. */
bool authd_ask_is_up(const struct authd_ask *a);
/* What went wrong, for people: "what; how to mend it". false: nothing, the answer is good; out is empty. */
bool authd_ask_problem(const json_t *answer, struct err why, char out[static AUTHD_PROBLEM_BYTES]);
