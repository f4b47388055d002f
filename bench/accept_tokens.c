#include "bench/accept.h"
#include "bench/load_gss.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

double accept_now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool accept_tokens_make(const char *cache, const char *spn, size_t count, struct accept_tokens *out,
                        char words[static ACCEPT_WORDS])
{
	struct load_gss *g = NULL;
	*out = (struct accept_tokens){0};
	_Static_assert((int)ACCEPT_WORDS == (int)LOAD_GSS_WORDS, "one buffer for both");
	if (!load_gss_open(cache, &g, words))
		return false;
	out->at = calloc(count, sizeof(*out->at));
	CHECK(out->at);
	bool fine = true;
	while (fine && out->count < count) {
		struct text token = {0};
		struct load_gss_context *context = NULL;
		fine = load_gss_token(g, spn, SLICE(""), &token, &context, words);
		if (!fine) {
			text_free(&token);
			break;
		}
		load_gss_forget(context);
		char *copy = malloc(token.len); /* exact: there are many */
		CHECK(copy);
		memcpy(copy, token.at, token.len);
		out->at[out->count++] = slice_of(copy, token.len);
		text_free(&token);
	}
	load_gss_free(g);
	return fine;
}

void accept_tokens_free(struct accept_tokens *t)
{
	for (size_t i = 0; i < t->count; i++)
		free((char *)(uintptr_t)t->at[i].at);
	free(t->at);
	*t = (struct accept_tokens){0};
}
