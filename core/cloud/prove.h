/* Proving the service: a few requests, each by several ways, one after the other, so that what is said about a tenant afterwards is known and not guessed.
 * Nothing is sent again, and no redirect is followed. On one loop, by the node's own means: its credential, its TLS, its resolver.
 *
 *   open -> without credential, at each base -> the credential has words -> with them, by each scheme -> recorded requests, where it answered -> on_end
 *
 * It ends early when the service cannot be reached at all, or there is no token. */
#pragma once
#include "core/cloud/credential.h"
#include "core/cloud/prove_answer.h"
#include "core/cloud/way_out.h"
#include "proto/rms_probe.h"
#include "proto/uri.h"

struct https_call;
struct tls_client;

enum { PROVE_BASES_MAX = 4, PROVE_BODIES_MAX = 4, PROVE_CALLS_MAX = 64, PROVE_TEXT_BYTES = 400 };

struct prove_body { /* a request that the owner has recorded; borrowed */
	enum rms_op_id op;
	enum soap_version soap;
	struct slice bytes;
};

struct prove_call {
	const char *base;   /* "/_wmcs" */
	const char *scheme; /* "none", "Bearer", "MSOID", or the credential's kind where its words are no token */
	enum rms_op_id op;
	const struct prove_body *body; /* NULL: one of rms_probes */
	char path[320];
	struct prove_answer answer;
	usec_t took;
	char problem[PROVE_TEXT_BYTES]; /* PROVE_LOST: why */
};

struct prove {
	/* ---- given ---- */
	const struct settings *settings; /* with one credential */
	const struct prove_body *bodies;
	size_t body_count;
	const char *bases[PROVE_BASES_MAX];
	size_t base_count;
	msec_t timeout; /* for one request */
	void (*on_end)(struct prove *p);
	/* ---- what came of it ---- */
	struct prove_call calls[PROVE_CALLS_MAX];
	size_t call_count;
	bool is_token; /* its credential is a token of the login service */
	bool has_words, login_refused;
	uint32_t login_code;                  /* AADSTS number; 0: none */
	char login_problem[PROVE_TEXT_BYTES]; /* why there is no token */
	struct uri service;
	/* ---- inside ---- */
	struct loop *loop;
	struct credentials credentials;
	struct credential_words *words;
	struct resolver *resolver;
	struct way_out way;
	struct tls_client *tls;
	struct https_call *call;
	uv_timer_t look; /* for a token, or for why there is none */
	usec_t started;
	size_t next; /* call */
	char host_line[300];
	bool ended;
};

/* The rest zero. On failure *where names what is wrong; on_end is not called then, prove_close() must be. */
struct err prove_open(struct prove *p, struct loop *l, const char **where);
/* After on_end: closes its handles over the next turns of the loop. */
void prove_close(struct prove *p);
void prove_done(struct prove *p); /* after the loop */
