#include "core/relay/authn.h"

#include "core/base/log.h"
#include "core/relay/ntlm_callers.h"
#include "core/relay/told.h"
#include "proto/negotiate.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what the connection knows ---- */

void authn_forget(struct client_conn *c)
{
	struct relay *r = c->relay;
	if (c->proven) {
		principal_unref(&r->principals, c->who);
	} else if (c->mid_logon) {
		authd_client_leave(&r->authd, c->logon->epoch, c->logon->conversation);
		free(c->logon);
	}
	c->who = NULL;
	c->proven = c->mid_logon = false;
}

void authn_per_request(struct client_conn *c, const char *sign)
{
	char address[64];
	authn_forget(c);
	if (c->per_request)
		return;
	c->per_request = true;
	metric_add(c->relay->metrics, METRIC_per_request_connections, 0, 0, 1);
	client_conn_address(c, address);
	if (told_once(TOLD_PROXY_SIGNS, c->address))
		event_log(EVENT_PROXY_SIGNS,
		          "%s: %s. No identity is kept on this connection: each request needs its own Kerberos "
		          "ticket. If a "
		          "proxy that reads HTTP stands there, write behind: l7 at this listener; if it should not, "
		          "remove it",
		          address, sign);
}

void authn_look_for_proxy(struct exchange *x)
{
	static const enum http_header_id signs[] = {HDR_X_FORWARDED, HDR_VIA, HDR_FORWARDED, HDR_X_REAL_IP};
	const struct http_head *head = &x->relay->head;
	char sign[80];
	if (x->client->per_request)
		return;
	for (size_t i = 0; i < ARRAY_COUNT(signs); i++) {
		if (!http_head_has(head, signs[i]))
			continue;
		struct slice name = slice_until(head->headers[head->first[signs[i]] - 1].name, 40);
		snprintf(sign, sizeof(sign), "its request has the header %.*s", SLICE_ARG(name));
		authn_per_request(x->client, sign);
		return;
	}
}

const char *authn_challenge(const struct relay *r, const struct client_conn *c)
{
	return r->ntlm && !c->per_request ? "WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n"
	                                  : "WWW-Authenticate: Negotiate\r\n";
}

/* ---- refusals ---- */

static struct err refuse(struct exchange *x, const char *what, const char *mend)
{
	struct client_conn *c = x->client;
	struct authn *a = x->authn;
	char address[64];
	if (c->failures < AUTHN_FAILURES_MAX)
		c->failures++;
	/* An NTLM client goes on with its broken conversation otherwise. */
	a->ends_connection = a->ntlm || c->failures == AUTHN_FAILURES_MAX;
	event_log(EVENT_PRINCIPAL_INVALID, "%s: %s%s%s%s. %s", client_conn_address(c, address), what,
	          a->detail ? " (" : "", a->detail ? a->detail : "", a->detail ? ")" : "", mend);
	return ERR_OF(LOGON_FAILED, .what = what);
}

/* NTLM is off. token: as it came, may be empty; what it says of its sender helps whoever looks for that machine. */
static struct err refuse_ntlm(struct exchange *x, struct slice token)
{
	static const char signature[] = "NTLMSSP";
	const char *bare = token.len ? memmem(token.at, token.len, signature, sizeof(signature)) : NULL;
	struct ntlm_names names;
	char address[64];
	ntlm_names_read(bare ? slice_from(token, (size_t)(bare - token.at)) : token, &names);
	ntlm_callers_refused(client_conn_address(x->client, address), &names, http_head_get(&x->relay->head, HDR_HOST));
	x->authn->ends_connection = true;
	return ERR_OF(LOGON_FAILED, .what = authd_reason_row(AUTHD_NTLM_OFF)->text);
}

static struct err refuse_for(struct exchange *x, enum authd_reason reason)
{
	const struct authd_reason_row *row = authd_reason_row(reason);
	switch (reason) {
	case AUTHD_KEYTAB_UNUSABLE: /* nothing is wrong with the caller: it shall come again */
	case AUTHD_BUSY:
	case AUTHD_LATE:
	case AUTHD_INTERNAL:
	case AUTHD_NTLM_UNAVAILABLE:
		return ERR_OF(AUTH_UNAVAILABLE, .what = row->text);
	case AUTHD_NTLM_OFF:
		return refuse_ntlm(x, slice_of(NULL, 0));
	default:
		return refuse(x, row->text, row->mend);
	}
}

