#include "bench/load_proof.h"

#include "proto/base64.h"

#include <stdlib.h>

void load_proof_init(struct load_proof *p, struct load_auth *auth, enum load_caller caller, size_t target)
{
	*p = (struct load_proof){
	        .auth = auth && auth->options->auth ? auth : NULL, .caller = caller, .target = (uint8_t)target};
}

static void token_done(struct load_proof *p, bool check, char *answer)
{
	if (p->token)
		load_tokens_return(p->auth->tokens, p->token, check, answer);
	else
		free(answer);
	p->token = NULL;
}

void load_proof_done(struct load_proof *p)
{
	token_done(p, false, NULL);
	text_free(&p->line);
	text_free(&p->hello);
}

void load_proof_forget(struct load_proof *p)
{
	p->proven = false;
}

/* ---- before a call ---- */

static bool needs_token(struct load_proof *p)
{
	p->leg = p->auth && !p->proven ? LEG_ASK : LEG_PLAIN;
	if (p->token && load_token_is_stale(p->token))
		token_done(p, false, NULL);
	return p->leg == LEG_ASK && p->auth->tokens && !p->token;
}

enum load_ready load_proof_begin(struct load_proof *p)
{
	bool failed = false;
	if (!needs_token(p))
		return PROOF_READY;
	p->token = load_tokens_take(p->auth->tokens, p->caller, p->target, &failed, p->reason, sizeof(p->reason));
	return p->token ? PROOF_READY : failed ? PROOF_FAILS : PROOF_WAITS;
}

bool load_proof_begin_waiting(struct load_proof *p)
{
	if (!needs_token(p))
		return true;
	p->token = load_tokens_await(p->auth->tokens, p->caller, p->target, p->reason, sizeof(p->reason));
	return p->token != NULL;
}

/* ---- a leg ---- */

void load_proof_leg(struct load_proof *p, const struct load_image *image, struct load_request *r)
{
	r->proof = p->auth != NULL;
	if (p->leg == LEG_HELLO || p->leg == LEG_PROOF)
		r->line = p->auth->tokens ? slice_of(p->token->line, p->token->line_len) : text_slice(&p->line);
	if (p->leg == LEG_HELLO || (p->leg == LEG_ASK && !p->auth->options->body_on_each_leg)) {
		r->bytes = image->empty;
		r->len = r->head_len = image->empty_len;
		r->serial_at = SIZE_MAX;
		r->expect = false;
	}
}

/* ---- NTLM ---- */

static void set_line(struct load_proof *p, struct slice message)
{
	text_clear(&p->line);
	text_add_str(&p->line, "Authorization: NTLM ");
	text_add_base64(&p->line, message.at, message.len);
	text_add_str(&p->line, "\r\n");
}

static void say_hello(struct load_proof *p)
{
	text_clear(&p->hello);
	ntlm_negotiate(&p->hello);
	set_line(p, text_slice(&p->hello));
}

/* NULL, or why the challenge cannot be answered. */
static const char *answer_challenge(struct load_proof *p, char *token)
{
	const struct load_options *o = p->auth->options;
	struct ntlm_challenge challenge;
	size_t n = 0;
	if (!base64_decode(slice_str(token), token, &n))
		return "the challenge is not base64";
	struct slice message = slice_of(token, n);
	const char *problem = ntlm_challenge_read(message, &challenge);
	if (problem)
		return problem;
	char spn[300];
	snprintf(spn, sizeof(spn), "%s%s", o->spn ? "" : "HTTP/", o->spn ? o->spn : o->targets[p->target].uri.host);
	struct ntlm_answer how = {.hello = text_slice(&p->hello),
	                          .challenge = message,
	                          .end_point = slice_of((const char *)o->end_point, o->end_point_len),
	                          .spn = spn};
	ntlm_answer_fill(&how);
	struct text out = {0};
	problem = ntlm_authenticate(&p->auth->ntlm, &challenge, &how, &out);
	if (!problem)
		set_line(p, text_slice(&out));
	text_free(&out);
	return problem;
}

