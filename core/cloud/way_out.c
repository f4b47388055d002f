#include "core/cloud/way_out.h"

#include "core/cloud/secret.h"
#include "proto/uri.h"

#include <stdio.h>
#include <stdlib.h>

struct err way_out_open(const struct settings *s, const char *host, uint16_t port, struct way_out *out)
{
	struct way_out w = {.port = port};
	struct secret password = {0};
	struct uri uri;
	snprintf(w.host, sizeof(w.host), "%s", host);
	if (!s->proxy_url || !*s->proxy_url || proxy_bypasses(slice_str(s->proxy_bypass), host)) {
		*out = w;
		return OK;
	}
	if (uri_parse(slice_str(s->proxy_url), &uri))
		return ERR_OF(SETTINGS,
		              .what = "proxy.url is not right"); /* core/ops/config_check_upstream.c has said why */
	if (*s->proxy_user)
		TRY(secret_read_plain(s->proxy_password_file, &password));
	w.ask = proxy_connect_make(host, port, slice_str(s->proxy_user), secret_slice(&password), &w.ask_len);
	secret_done(&password);
	if (!w.ask)
		return ERR_OF(NO_MEMORY);
	w.with_credentials = *s->proxy_user;
	snprintf(w.host, sizeof(w.host), "%s", uri.host);
	w.port = uri.port;
	*out = w;
	return OK;
}

void way_out_done(struct way_out *w)
{
	if (w->ask)
		explicit_bzero(w->ask, w->ask_len);
	free(w->ask);
	w->ask = NULL;
}

struct proxy_reader *way_out_reader(const struct way_out *w)
{
	struct proxy_reader *r = calloc(1, sizeof(*r));
	if (r)
		r->with_credentials = w->with_credentials;
	return r;
}

struct err way_out_take(struct proxy_reader *r, const char *bytes, size_t n, bool *open)
{
	static _Thread_local char words[PROXY_WORDS_BYTES];
	enum proxy_answer a = proxy_reader_take(r, bytes, n);
	*open = a == PROXY_OPEN;
	if (a != PROXY_REFUSED)
		return OK;
	memcpy(words, r->words, sizeof(words));
	return ERR_OF(UPSTREAM_PROXY, .what = words);
}