/* ---- to authd ---- */

/* A number for the caller's address. */
static uint64_t origin_of(struct client_conn *c)
{
	char text[64];
	uint64_t hash = 14695981039346656037ull;
	client_conn_address(c, text);
	for (size_t i = 0; i < sizeof(c->address); i++)
		hash = (hash ^ c->address[i]) * 1099511628211ull;
	return hash;
}

static bool continues(const struct negotiate_offer *offer)
{
	return offer->kind == TOKEN_SPNEGO_NEXT || (offer->kind == TOKEN_NTLM && offer->ntlm_type != 1);
}

static struct err ask(struct exchange *x, const struct negotiate_offer *offer, uint64_t conversation)
{
	struct relay *r = x->relay;
	enum channel_binding how = x->client->entrance->binding;
	struct authd_request q = {.conversation = conversation,
	                          .origin = origin_of(x->client),
	                          .wait_ms = r->settings->auth_timeout_ms,
	                          .flags = (x->client->tls ? AUTHD_OVER_TLS : 0) |
	                                   (how == BINDING_REQUIRE ? AUTHD_BINDING_REQUIRED : 0),
	                          .binding = how == BINDING_OFF ? SLICE("") : stream_end_point(&x->client->io),
	                          .token = offer->token};
	return authd_client_ask(&r->authd, &x->authn->call, &q)
	               ? OK
	               : ERR_OF(AUTH_UNAVAILABLE, .what = r->authd.up ? "too many callers wait to be authenticated"
	                                                              : "rms-connector-authd is not there");
}

/* The token is one that authd should see, in the place where it comes. conversation: of an earlier leg on this connection, or 0. */
static struct err consider(struct exchange *x, const struct negotiate_offer *offer, const struct logon *before)
{
	struct relay *r = x->relay;
	struct authn *a = x->authn;
	bool next = continues(offer);
	a->ntlm = offer->kind == TOKEN_NTLM || offer->kind == TOKEN_SPNEGO_NTLM || offer->ntlm_type ||
	          (next && before && before->ntlm);
	if (offer->kind == TOKEN_UNKNOWN)
		return refuse_for(x, AUTHD_MALFORMED);
	if (a->ntlm && !r->ntlm)
		return refuse_ntlm(x, offer->token);
	if (a->ntlm && x->client->per_request)
		return refuse(x, "NTLM proves a whole connection, and this one may carry requests of several callers",
		              "Let the caller use Kerberos");
	if (!next)
		return ask(x, offer, 0);
	/* An answer to a question that was not asked on this connection, or by an authd that is gone. */
	if (!before || before->scheme != a->scheme || before->epoch != r->authd.epoch || x->client->per_request)
		return refuse_for(x, AUTHD_CONVERSATION);
	return ask(x, offer, before->conversation);
}

static void on_done(struct authd_call *call, const struct authd_reply *reply);

static struct err evaluate(struct exchange *x, const char *odd, const struct negotiate_offer *offer,
                           const struct logon *before)
{
	x->authn = calloc(1, sizeof(*x->authn));
	if (!x->authn)
		return ERR_OF(NO_MEMORY);
	*x->authn = (struct authn){.x = x, .scheme = (uint8_t)offer->scheme, .call = {.done = on_done}};
	if (odd)
		return refuse(x, odd, "Look at what the caller, or a proxy before it, sends");
	if (offer->scheme == SCHEME_OTHER)
		return refuse(x, "its Authorization is neither Negotiate nor NTLM",
		              "Let the caller use Windows authentication");
	return consider(x, offer, before);
}

struct err authn_begin(struct exchange *x)
{
	struct relay *r = x->relay;
	struct client_conn *c = x->client;
	struct slice value = http_head_get(&r->head, HDR_AUTHORIZATION);
	struct logon before = {0};
	bool between = c->mid_logon;
	if (between) { /* it goes on here, or never */
		before = *c->logon;
		free(c->logon);
		c->logon = NULL;
		c->mid_logon = false;
	}
	authn_forget(c);
	struct negotiate_offer offer = {0};
	const char *odd = NULL;
	if (value.at) /* decoded in place: the head lies in memory of ours, and this header goes nowhere else */
		odd = negotiate_read(value, (char *)(uintptr_t)value.at, &offer);
	struct err why = ERR_OF(LOGON_REQUIRED);
	bool bare_word = !odd && offer.scheme != SCHEME_OTHER && offer.token.len == 0;
	if (value.at && !bare_word)
		why = evaluate(x, odd, &offer, between ? &before : NULL);
	/* A conversation that this request did not take up is over. */
	if (between && (why.code || !continues(&offer)))
		authd_client_leave(&r->authd, before.epoch, before.conversation);
	return why;
}

