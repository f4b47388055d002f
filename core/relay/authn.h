/* Who is speaking: the conversation of Authorization and WWW-Authenticate between a caller and authd. What was proven belongs to the connection and to
 * nothing else; it is forgotten at the next Authorization, whatever becomes of that, and at the identity's end.
 *
 *   no header     known: go on. Else 401 "Negotiate" [, "NTLM"]
 *   a first token -> authd -> DONE: go on, the mutual token goes on the answer   CONTINUE: 401 with a token, same connection   REFUSED: 401
 *   authd away, slow or busy: 429, never a wrong answer */
#pragma once
#include "core/relay/exchange.h"
#include "core/relay/principal.h"

enum { AUTHN_FAILURES_MAX = 3, AUTHN_LINE_BYTES = 16 * 1024 };

struct logon { /* a connection between two legs; owned by it */
	uint64_t conversation;
	uint32_t epoch;
	uint8_t scheme;
	bool ntlm;
};

struct authn { /* an exchange that brought an Authorization; owned by it */
	struct exchange *x;
	struct authd_call call;
	uint8_t scheme; /* enum negotiate_scheme */
	bool ntlm;
	bool ends_connection;  /* after the answer */
	struct err end;        /* OK: who was proven */
	struct principal *who; /* ref, until the connection has it */
	uint64_t conversation; /* to go on with; until the connection has it */
	uint32_t epoch;        /* of authd's connection that it came over */
	char *line;            /* "WWW-Authenticate: Negotiate ...\r\n" for the answer, whatever that is; NULL: none */
	size_t line_len;
	char *detail; /* of authd, for the log; may be NULL */
};

/* The connection has an identity that this request may use: a check of a pointer and of a time. */
static inline bool authn_is_known(const struct exchange *x)
{
	const struct client_conn *c = x->client;
	return c->proven && !http_head_has(&x->relay->head, HDR_AUTHORIZATION) &&
	       loop_now(x->relay->loop) < c->who->until;
}

/* The request in relay->head is not of a known caller. OK: authd was asked, EV_AUTH_DONE comes. Else the answer to give. */
struct err authn_begin(struct exchange *x);
/* EV_AUTH_DONE. OK: client->who is proven. Else the answer to give. */
struct err authn_end(struct exchange *x);
/* Nobody waits for authd any more. */
void authn_cancel(struct exchange *x);
/* With the exchange. */
void authn_free(struct exchange *x);

/* The connection knows nobody any more. */
void authn_forget(struct client_conn *c);
/* From now on each request of this connection needs its own Authorization: something stands between that may mix callers. */
void authn_per_request(struct client_conn *c, const char *sign);
/* Looks for headers that only such a thing adds; before authn_is_known(). */
void authn_look_for_proxy(struct exchange *x);

/* The header line that goes on this exchange's answer, whatever it is; may be empty. */
static inline struct slice authn_line(const struct exchange *x)
{
	return x->authn ? slice_of(x->authn->line, x->authn->line_len) : SLICE("");
}
/* The header lines of a 401 that begins a conversation. */
const char *authn_challenge(const struct relay *r, const struct client_conn *c);
