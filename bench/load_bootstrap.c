#include "bench/load_bootstrap.h"

#include "bench/load_conn.h"
#include "bench/load_proof.h"
#include "bench/load_report.h"
#include "bench/rms_check.h"
#include "bench/xrml.h"
#include "core/base/check.h"

#include <stdlib.h>

enum { RECIPIENTS = 100, TEMPLATES_MAX = 25, TEMPLATES_TOTAL_MAX = 200 };

struct learned { /* what later steps compare with */
	size_t templates;
	char *rac_modulus; /* base64, of the RAC's own key */
};

struct row {
	enum rms_op_id op;
	unsigned path;
	const char *label;
	unsigned items;
	const char *feature; /* that Exchange wants here, or a service of version 6.1.0.0 */
	/* NULL when fine, else words. */
	const char *(*check)(struct slice answer, struct learned *l);
};

/* ---- what a server looks for in the answers ---- */

static size_t find(struct slice in, const char *what)
{
	const char *hit = in.len ? memmem(in.at, in.len, what, strlen(what)) : NULL;
	return hit ? (size_t)(hit - in.at) : SIZE_MAX;
}

/* The value of an attribute of the next element of that name at or after *at. */
static bool element_attribute(struct slice in, size_t *at, const char *element, const char *attribute,
                              struct slice *out)
{
	for (;;) {
		struct slice rest = slice_from(in, *at);
		size_t start = find(rest, element);
		if (start == SIZE_MAX)
			return false;
		struct slice tag = slice_from(rest, start);
		tag = slice_until(tag, slice_find(tag, '>'));
		*at += start + tag.len;
		char name[64];
		snprintf(name, sizeof(name), " %s=\"", attribute);
		size_t value = find(tag, name);
		if (value == SIZE_MAX)
			continue;
		*out = slice_from(tag, value + strlen(name));
		*out = slice_until(*out, slice_find(*out, '"'));
		return true;
	}
}

/* Exchange's gate: the feature, or a version that compares, as text, at or above 6.1.0.0. */
static bool gate_is_open(struct slice answer, const char *feature)
{
	struct slice value;
	char element[96];
	snprintf(element, sizeof(element), "<Feature Name=\"%s\"", feature);
	size_t at = 0;
	if (element_attribute(answer, &at, element, "Value", &value) && slice_equal_nocase(value, SLICE("true")))
		return true;
	at = 0;
	while (element_attribute(answer, &at, "<VersionInfo", "Version", &value)) {
		char version[32];
		snprintf(version, sizeof(version), "%.*s", SLICE_ARG(slice_until(value, 31)));
		if (strcmp(version, "6.1.0.0") >= 0)
			return true;
	}
	return false;
}

static const char *check_locations(struct slice answer, struct learned *l)
{
	if (find(answer, "<URL/>") != SIZE_MAX || find(answer, "<URL />") != SIZE_MAX ||
	    find(answer, "<URL></URL>") != SIZE_MAX)
		return "a service has no address";
	return find(answer, "<URL>http") == SIZE_MAX ? "no service has an address" : NULL;
}

/* The first certificate of a chain has a kind, and certificates of its issuers follow. */
static const char *check_chain(struct slice answer, const char *kind, size_t at_least, struct xrml *first)
{
	size_t at = 0, count = 0;
	struct xrml x;
	while (xrml_next(answer, &at, &x)) {
		if (count++ == 0)
			*first = x;
	}
	if (count < at_least)
		return "the chain is shorter than it should be";
	return slice_equal(first->type, slice_str(kind)) ? NULL
	                                                 : "the first certificate of the chain is of another kind";
}

static const char *check_licensor(struct slice answer, struct learned *l)
{
	struct xrml x;
	return check_chain(answer, "Server-Licensor-Certificate", 2, &x);
}

