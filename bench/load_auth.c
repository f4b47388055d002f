#include "bench/load_auth.h"

#include "core/crypto/crypto.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PASSWORD_MAX = 512 };

/* The first line of a file. false: words. */
static bool read_password(const char *file, char out[static PASSWORD_MAX], char *words, size_t cap)
{
	FILE *in = fopen(file, "re");
	bool fine = in && fgets(out, PASSWORD_MAX, in);
	if (!fine)
		snprintf(words, cap, "--password-file %s: %s", file,
		         in && !ferror(in) ? "it is empty" : strerror(errno));
	if (in)
		fclose(in);
	if (fine)
		out[strcspn(out, "\r\n")] = 0;
	return fine;
}

static bool open_ntlm(struct load_auth *a, char *words, size_t cap)
{
	char password[PASSWORD_MAX];
	if (!read_password(a->options->password_file, password, words, cap))
		return false;
	const char *problem = ntlm_account_make(&a->ntlm, a->options->user, slice_str(password));
	explicit_bzero(password, sizeof(password));
	if (problem)
		snprintf(words, cap, "--user %s: %s", a->options->user, problem);
	return !problem;
}

struct err load_auth_open(struct load_auth *a, const struct load_options *o, char *words, size_t cap)
{
	*a = (struct load_auth){.options = o};
	if (o->auth == LOAD_AUTH_NEGOTIATE)
		return load_tokens_new(o, &a->tokens, words, cap);
	if (o->auth == LOAD_AUTH_NTLM && !open_ntlm(a, words, cap))
		return ERR_OF(SETTINGS, .what = words);
	return OK;
}

void load_auth_close(struct load_auth *a, struct load_auth_counts *into)
{
	struct load_auth_counts ignored = {0};
	load_tokens_free(a->tokens, into ? into : &ignored);
	a->tokens = NULL;
	explicit_bzero(&a->ntlm, sizeof(a->ntlm));
}
