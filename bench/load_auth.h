/* With what the callers prove who they are: opened once by the main thread before the load, used by all workers. */
#pragma once
#include "bench/load_tokens.h"
#include "bench/ntlm.h"

struct load_auth {
	const struct load_options *options;
	struct load_tokens *tokens; /* LOAD_AUTH_NEGOTIATE */
	struct ntlm_account ntlm;   /* LOAD_AUTH_NTLM */
};

/* Nothing to open with LOAD_AUTH_NONE. On failure words say what is wrong. */
struct err load_auth_open(struct load_auth *a, const struct load_options *o, char *words, size_t cap);
/* Takes an unopened one too. into: gets what was counted; NULL: nobody wants it. */
void load_auth_close(struct load_auth *a, struct load_auth_counts *into);