static const char *check_rac(struct slice answer, struct learned *l)
{
	struct xrml x;
	const char *why = check_chain(answer, "Group-Identity-Credential", 3, &x);
	if (why)
		return why;
	if (!x.subject_modulus.len)
		return "the account certificate holds no key";
	free(l->rac_modulus);
	l->rac_modulus = strndup(x.subject_modulus.at, x.subject_modulus.len);
	return find(answer, "<Quota>") == SIZE_MAX ? "the quota is missing" : NULL;
}

static const char *check_clc(struct slice answer, struct learned *l)
{
	struct xrml x;
	return check_chain(answer, "Client-Licensor-Certificate", 2, &x);
}

static const char *check_template_information(struct slice answer, struct learned *l)
{
	size_t at = find(answer, "<GuidHashCount>"), count = 0;
	if (at == SIZE_MAX)
		return "the number of templates is missing";
	struct slice rest = slice_from(answer, at + strlen("<GuidHashCount>"));
	unsigned long said = 0;
	for (; rest.len && rest.at[0] >= '0' && rest.at[0] <= '9' && said <= TEMPLATES_TOTAL_MAX;
	     rest = slice_from(rest, 1))
		said = said * 10 + (unsigned long)(rest.at[0] - '0');
	for (size_t next; (next = find(rest, "<GuidHash>")) != SIZE_MAX; count++)
		rest = slice_from(rest, next + 1);
	if (said > TEMPLATES_TOTAL_MAX)
		return "more than 200 templates: Exchange takes none then";
	if (said != count)
		return "the number of templates is not the one that was announced";
	l->templates = count;
	return NULL;
}

/* The licence is for the account certificate that came a few answers ago, not for somebody else. */
static const char *check_license(struct slice answer, struct learned *l)
{
	struct xrml x;
	const char *why = check_chain(answer, "Content-License", 2, &x);
	if (!why && !(l->rac_modulus && slice_equal(x.subject_modulus, slice_str(l->rac_modulus))))
		why = "the licence is for another account";
	return why;
}

static const struct row rows[] = {
        {OP_GET_SERVER_INFO, 0, "GetServerInfo, certification", 0, "ServerCertificationSharedIdentity", NULL},
        {OP_GET_SERVER_INFO, 1, "GetServerInfo, licensing", 0, "MultiForestAcquirePreLicense", NULL},
        {OP_FIND_SERVICE_LOCATIONS, 0, "FindServiceLocations", 0, NULL, check_locations},
        {OP_FIND_SERVICE_LOCATIONS_FOR_USER, 0, "FindServiceLocationsForUser", 0, NULL, check_locations},
        {OP_GET_LICENSOR_CERTIFICATE, 0, "GetLicensorCertificate", 0, NULL, check_licensor},
        {OP_CERTIFY, 0, "Certify", 0, NULL, check_rac},
        {OP_GET_CLIENT_LICENSOR_CERT, 0, "GetClientLicensorCert", 0, NULL, check_clc},
        {OP_ACQUIRE_TEMPLATE_INFORMATION, 0, "AcquireTemplateInformation", 0, NULL, check_template_information},
        {OP_ACQUIRE_TEMPLATES, 0, "AcquireTemplates", 0, NULL, NULL},
        {OP_ACQUIRE_LICENSE, 0, "AcquireLicense", 1, NULL, check_license},
        {OP_ACQUIRE_PRELICENSE, 0, "AcquirePreLicense, 100 recipients", RECIPIENTS, NULL, NULL},
};
_Static_assert(ARRAY_COUNT(rows) <= LOAD_STEPS_MAX, "room for each step");

/* ---- one call at a time ---- */

struct call {
	struct loop loop;
	struct load_link link;
	struct load_conn conn;
	struct tls_client *tls;
	struct load_answer answer;
	bool answered;
	struct load_proof proof;
};

static void on_answer(struct load_conn *c, struct load_answer *a)
{
	struct call *call = container_of(c, struct call, conn);
	call->answer = *a;
	a->body = NULL; /* ours now */
	call->answered = true;
}

static void on_closed(struct load_conn *c)
{
	load_proof_forget(&container_of(c, struct call, conn)->proof);
}

