#include "core/cloud/prove_verdict.h"

#include <stdio.h>

static bool is(const struct prove_call *c, const char *scheme)
{
	return strcmp(c->scheme, scheme) == 0;
}

static bool is_good(const struct prove_call *c)
{
	return c->answer.outcome == PROVE_GOOD;
}

/* Whether the same request was answered well without a credential. Where it was not tried: no. */
static bool good_without(const struct prove *p, const struct prove_call *like)
{
	for (size_t i = 0; i < p->call_count; i++) {
		const struct prove_call *c = &p->calls[i];
		if (is(c, "none") && c->op == like->op && !c->body && strcmp(c->path, like->path) == 0 && is_good(c))
			return true;
	}
	return false;
}

struct way {
	const char *base, *scheme;
	unsigned good, of, licences;
	bool shows_token;
};

static struct way way_of(const struct prove *p, const char *base, const char *scheme)
{
	struct way w = {.base = base, .scheme = scheme};
	for (size_t i = 0; i < p->call_count; i++) {
		const struct prove_call *c = &p->calls[i];
		if (strcmp(c->base, base) != 0 || !is(c, scheme))
			continue;
		if (c->body) {
			w.licences += is_good(c);
			w.shows_token |= is_good(c) && !is(c, "none");
			continue;
		}
		w.of++;
		w.good += is_good(c);
		w.shows_token |= is_good(c) && !is(c, "none") && !good_without(p, c);
	}
	return w;
}

static bool is_better(const struct way *a, const struct way *b)
{
	if (a->shows_token != b->shows_token)
		return a->shows_token;
	return a->licences != b->licences ? a->licences > b->licences : a->good > b->good;
}

static bool answered_anything(const struct prove *p)
{
	for (size_t i = 0; i < p->call_count; i++)
		if (p->calls[i].answer.status)
			return true;
	return false;
}

void prove_conclude(const struct prove *p, struct prove_verdict *out)
{
	bool needs = p->settings->credentials[0].kind != CREDENTIAL_NONE;
	struct way best = {0};
	*out = (struct prove_verdict){0};
	/* In the order in which they were tried: what is configured and usual comes first, and only what is better takes its place. */
	for (size_t i = 0; i < p->call_count; i++) {
		const struct prove_call *c = &p->calls[i];
		struct way w = way_of(p, c->base, c->scheme);
		if (is(c, "none") == needs)
			continue;
		if (w.good + w.licences && (!best.base || is_better(&w, &best)))
			best = w;
	}
	for (size_t i = 0; i < p->call_count; i++) {
		const struct prove_call *c = &p->calls[i];
		if (!is_good(c))
			continue;
		out->bearer |= is(c, "Bearer") && !good_without(p, c);
		out->msoid |= is(c, "MSOID") && !good_without(p, c);
		out->oauth2_base |= !is(c, "none") && strcmp(c->base, "/_wmcs/oauth2") == 0;
		out->anonymous_locations |= is(c, "none") && c->op == OP_FIND_SERVICE_LOCATIONS;
		if (c->answer.until[0])
			out->until = c->answer.until;
	}
	out->base = best.base;
	out->scheme = best.scheme;
	out->good = best.good;
	out->of = best.of;
	out->licences = best.licences;
	out->shows_token = best.shows_token;
	bool no_token = p->login_problem[0] && !p->login_refused;
	out->result = best.base ? PROVE_USABLE : !answered_anything(p) || no_token ? PROVE_UNREACHABLE : PROVE_DENIED;
}

static void settle(struct prove_question *q, const char *id, const char *text, enum prove_settled answer,
                   const char *why)
{
	*q = (struct prove_question){.id = id, .text = text, .answer = answer};
	snprintf(q->why, sizeof(q->why), "%s", why);
}

