#include "bench/load_report.h"

#include "bench/load_bootstrap.h"
#include "core/base/check.h"

#include <jansson.h>

#include <errno.h>

/* jansson takes references over (the _new calls), and its failures end in one NULL that json_dumpf refuses. */

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *latency(const struct histogram *h)
{
	static const struct {
		const char *name;
		double percent;
	} rows[] = {{"p50", 50}, {"p75", 75},     {"p90", 90},      {"p95", 95},
	            {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};
	json_t *o = json_object();
	json_object_set_new(o, "count", count(h->count));
	json_object_set_new(o, "min", count(h->count ? h->min : 0));
	json_object_set_new(o, "mean", json_real(histogram_mean(h)));
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		json_object_set_new(o, rows[i].name, count(histogram_percentile(h, rows[i].percent)));
	json_object_set_new(o, "max", count(h->max));
	return o;
}

static json_t *buckets(const struct histogram *h)
{
	json_t *list = json_array();
	for (struct histogram_bucket b = {0}; histogram_next(h, &b);)
		json_array_append_new(
		        list, json_pack("[I,I,I]", (json_int_t)b.low, (json_int_t)b.width, (json_int_t)b.count));
	return list;
}

static json_t *tally(const struct load_tally *t)
{
	json_t *o = json_object();
	json_object_set_new(o, "requests", count(load_tally_requests(t)));
	json_object_set_new(o, "good", count(t->latency.count));
	json_object_set_new(o, "errors", count(t->errors));
	json_object_set_new(o, "bytes_sent", count(t->bytes_sent));
	json_object_set_new(o, "bytes_received", count(t->bytes_got));
	json_object_set_new(o, "latency_us", latency(&t->latency));
	return o;
}

static json_t *asked(const struct load_options *o)
{
	json_t *j = json_object(), *targets = json_array();
	for (size_t i = 0; i < o->target_count; i++)
		json_array_append_new(targets, json_string(o->targets[i].url));
	json_object_set_new(j, "targets", targets);
	json_object_set_new(j, "profile", o->profile ? json_string(o->profile) : json_null());
	json_object_set_new(j, "operation", o->op ? json_stringn(o->op->name.at, o->op->name.len) : json_null());
	if (o->sized) {
		json_object_set_new(j, "request_bytes", count(o->request_bytes));
		json_object_set_new(j, "answer_bytes", count(o->answer_bytes));
	}
	json_object_set_new(j, "rate", o->rate > 0 ? json_real(o->rate) : json_null());
	json_object_set_new(j, "connections", count(o->connections));
	json_object_set_new(j, "in_flight", count(o->in_flight));
	json_object_set_new(j, "threads", count(o->threads));
	json_object_set_new(j, "new_connections", json_boolean(o->new_connections));
	json_object_set_new(j, "duration_s", json_real(o->duration_s));
	json_object_set_new(j, "warmup_s", json_real(o->warmup_s));
	json_object_set_new(j, "verify", json_real(o->verify));
	json_object_set_new(j, "seed", count(o->seed));
	return j;
}

static json_t *callers(const struct load_results *r)
{
	json_t *all = json_object();
	for (int c = 0; c < CALLER_COUNT; c++) {
		json_t *ops = json_object();
		for (int op = 0; op < OP_NONE; op++)
			if (load_tally_requests(&r->stats.rows[c][op])) {
				char name[64];
				snprintf(name, sizeof(name), "%.*s", SLICE_ARG(rms_ops[op].name));
				json_object_set_new(ops, name, tally(&r->stats.rows[c][op]));
			}
		if (json_object_size(ops))
			json_object_set(all, c ? load_caller_name((enum load_caller)c) : "fixed", ops);
		json_decref(ops);
	}
	return all;
}

static json_t *nodes(const struct load_results *r)
{
	json_t *list = json_array();
	for (size_t i = 0; i < r->options->target_count; i++) {
		json_t *node = tally(&r->stats.nodes[i]);
		json_object_set_new(node, "url", json_string(r->options->targets[i].url));
		json_t *by_caller = json_object();
		for (int c = CALLER_EXCHANGE; c < CALLER_COUNT; c++)
			if (r->options->callers[c])
				json_object_set_new(by_caller, load_caller_name((enum load_caller)c),
				                    count(r->stats.node_requests[i][c]));
		json_object_set_new(node, "requests_by_caller", by_caller);
		json_array_append_new(list, node);
	}
	return list;
}

static json_t *statuses(const struct load_stats *s)
{
	json_t *o = json_object();
	for (unsigned i = 0; i < LOAD_STATUS_MAX; i++)
		if (s->status[i]) {
			char name[8];
			snprintf(name, sizeof(name), "%u", i);
			json_object_set_new(o, name, count(s->status[i]));
		}
	return o;
}

static json_t *errors(const struct load_stats *s)
{
	json_t *o = json_object();
	for (int e = 1; e < LOAD_ERROR_COUNT; e++)
		json_object_set_new(o, load_error_row((enum load_error)e)->name, count(s->errors[e]));
	return o;
}

static json_t *reasons(const struct load_stats *s)
{
	json_t *o = json_object();
	for (size_t i = 0; i < LOAD_REASONS_MAX && s->reasons[i].count; i++)
		json_object_set_new(o, s->reasons[i].text, count(s->reasons[i].count));
	return o;
}

static json_t *verified(const struct load_verified *v)
{
	json_t *o = json_object();
	json_object_set_new(o, "answers", count(v->answers));
	json_object_set_new(o, "wrong", count(v->wrong));
	json_object_set_new(o, "first_wrong", v->wrong ? json_string(v->first_wrong) : json_null());
	json_object_set_new(o, "signatures", count(v->signatures));
	json_object_set_new(o, "wrong_signatures", count(v->wrong_signatures));
	json_object_set_new(o, "items", count(v->items));
	json_object_set_new(o, "failed_items", count(v->failed_items));
	json_object_set_new(o, "skipped", count(v->skipped));
	return o;
}

static json_t *proof(const struct load_options *o, const struct load_auth_counts *a)
{
	static const char *const names[] = {"none", "negotiate", "ntlm"};
	json_t *j = json_object();
	json_object_set_new(j, "how", json_string(names[o->auth]));
	json_object_set_new(j, "asked", count(a->asked));
	json_object_set_new(j, "challenges", count(a->challenges));
	json_object_set_new(j, "accepted", count(a->proven));
	json_object_set_new(j, "refused", count(a->refused));
	json_object_set_new(j, "waited", count(a->waited));
	json_object_set_new(j, "tokens_made", count(a->made));
	json_object_set_new(j, "services_checked", count(a->checked));
	json_object_set_new(j, "services_wrong", count(a->wrong));
	json_object_set_new(j, "first_wrong", a->wrong ? json_string(a->first_wrong) : json_null());
	return j;
}

static json_t *checks(const struct load_results *r)
{
	json_t *list = json_array();
	for (size_t i = 0; i < r->options->check_count; i++) {
		const struct load_check *c = &r->options->checks[i];
		double value = load_results_figure(r, c), requests = load_results_requests(r, c);
		json_t *o = json_object();
		json_object_set_new(o, "check", json_string(c->text));
		json_object_set_new(o, "holds", json_boolean(load_check_holds(c, value, requests)));
		json_object_set_new(o, "value", json_real(value));
		json_object_set_new(o, "requests", json_real(requests));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *series(const struct load_results *r)
{
	json_t *list = json_array();
	for (size_t i = 0; i < r->series_count; i++) {
		const struct load_second *s = &r->series[i];
		json_t *o = json_object();
		json_object_set_new(o, "second", count(i + 1));
		json_object_set_new(o, "good", count(s->good));
		json_object_set_new(o, "errors", count(s->errors));
		json_object_set_new(o, "p50_us", count(s->p50));
		json_object_set_new(o, "p99_us", count(s->p99));
		json_object_set_new(o, "max_us", count(s->max));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *bootstraps(const struct load_results *r)
{
	json_t *list = json_array();
	for (size_t i = 0; i < r->bootstrap_count; i++) {
		const struct load_bootstrap *b = &r->bootstraps[i];
		json_t *o = json_object(), *steps = json_array();
		for (size_t k = 0; k < b->count; k++) {
			const struct load_step *s = &b->steps[k];
			json_t *step = json_object();
			json_object_set_new(step, "call", json_string(s->label));
			json_object_set_new(step, "status", count(s->status));
			json_object_set_new(step, "us", count(s->took));
			json_object_set_new(step, "bytes", count(s->bytes));
			json_object_set_new(step, "items", count(s->items));
			json_object_set_new(step, "signatures", count(s->signatures));
			json_object_set_new(step, "problem", s->why[0] ? json_string(s->why) : json_null());
			json_array_append_new(steps, step);
		}
		json_object_set_new(o, "url", json_string(b->target->url));
		json_object_set_new(o, "good", json_boolean(b->good));
		json_object_set_new(o, "signatures", count(b->signatures));
		json_object_set_new(o, "wrong", count(b->wrong));
		json_object_set_new(o, "steps", steps);
		json_array_append_new(list, o);
	}
	return list;
}

bool load_report_write_json(FILE *out, const struct load_results *r)
{
	const struct load_stats *s = &r->stats;
	json_t *j = json_object(), *connections = json_object();
	json_object_set_new(j, "program", json_string("rms-load " RMS_VERSION));
	json_object_set_new(j, "asked", asked(r->options));
	json_object_set_new(j, "bootstrap", bootstraps(r));
	json_object_set_new(j, "seconds", json_real(r->seconds));
	json_object_set_new(j, "interrupted", json_boolean(r->interrupted));
	json_object_set_new(j, "cpu_seconds", json_real(r->cpu_s));
	json_object_set_new(j, "good_per_second",
	                    json_real(r->seconds > 0 ? (double)s->total.latency.count / r->seconds : 0));
	json_object_set_new(j, "total", tally(&s->total));
	json_object_set_new(j, "callers", callers(r));
	json_object_set_new(j, "nodes", nodes(r));
	json_object_set_new(j, "status", statuses(s));
	json_object_set_new(j, "completed", count(s->total.latency.count));
	json_object_set_new(j, "errors", count(s->total.errors + s->verified.wrong + s->auth.wrong));
	json_object_set_new(j, "errors_by_kind", errors(s));
	json_object_set_new(j, "effects",
	                    json_pack("{s:I,s:I,s:I}", "ok", (json_int_t)s->effects[EFFECT_OK], "deferred",
	                              (json_int_t)s->effects[EFFECT_DEFERRED], "final",
	                              (json_int_t)s->effects[EFFECT_FINAL]));
	json_object_set_new(j, "self_made", count(s->self_made));
	json_object_set_new(j, "reasons", reasons(s));
	json_object_set_new(j, "late", count(s->late));
	json_object_set_new(j, "latest_us", count(s->latest));
	json_object_set_new(connections, "opened", count(s->connections));
	json_object_set_new(connections, "failed", count(s->connections_failed));
	json_object_set_new(connections, "handshakes", count(s->handshakes));
	json_object_set_new(connections, "resumed", count(s->resumed));
	json_object_set_new(connections, "stray", count(s->stray));
	json_object_set_new(j, "connections", connections);
	json_object_set_new(j, "verified", verified(&s->verified));
	json_object_set_new(j, "authentication", proof(r->options, &s->auth));
	json_object_set_new(j, "checks", checks(r));
	json_object_set_new(j, "by_second", series(r));
	json_object_set_new(j, "histogram_us", buckets(&s->total.latency));
	errno = 0;
	bool fine = json_dumpf(j, out, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) == 0 && fputc('\n', out) != EOF &&
	            fflush(out) == 0;
	json_decref(j);
	return fine;
}