static const struct load_conn_events events = {.on_answer = on_answer, .on_closed = on_closed};

static struct err call_open(struct call *call, const struct load_options *o, const struct load_target *to,
                            struct load_auth *auth)
{
	*call = (struct call){0};
	load_proof_init(&call->proof, auth, CALLER_EXCHANGE, (size_t)(to - o->targets));
	TRY(loop_init(&call->loop));
	load_link_init(&call->link, &call->loop, &events, (uint32_t)(o->timeout_s * 1000));
	struct tls_client_options tls = {
	        .ca_file = o->ca_file, .host = to->uri.host, .resume = o->resume, .insecure_no_verify = o->insecure};
	struct err failed = to->uri.tls ? tls_client_new(&tls, &call->tls) : OK;
	load_conn_init(&call->conn, &call->link, (const struct sockaddr *)&to->address, call->tls);
	return failed;
}

static void call_close(struct call *call)
{
	load_conn_close(&call->conn, LOAD_ERROR_UNFINISHED);
	loop_stop(&call->loop);
	loop_run(&call->loop);
	load_link_done(&call->link);
	loop_done(&call->loop);
	tls_client_free(call->tls);
	load_proof_done(&call->proof);
}

static void call_leg(struct call *call, const struct load_request *r)
{
	call->answered = false;
	while (call->conn.state == LOAD_CONN_CLOSING)
		uv_run(&call->loop.uv, UV_RUN_ONCE);
	load_conn_send(&call->conn, r);
	while (!call->answered)
		uv_run(&call->loop.uv, UV_RUN_ONCE);
}

/* With as many legs as it takes. */
static void call_make(struct call *call, const struct load_image *image, bool expect, struct load_auth_counts *counts)
{
	if (!load_proof_begin_waiting(&call->proof)) {
		call->answer =
		        (struct load_answer){.error = LOAD_ERROR_NO_TOKEN, .reason = slice_str(call->proof.reason)};
		return;
	}
	for (;;) {
		struct load_request r = {.bytes = image->bytes,
		                         .len = image->len,
		                         .head_len = image->head_len,
		                         .serial_at = SIZE_MAX,
		                         .expect = expect,
		                         .keep_body = true};
		load_proof_leg(&call->proof, image, &r);
		call_leg(call, &r);
		if (!load_proof_answer(&call->proof, &call->answer, call->conn.state != LOAD_CONN_OPEN, true, counts))
			return;
		free(call->answer.body);
		call->answer.body = NULL;
	}
}

/* ---- the steps ---- */

static void judge(struct load_step *step, const struct row *row, const struct call *call, struct rms_caller *who,
                  struct learned *l, struct load_bootstrap *b)
{
	const struct load_answer *a = &call->answer;
	struct slice body = slice_of(a->body, a->kept ? a->body_bytes : 0);
	struct rms_check check = {0};
	const char *why = NULL;
	size_t items = row->op == OP_ACQUIRE_TEMPLATES ? l->templates : row->items;
	if (items > TEMPLATES_MAX && row->op == OP_ACQUIRE_TEMPLATES)
		items = TEMPLATES_MAX;
	if (a->error) {
		snprintf(step->why, sizeof(step->why), "%s%s%.*s", load_error_row(a->error)->words,
		         a->reason.len ? ": " : "", SLICE_ARG(a->reason));
		return;
	}
	if (a->status != 200) {
		snprintf(step->why, sizeof(step->why), "status %u%s%s%.*s; callers would %s", a->status,
		         a->soap ? " with a SOAP fault" : "", a->reason.len ? ", " : "", SLICE_ARG(a->reason),
		         load_status_effect(a->status, a->soap) == EFFECT_FINAL ? "give up" : "try again later");
		return;
	}
	if (row->op == OP_GET_LICENSOR_CERTIFICATE && !rms_caller_learn(who, row->op, body))
		why = "the tenant's certificate cannot be read";
	if (!why) {
		rms_answer_check(row->op, body, items, rms_caller_slc(who), true, &check);
		why = check.why;
	}
	if (!why && row->feature && !gate_is_open(body, row->feature)) {
		snprintf(step->why, sizeof(step->why),
		         "neither the feature %s nor version 6.1.0.0: Exchange would not use this service",
		         row->feature);
		return;
	}
	if (!why && check.failed_items)
		why = "a part of the answer is an exception";
	if (!why && row->check)
		why = row->check(body, l);
	if (!why && row->op != OP_GET_LICENSOR_CERTIFICATE)
		rms_caller_learn(who, row->op, body); /* not every answer brings something to remember */
	step->items = check.items;
	step->signatures = check.signatures;
	b->signatures += check.signatures;
	b->wrong += check.wrong;
	if (why)
		snprintf(step->why, sizeof(step->why), "%s", why);
}

