/* Kerberos tokens made ahead of the calls that carry them, by a thread of their own: a worker's loop only takes one from a shelf. The same thread
 * checks what services answered. A token is used once: services refuse it a second time.
 *
 *   maker thread: make --> shelf[caller][target] --> load_tokens_take() --> sent --> load_tokens_return() --> check, forget
 */
#pragma once
#include "bench/load_gss.h"
#include "bench/load_stats.h"
#include "core/net/loop.h"

struct load_tokens;

struct load_token {
	char *line; /* the header: "Authorization: Negotiate ...\r\n" */
	size_t line_len;
	/* ---- load_tokens.c ---- */
	struct list link;
	struct load_gss_context *context;
	usec_t made;
	char *answer; /* base64, as the service sent it; NULL: none */
	bool check;
};

/* Opens the credentials and makes the first token for every caller and target, so that what is wrong shows before the load. Words in an
 * administrator's terms. */
struct err load_tokens_new(const struct load_options *o, struct load_tokens **out, char *words, size_t cap);
/* Ends the thread when all that was returned is looked at; adds what it counted. Not before the last worker has ended. */
void load_tokens_free(struct load_tokens *t, struct load_auth_counts *into);

/* ---- any thread ---- */
/* NULL: none is ready. failed: and none will be soon; words (of that instant) say why. */
struct load_token *load_tokens_take(struct load_tokens *t, enum load_caller caller, size_t target, bool *failed,
                                    char *words, size_t cap);
/* Too old to be sent; return it. */
bool load_token_is_stale(const struct load_token *k);
/* The same as load_tokens_take(), but waits. NULL: failed. */
struct load_token *load_tokens_await(struct load_tokens *t, enum load_caller caller, size_t target, char *words,
                                     size_t cap);
/* Taken. check: the answer must prove the service; it is malloc'ed and taken too, NULL when there was none. */
void load_tokens_return(struct load_tokens *t, struct load_token *k, bool check, char *answer);
/* Calls fn(arg) once in that loop when there are more tokens, or when it is known that there will be none. */
void load_tokens_wait(struct load_tokens *t, struct loop *l, void (*fn)(void *arg), void *arg);
