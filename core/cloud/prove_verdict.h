/* What the calls of a proof show, and what they do not. Pure. */
#pragma once
#include "core/cloud/prove.h"

enum prove_result {
	PROVE_USABLE,      /* with these settings the service answers; see shows_token */
	PROVE_DENIED,      /* by the login service or by the service itself */
	PROVE_UNREACHABLE, /* one of both was not reached */
};

struct prove_verdict {
	enum prove_result result;
	const char *base, *scheme; /* the best way; NULL: there is none */
	unsigned good, of;         /* of its probes */
	bool shows_token; /* something was refused without the credential and answered with it, so the service has looked at it */
	unsigned licences;                                    /* recorded requests that it answered */
	bool oauth2_base, msoid, bearer, anonymous_locations; /* some call was answered so */
	const char *until;                                    /* of the account's certificate; NULL: not known */
};
void prove_conclude(const struct prove *p, struct prove_verdict *out);

/* One of the questions that public documents leave open, and what this proof says to it: true, false or nothing. */
enum prove_settled { PROVE_OPEN, PROVE_YES, PROVE_NO };
struct prove_question {
	const char *id, *text; /* "token_accepted", "Does the service take an application's token ...?" */
	enum prove_settled answer;
	char why[200];
};
enum { PROVE_QUESTIONS = 6 };
void prove_questions(const struct prove *p, const struct prove_verdict *v,
                     struct prove_question out[static PROVE_QUESTIONS]);