static void print_step(FILE *out, const struct load_step *s)
{
	char time[16], bytes[32];
	fprintf(out, "  %-34s %3u %9s %10s bytes", s->label, s->status, load_time_text((double)s->took, time),
	        load_count_text(s->bytes, bytes));
	if (s->why[0])
		fprintf(out, "  FAILED: %s\n", s->why);
	else if (s->signatures)
		fprintf(out, "  good, %zu signatures\n", s->signatures);
	else
		fprintf(out, "  good\n");
	fflush(out);
}

static void run_step(struct load_bootstrap *b, const struct load_options *o, const struct row *row, struct call *call,
                     struct rms_caller *who, struct learned *l)
{
	struct load_step *step = &b->steps[b->count++];
	snprintf(step->label, sizeof(step->label), "%s", row->label);
	struct text body = {0}, whole = {0}, empty = {0};
	size_t head_len, ignored;
	struct rms_request_options options = {.soap = SOAP_11, .items = row->items, .serial = b->count};
	rms_request_make(&body, who, row->op, &options);
	struct load_options plain = *o;
	plain.sized = false;
	load_image_write(&whole, &head_len, &plain, b->target, CALLER_EXCHANGE, row->op, row->path, text_slice(&body));
	load_image_write(&empty, &ignored, &plain, b->target, CALLER_EXCHANGE, row->op, row->path, (struct slice){0});
	struct load_image image = {
	        .bytes = whole.at, .len = whole.len, .head_len = head_len, .empty = empty.at, .empty_len = empty.len};
	usec_t start = clock_now();
	call_make(call, &image, o->expect_continue, &b->auth);
	step->took = clock_now() - start;
	step->status = call->answer.status;
	step->bytes = call->answer.body_bytes;
	judge(step, row, call, who, l, b);
	free(call->answer.body);
	text_free(&body);
	text_free(&whole);
	text_free(&empty);
}

struct err load_bootstrap_run(struct load_bootstrap *b, const struct load_options *o, const struct load_target *to,
                              struct load_auth *auth, struct rms_caller *who, FILE *out)
{
	*b = (struct load_bootstrap){.target = to, .good = true};
	struct call *call = malloc(sizeof(*call));
	if (!call)
		return ERR_OF(NO_MEMORY);
	struct err failed = call_open(call, o, to, auth);
	struct learned l = {0};
	if (out && !failed.code)
		fprintf(out, "start of a server at %s\n", to->url);
	for (size_t i = 0; i < ARRAY_COUNT(rows) && b->good && !failed.code; i++) {
		run_step(b, o, &rows[i], call, who, &l);
		const struct load_step *step = &b->steps[b->count - 1];
		b->good = !step->why[0];
		if (out)
			print_step(out, step);
	}
	if (out && !failed.code)
		fprintf(out, "  %zu of %zu calls good, %zu signatures checked, %zu wrong\n", b->count - !b->good,
		        ARRAY_COUNT(rows), b->signatures, b->wrong);
	free(l.rac_modulus);
	if (!failed.code)
		call_close(call);
	free(call);
	return failed;
}