/* ---- from authd ---- */

static bool make_line(struct authn *a, struct slice token)
{
	static const char start[] = "WWW-Authenticate: ";
	size_t n = sizeof(start) - 1 + negotiate_answer_len(token.len) + 2;
	if (token.len == 0)
		return true;
	a->line = n <= AUTHN_LINE_BYTES ? malloc(n) : NULL;
	if (!a->line)
		return false;
	memcpy(a->line, start, sizeof(start) - 1);
	n = sizeof(start) - 1;
	n += negotiate_answer((enum negotiate_scheme)a->scheme, token, a->line + n);
	memcpy(a->line + n, "\r\n", 2);
	a->line_len = n + 2;
	return true;
}

static struct err judge(struct authn *a, const struct authd_reply *reply)
{
	struct exchange *x = a->x;
	struct relay *r = x->relay;
	if (reply->detail.len)
		a->detail = strndup(reply->detail.at, reply->detail.len);
	metric_add(r->metrics, METRIC_authentications,
	           reply->outcome == AUTHD_CONTINUE ? AUTHD_REASON_COUNT : reply->reason, 0, 1);
	if (reply->outcome == AUTHD_REFUSED)
		return refuse_for(x, reply->reason);
	if (reply->outcome == AUTHD_CONTINUE) {
		a->conversation = reply->conversation;
		a->epoch = r->authd.epoch;
		if (x->client->per_request)
			return refuse(x,
			              "its authentication needs several legs, and this connection may carry "
			              "requests of several callers",
			              "Let the caller use Kerberos");
		return make_line(a, reply->answer) ? ERR_OF(LOGON_REQUIRED) : ERR_OF(NO_MEMORY);
	}
	if (reply->mechanism == AUTHD_NTLM && (!r->ntlm || x->client->per_request))
		return refuse_for(x, AUTHD_NTLM_OFF);
	a->ntlm = reply->mechanism == AUTHD_NTLM;
	a->who = principal_intern(&r->principals, reply, r->settings->auth_max_age_s, loop_now(r->loop),
	                          clock_wall() / 1000000);
	return a->who && make_line(a, reply->answer) ? OK : ERR_OF(NO_MEMORY);
}

static void on_done(struct authd_call *call, const struct authd_reply *reply)
{
	struct authn *a = container_of(call, struct authn, call);
	a->end = reply ? judge(a, reply)
	               : ERR_OF(AUTH_UNAVAILABLE, .what = "rms-connector-authd went away before it answered");
	exchange_run_later(a->x, EV_AUTH_DONE);
}

struct err authn_end(struct exchange *x)
{
	struct client_conn *c = x->client;
	struct authn *a = x->authn;
	if (a->end.code == ERR_LOGON_REQUIRED && a->conversation) {
		struct logon *l = malloc(sizeof(*l));
		if (!l)
			return ERR_OF(NO_MEMORY);
		*l = (struct logon){a->conversation, a->epoch, a->scheme, a->ntlm};
		a->conversation = 0;
		c->logon = l;
		c->mid_logon = true;
	}
	if (a->end.code)
		return a->end;
	uint32_t account = principal_account_hash(a->who);
	metric_add(x->relay->metrics, METRIC_authenticated, a->who->how - AUTHD_KERBEROS, 0, 1);
	if (c->spoke_as && c->spoke_as != account)
		authn_per_request(c, "it speaks for a second account");
	c->spoke_as = account;
	c->failures = 0;
	c->who = a->who;
	c->proven = true;
	a->who = NULL;
	return OK;
}

void authn_cancel(struct exchange *x)
{
	if (x->authn)
		authd_client_cancel(&x->relay->authd, &x->authn->call);
}

void authn_free(struct exchange *x)
{
	struct authn *a = x->authn;
	if (!a)
		return;
	authn_cancel(x);
	if (a->conversation)
		authd_client_leave(&x->relay->authd, a->epoch, a->conversation);
	principal_unref(&x->relay->principals, a->who);
	free(a->line);
	free(a->detail);
	free(a);
	x->authn = NULL;
}
