#include "core/ctl/ctl_prove_tell.h"

#include "core/base/clock.h"
#include "core/ctl/ctl_print.h"

static const char *result_word(enum prove_result r)
{
	return r == PROVE_USABLE ? "usable" : r == PROVE_DENIED ? "refused" : "unreachable";
}

static const char *settled_word(enum prove_settled s)
{
	return s == PROVE_YES ? "yes" : s == PROVE_NO ? "no" : "open";
}

static void put(json_t *o, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(o, key, json_string(text));
}

static json_t *call_json(const struct prove_call *c)
{
	const struct prove_answer *a = &c->answer;
	json_t *o = json_object();
	put(o, "path", c->path);
	put(o, "base", c->base);
	json_object_set_new(o, "operation", json_stringn(rms_ops[c->op].name.at, rms_ops[c->op].name.len));
	put(o, "scheme", c->scheme);
	json_object_set_new(o, "recorded", json_boolean(c->body != NULL));
	put(o, "outcome", prove_outcome_word(a->outcome));
	json_object_set_new(o, "status", json_integer(a->status));
	json_object_set_new(o, "ms", json_real((double)c->took / 1000.0));
	put(o, "problem", c->problem);
	put(o, "fault", a->fault);
	put(o, "challenge", a->challenge);
	put(o, "location", a->location);
	put(o, "content_type", a->content_type);
	put(o, "server", a->server);
	put(o, "until", a->until);
	if (a->status) {
		json_object_set_new(o, "bytes", json_integer((json_int_t)a->bytes));
		put(o, "sha256", a->sha256);
	}
	return o;
}

static json_t *verdict_json(const struct prove *p, const struct prove_verdict *v)
{
	struct prove_question questions[PROVE_QUESTIONS];
	json_t *o = json_object(), *list = json_array();
	put(o, "result", result_word(v->result));
	put(o, "path", v->base ? v->base : "");
	put(o, "scheme", v->scheme ? v->scheme : "");
	json_object_set_new(o, "answered", json_integer(v->good));
	json_object_set_new(o, "tried", json_integer(v->of));
	json_object_set_new(o, "shows_token", json_boolean(v->shows_token));
	prove_questions(p, v, questions);
	for (size_t i = 0; i < PROVE_QUESTIONS; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "id", questions[i].id, "question",
		                                      questions[i].text, "answer", settled_word(questions[i].answer),
		                                      "why", questions[i].why));
	json_object_set_new(o, "questions", list);
	return o;
}

json_t *ctl_prove_transcript(const struct prove *p, const struct prove_verdict *v)
{
	char at[25];
	json_t *o = json_object(), *login = json_object(), *calls = json_array();
	clock_format(clock_wall(), at);
	json_object_set_new(o, "version", json_integer(1));
	put(o, "kind", "upstream-proof");
	put(o, "at", at);
	put(o, "program", RMS_VERSION);
	put(o, "service", p->settings->upstream_url);
	put(o, "cloud", p->settings->upstream_cloud);
	put(o, "credential", credential_kind_word(p->settings->credentials[0].kind));
	put(login, "outcome",
	    !p->is_token          ? "not_needed"
	    : p->login_refused    ? "refused"
	    : p->login_problem[0] ? "unreachable"
	    : p->has_words        ? "token"
	                          : "not_tried");
	if (p->login_code)
		json_object_set_new(login, "code", json_integer(p->login_code));
	put(login, "problem", p->login_problem);
	json_object_set_new(o, "login", login);
	for (size_t i = 0; i < p->call_count; i++)
		if (p->calls[i].answer.outcome != PROVE_NOT_TRIED)
			json_array_append_new(calls, call_json(&p->calls[i]));
	json_object_set_new(o, "calls", calls);
	json_object_set_new(o, "verdict", verdict_json(p, v));
	return o;
}

/* ---- for people ---- */

static void put_calls(FILE *out, const struct prove *p)
{
	size_t wide = 0;
	for (size_t i = 0; i < p->call_count; i++)
		wide = strlen(p->calls[i].path) > wide ? strlen(p->calls[i].path) : wide;
	fprintf(out, "%-8s  %-*s  %-27s %-6s %8s  %s\n", "with", (int)wide, "path", "operation", "status", "ms",
	        "answer");
	for (size_t i = 0; i < p->call_count; i++) {
		const struct prove_call *c = &p->calls[i];
		const struct prove_answer *a = &c->answer;
		char status[8] = "-";
		if (a->outcome == PROVE_NOT_TRIED)
			continue;
		if (a->status)
			snprintf(status, sizeof(status), "%u", a->status);
		fprintf(out, "%-8s  %-*s  %-27.*s %-6s %8.1f  %s", c->scheme, (int)wide, c->path,
		        SLICE_ARG(rms_ops[c->op].name), status, (double)c->took / 1000.0,
		        prove_outcome_word(a->outcome));
		const char *more = a->fault[0]       ? a->fault
		                   : a->challenge[0] ? a->challenge
		                   : a->location[0]  ? a->location
		                                     : c->problem;
		if (*more) {
			fputs(": ", out);
			ctl_print_text(out, more);
		}
		fputc('\n', out);
	}
}

static void put_settings(FILE *out, const struct prove *p, const struct prove_verdict *v)
{
	fprintf(out, "\nUsable: %u of %u operations are answered at %s with %s.\n", v->good, v->of, v->base, v->scheme);
	if (!v->shows_token)
		fputs("It answers the same without the credential, so nothing is proven about it. Give a recorded "
		      "Certify with --body.\n",
		      out);
	fprintf(out, "Settings:\n  upstream:\n    url: %s\n    path: %s\n", p->settings->upstream_url, v->base);
	if (p->is_token)
		fprintf(out, "  credentials:\n    - ...\n      scheme: %s\n", v->scheme);
}

static void put_questions(FILE *out, const struct prove *p, const struct prove_verdict *v)
{
	struct prove_question questions[PROVE_QUESTIONS];
	prove_questions(p, v, questions);
	fputs("\nWhat this settles:\n", out);
	for (size_t i = 0; i < PROVE_QUESTIONS; i++) {
		fprintf(out, "  %-4s  %s\n        ", settled_word(questions[i].answer), questions[i].text);
		ctl_print_text(out, questions[i].why);
		fputc('\n', out);
	}
	fputs("  open  How the service learns for which authorized server a request is, and grants an Exchange server "
	      "its super-user right\n"
	      "        no single request shows it: let an Exchange server open a message that was protected for "
	      "others\n",
	      out);
}

void ctl_prove_tell(FILE *out, const struct prove *p, const struct prove_verdict *v)
{
	fprintf(out, "%s, credential of the kind %s\n\n", p->settings->upstream_url,
	        credential_kind_word(p->settings->credentials[0].kind));
	put_calls(out, p);
	if (p->login_problem[0]) {
		fprintf(out, "\nNo token: ");
		ctl_print_text(out, p->login_problem);
		fputc('\n', out);
	}
	if (v->result == PROVE_USABLE)
		put_settings(out, p, v);
	else if (v->result == PROVE_UNREACHABLE)
		fprintf(out, "\nNot reached: nothing is proven. Names, firewall and certificates come before the "
		             "credential.\n");
	else
		fprintf(out, "\nRefused: %s\n",
		        p->login_refused ? "the login service gives no token. Mend what it says, and try again."
		        : p->has_words ? "the service was reached and took this credential at none of these addresses."
		                       : "the service was reached; there was nothing to prove oneself with.");
	if (v->result != PROVE_UNREACHABLE)
		put_questions(out, p, v);
}
