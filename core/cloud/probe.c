#include "core/cloud/probe.h"

#include "core/cloud/https_call.h"
#include "core/cloud/secret.h"
#include "core/cloud/way_out.h"
#include "core/cloud/words.h"
#include "proto/uri.h"

#include <stdio.h>
#include <stdlib.h>

enum { TIMEOUT_MS = 20000 };

static const char question[] =
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope "
        "xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">"
        "<soap:Body><GetServerInfo xmlns=\"http://microsoft.com/DRM/ServerService\"><requests><ServerInfoRequest>"
        "<Type>VersionInfo</Type></ServerInfoRequest></requests></GetServerInfo></soap:Body></soap:Envelope>";

struct probe {
	struct https_call *call;
	struct tls_client *tls;    /* owned; NULL: plain */
	struct resolver *resolver; /* owned */
	struct way_out way;        /* open when it has a host */
	char place[640];
	void (*done)(void *context, const struct probe_result *result);
	void *context;
};

static void end(struct probe *p)
{
	if (p->resolver)
		resolver_close(p->resolver);
	way_out_done(&p->way);
	tls_client_free(p->tls);
	free(p);
}

static const char *meaning(unsigned status, bool answered)
{
	if (answered)
		return "GetServerInfo was answered: connection, TLS and credential work";
	switch (status) {
	case 401:
	case 403:
		return "the service refuses this credential: compare tenant, scheme and upstream.path, and the "
		       "permissions "
		       "of the app registration";
	case 404:
		return "there is no such service there: compare upstream.url and upstream.path";
	case 429:
		return "the service asks to slow down: try again later";
	case 200:
		return "something answered that is not this service: does a proxy stand in its place?";
	default:
		return status >= 300 && status < 400
		               ? "the service answered with a redirect: compare upstream.url"
		               : "the service could not answer: try again, and see what is in front "
		                 "of it";
	}
}

static bool holds(struct slice text, const char *word)
{
	return memmem(text.at, text.len, word, strlen(word)) != NULL;
}

static void on_answer(void *context, struct err why, const struct https_answer *answer)
{
	struct probe *p = context;
	struct probe_result r = {0};
	if (answer) {
		r.status = answer->head->status;
		r.good = r.status == 200 && holds(answer->body, "GetServerInfoResponse");
		snprintf(r.text, sizeof(r.text), "%s: HTTP %u: %s", p->place, r.status, meaning(r.status, r.good));
	} else {
		snprintf(r.text, sizeof(r.text), "%s: %s: %s", p->place, err_row(why.code)->text, err_text(why));
	}
	void (*done)(void *, const struct probe_result *) = p->done;
	void *whose = p->context;
	end(p);
	done(whose, &r);
}

static struct err open_tls(struct probe *p, const struct settings *s, const struct credential_settings *c,
                           const struct uri *url)
{
	struct tls_client_options o = {.ca_file = s->upstream_ca_file, .host = url->host};
	struct secret key = {0};
	if (c->kind == CREDENTIAL_MTLS) {
		struct secret_place place = secret_place(s, c);
		TRY(secret_read(&place, &key));
		o.certificate = c->certificate_file;
		o.key = c->key_file;
		o.key_pem = secret_slice(&key);
	}
	struct err failed = tls_client_new(&o, &p->tls);
	secret_done(&key);
	return failed;
}

static bool begin(struct probe *p, struct loop *l, const struct settings *s, const struct uri *url,
                  struct slice authorization)
{
	static const char rest[] = "Content-Type: text/xml; charset=utf-8\r\nSOAPAction: "
	                           "\"http://microsoft.com/DRM/ServerService/GetServerInfo\"\r\n";
	char path[300], port[8] = "", host[290], lines[CREDENTIAL_WORDS_MAX + 1024];
	bool v6 = strchr(url->host, ':') != NULL, usual = url->port == (url->tls ? 443 : 80);
	if (!usual)
		snprintf(port, sizeof(port), ":%u", url->port);
	snprintf(host, sizeof(host), "%s%s%s%s", v6 ? "[" : "", url->host, v6 ? "]" : "", port);
	snprintf(path, sizeof(path), "%s/certification/server.asmx", s->upstream_path);
	snprintf(p->place, sizeof(p->place), "%s%s", host, path);
	struct credential_words *w = credential_words_new(slice_str(host), authorization, 1);
	if (!w)
		return false;
	struct slice words = credential_words_lines(w);
	int n = snprintf(lines, sizeof(lines), "%.*s%s", SLICE_ARG(words), rest);
	credential_words_unref(w);
	struct https_request r = {.way = &p->way,
	                          .tls = p->tls,
	                          .resolver = p->resolver,
	                          .method = SLICE("POST"),
	                          .path = slice_str(path),
	                          .lines = slice_of(lines, (size_t)n),
	                          .body = slice_str(question),
	                          .timeout = TIMEOUT_MS};
	p->call = https_call_start(l, &r, on_answer, p);
	explicit_bzero(lines, sizeof(lines));
	return p->call != NULL;
}

struct err probe_start(struct loop *l, const struct settings *s, const struct credential_settings *c,
                       struct slice authorization, void (*done)(void *context, const struct probe_result *result),
                       void *context, struct probe **out)
{
	struct uri url;
	const char *wrong = uri_parse(slice_str(s->upstream_url), &url);
	if (wrong)
		return ERR_OF(SETTINGS, .what = wrong);
	struct probe *p = calloc(1, sizeof(*p));
	if (!p)
		return ERR_OF(NO_MEMORY);
	p->done = done;
	p->context = context;
	struct err failed = url.tls ? open_tls(p, s, c, &url) : OK;
	if (!failed.code)
		failed = way_out_open(s, url.host, url.port, &p->way);
	if (!failed.code)
		failed = resolver_new(l, s->upstream_dns_servers, &p->resolver);
	if (!failed.code && !begin(p, l, s, &url, authorization))
		failed = ERR_OF(NO_MEMORY);
	if (failed.code)
		end(p);
	else
		*out = p;
	return failed;
}

void probe_cancel(struct probe *p)
{
	if (!p)
		return;
	https_call_cancel(p->call);
	end(p);
}