/* ---- an answer ---- */

static bool refuse(struct load_proof *p, struct load_answer *a, enum load_error error, const char *why)
{
	if (error)
		a->error = error;
	if (why && !a->reason.len) {
		if (why != p->reason) /* some of these words stand there already */
			snprintf(p->reason, sizeof(p->reason), "%s", why);
		a->reason = slice_str(p->reason);
	}
	return false;
}

/* 401 to a request that proved nothing. */
static bool was_asked(struct load_proof *p, struct load_answer *a, struct load_auth_counts *counts)
{
	bool kerberos = p->auth->tokens != NULL;
	if (!(a->offers & (kerberos ? LOAD_OFFER_NEGOTIATE : LOAD_OFFER_NTLM)))
		return refuse(p, a, LOAD_ERROR_NONE,
		              kerberos ? "401 without the offer Negotiate" : "401 without the offer NTLM");
	counts->asked++;
	/* a kept connection that the service does not know any more */
	if (kerberos && !p->token && !load_proof_begin_waiting(p))
		return refuse(p, a, LOAD_ERROR_NO_TOKEN, p->reason);
	if (!kerberos)
		say_hello(p);
	p->leg = kerberos ? LEG_PROOF : LEG_HELLO;
	return true;
}

static bool was_challenged(struct load_proof *p, struct load_answer *a, bool will_close,
                           struct load_auth_counts *counts)
{
	if (will_close)
		return refuse(p, a, LOAD_ERROR_CHALLENGE, "the connection was closed between messages of NTLM");
	if (!a->token)
		return refuse(p, a, LOAD_ERROR_CHALLENGE, "401 without a challenge of NTLM");
	counts->challenges++;
	const char *problem = answer_challenge(p, a->token);
	if (problem)
		return refuse(p, a, LOAD_ERROR_CHALLENGE, problem);
	p->leg = LEG_PROOF;
	return true;
}

static bool asks_for_nothing(const struct load_answer *a)
{
	return (a->status >= 200 && a->status < 300) || a->status == 400 || a->soap;
}

static bool judge(struct load_proof *p, struct load_answer *a, bool will_close, bool sample,
                  struct load_auth_counts *counts)
{
	bool unauthorized = a->status == 401;
	switch ((enum load_leg)p->leg) {
	case LEG_ASK:
		if (unauthorized)
			return was_asked(p, a, counts);
		/* an empty request has no answer of its own; and nobody proved anything */
		return asks_for_nothing(a) ? refuse(p, a, LOAD_ERROR_UNASKED, NULL) : false;
	case LEG_HELLO:
		return unauthorized ? was_challenged(p, a, will_close, counts) : false;
	case LEG_PLAIN:
		p->proven = false;
		if (unauthorized)
			return was_asked(p, a, counts);
		p->proven = true;
		return false;
	case LEG_PROOF:
		p->proven = !unauthorized;
		counts->proven += !unauthorized;
		counts->refused += unauthorized;
		if (p->auth->tokens) {
			bool good = a->status >= 200 && a->status < 300;
			token_done(p, sample && good, a->token);
			a->token = NULL;
		}
		if (unauthorized)
			return refuse(p, a, LOAD_ERROR_NONE,
			              p->auth->tokens ? "401 to a Kerberos token: it was not accepted"
			                              : "401 to NTLM: the account or its password was not accepted");
		return false;
	}
	return false;
}

bool load_proof_answer(struct load_proof *p, struct load_answer *a, bool will_close, bool sample,
                       struct load_auth_counts *counts)
{
	struct load_auth_counts ignored = {0};
	bool more = false;
	if (!p->auth)
		return false;
	if (!a->error)
		more = judge(p, a, will_close, sample, counts ? counts : &ignored);
	else if (p->leg == LEG_PROOF) /* it may have been seen: never sent twice */
		token_done(p, false, NULL);
	free(a->token);
	a->token = NULL;
	return more;
}