/* Whether some call of that kind ended so. scheme NULL: any but none; base NULL: any; op OP_NONE: any; status 0: any. */
static bool saw(const struct prove *p, const char *scheme, const char *base, enum rms_op_id op,
                enum prove_outcome outcome, unsigned status)
{
	for (size_t i = 0; i < p->call_count; i++) {
		const struct prove_call *c = &p->calls[i];
		if ((scheme ? is(c, scheme) : !is(c, "none")) && (!base || strcmp(c->base, base) == 0) &&
		    (op == OP_NONE || c->op == op) && c->answer.outcome == outcome &&
		    (!status || c->answer.status == status))
			return true;
	}
	return false;
}

/* What was neither answered nor clearly refused stays open: a service that is out of order says nothing about a tenant. */
void prove_questions(const struct prove *p, const struct prove_verdict *v,
                     struct prove_question out[static PROVE_QUESTIONS])
{
	bool tried = p->is_token && p->has_words && v->result != PROVE_UNREACHABLE;
	bool all_open = v->result == PROVE_USABLE && !v->shows_token;
	bool refused = saw(p, NULL, NULL, OP_NONE, PROVE_REFUSED, 0);
	settle(&out[0], "token_accepted", "Does the service take an application's token at its SOAP addresses?",
	       !tried || all_open ? PROVE_OPEN
	       : v->shows_token   ? PROVE_YES
	       : refused          ? PROVE_NO
	                          : PROVE_OPEN,
	       !tried           ? "no token was tried"
	       : all_open       ? "it answers the same without a token, so it need not have looked at this one"
	       : v->shows_token ? "it refuses without the token what it answers with it"
	       : refused        ? "it refuses this token; without the permissions and their consent it would, too"
	                        : "it neither answers nor refuses it");
	bool no_word = !tried || all_open || (!v->bearer && !v->msoid);
	settle(&out[1], "scheme", "Is the word before the token Bearer?",
	       no_word     ? PROVE_OPEN
	       : v->bearer ? PROVE_YES
	                   : PROVE_NO,
	       no_word                 ? "nothing shows it"
	       : v->bearer && v->msoid ? "Bearer and MSOID are both taken"
	       : v->bearer             ? "MSOID is not answered"
	                               : "it is MSOID; Bearer is not answered");
	bool absent = saw(p, NULL, "/_wmcs/oauth2", OP_NONE, PROVE_OTHER, 404);
	settle(&out[2], "oauth2_path", "Are certification and licensing also below /_wmcs/oauth2?",
	       !tried           ? PROVE_OPEN
	       : v->oauth2_base ? PROVE_YES
	       : absent         ? PROVE_NO
	                        : PROVE_OPEN,
	       !tried           ? "no token was tried"
	       : v->oauth2_base ? "something was answered there"
	       : absent         ? "404: nothing is there"
	                        : "nothing was answered there, but it did not say that nothing is there");
	bool closed = saw(p, "none", NULL, OP_FIND_SERVICE_LOCATIONS, PROVE_REFUSED, 0) ||
	              saw(p, "none", NULL, OP_FIND_SERVICE_LOCATIONS, PROVE_FAULT, 0);
	settle(&out[3], "anonymous_locations",
	       "Does the service answer FindServiceLocations to callers without credential?",
	       v->anonymous_locations ? PROVE_YES
	       : closed               ? PROVE_NO
	                              : PROVE_OPEN,
	       v->anonymous_locations ? "it was answered"
	       : closed               ? "it was refused"
	                              : "it was neither answered nor refused");
	settle(&out[4], "licences", "Does this identity get certificates and licences, not only descriptions?",
	       v->licences ? PROVE_YES : PROVE_OPEN,
	       v->licences ? "a recorded request was answered"
	                   : "not shown: give a recorded Certify or AcquireLicense with --body");
	char until[120];
	snprintf(until, sizeof(until), "its certificate is good until %s", v->until ? v->until : "");
	settle(&out[5], "certificate_life", "Is it known how long an account's certificate is good?",
	       v->until ? PROVE_YES : PROVE_OPEN, v->until ? until : "an answer to Certify would show it");
}
