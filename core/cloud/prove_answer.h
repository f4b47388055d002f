/* What an answer of the service says about a try, in words that hold neither a token nor a licence. Pure. */
#pragma once
#include "core/base/slice.h"
#include "proto/http_msg.h"
#include "proto/rms_op.h"

enum prove_outcome {
	PROVE_NOT_TRIED,
	PROVE_GOOD,       /* 200 and the operation's own answer */
	PROVE_FAULT,      /* a SOAP fault */
	PROVE_REFUSED,    /* 401, 403 */
	PROVE_REDIRECTED, /* 3xx */
	PROVE_OTHER,      /* any other answer, a page or a 404 for instance */
	PROVE_LOST,       /* no answer */
	PROVE_OUTCOMES
};
/* "good", "fault", ... */
const char *prove_outcome_word(enum prove_outcome o);

struct prove_answer {
	enum prove_outcome outcome;
	uint16_t status; /* 0: no answer */
	uint64_t bytes;  /* of the body */
	char sha256[65]; /* of the body, in hex */
	char fault[300], content_type[80], challenge[200], location[200], server[80];
	char until[32]; /* of an answer to Certify: how long the account's certificate is good */
};

/* Printable ASCII only. secret: what must not be in there, empty for none: a text that holds it is left out whole. */
void prove_answer_read(struct prove_answer *out, enum rms_op_id op, const struct http_head *head, struct slice body,
                       struct slice secret);
