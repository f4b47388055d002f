#include "bench/load_report.h"

#include "core/base/check.h"

#include <math.h>

enum { BAR_WIDTH = 44 };

const char *load_time_text(double us, char out[static 16])
{
	const char *unit = us < 1000 ? "us" : us < 1e6 ? "ms" : "s";
	double value = us < 1000 ? us : us < 1e6 ? us / 1000 : us / 1e6;
	int decimals = value < 10 && us >= 1000 ? 2 : value < 100 && us >= 1000 ? 1 : 0;
	snprintf(out, 16, "%.*f %s", decimals, value < 1e6 ? value : 999999.0, unit);
	return out;
}

const char *load_count_text(uint64_t n, char out[static 32])
{
	char plain[24];
	int len = snprintf(plain, sizeof(plain), "%llu", (unsigned long long)n);
	char *to = out;
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*to++ = ',';
		*to++ = plain[i];
	}
	*to = 0;
	return out;
}

static void print_row(FILE *out, const char *label, const struct load_tally *t)
{
	static const double percents[] = {50, 90, 99, 99.9};
	char count[32], errors[32], time[16];
	fprintf(out, "%-38s %10s %8s", label, load_count_text(load_tally_requests(t), count),
	        load_count_text(t->errors, errors));
	for (size_t i = 0; i < ARRAY_COUNT(percents); i++)
		fprintf(out, " %9s",
		        t->latency.count ? load_time_text((double)histogram_percentile(&t->latency, percents[i]), time)
		                         : "-");
	fprintf(out, " %9s\n", t->latency.count ? load_time_text((double)t->latency.max, time) : "-");
}

static void print_table(FILE *out, const struct load_results *r)
{
	const struct load_stats *s = &r->stats;
	fprintf(out, "\n%-38s %10s %8s %9s %9s %9s %9s %9s\n", "operation", "requests", "errors", "p50", "p90", "p99",
	        "p99.9", "max");
	size_t rows = 0;
	for (int c = 0; c < CALLER_COUNT; c++)
		for (int op = 0; op < OP_NONE; op++) {
			const struct load_tally *t = &s->rows[c][op];
			if (!load_tally_requests(t))
				continue;
			char label[80];
			snprintf(label, sizeof(label), "%s%s%.*s", load_caller_name((enum load_caller)c), c ? " " : "",
			         SLICE_ARG(rms_ops[op].name));
			print_row(out, label, t);
			rows++;
		}
	if (rows != 1 || s->errors[LOAD_ERROR_UNSENT])
		print_row(out, "all", &s->total);
	for (size_t t = 0; t < r->options->target_count && r->options->target_count > 1; t++)
		print_row(out, r->options->targets[t].url, &s->nodes[t]);
}

static double range_edge(int i)
{
	static const double steps[] = {1, 2, 5};
	return steps[i % 3] * pow(10, i / 3);
}

/* Latencies in steps of 1, 2, 5, 10 ...: few enough lines to see the shape. */
static void print_histogram(FILE *out, const struct histogram *h)
{
	if (!h->count)
		return;
	enum { RANGES = 31 };
	uint64_t counts[RANGES] = {0}, most = 0, before = 0;
	int first = RANGES, last = 0;
	for (int i = 0; i < RANGES; i++) {
		uint64_t to = i == RANGES - 1 ? h->count : histogram_count_to(h, (usec_t)range_edge(i));
		counts[i] = to > before ? to - before : 0;
		before = to > before ? to : before;
		if (!counts[i])
			continue;
		first = i < first ? i : first;
		last = i;
		most = counts[i] > most ? counts[i] : most;
	}
	fprintf(out, "\nlatency of good answers\n");
	for (int i = first; i <= last; i++) {
		char edge[16];
		int bar = (int)ceil((double)counts[i] * BAR_WIDTH / (double)most);
		fprintf(out, "  up to %8s %-*.*s %5.1f %%\n", load_time_text(range_edge(i), edge), BAR_WIDTH, bar,
		        "############################################", (double)counts[i] * 100 / (double)h->count);
	}
}

static void print_answers(FILE *out, const struct load_stats *s)
{
	char count[32];
	const char *comma = "";
	fprintf(out, "\nanswers      ");
	for (unsigned i = 0; i < LOAD_STATUS_MAX; i++)
		if (s->status[i]) {
			fprintf(out, "%s%u: %s", comma, i, load_count_text(s->status[i], count));
			comma = ", ";
		}
	fprintf(out, "%s\n", *comma ? "" : "none");
	comma = "";
	fprintf(out, "no answer    ");
	for (int e = 1; e < LOAD_ERROR_COUNT; e++)
		if (s->errors[e]) {
			fprintf(out, "%s%s: %s", comma, load_error_row((enum load_error)e)->words,
			        load_count_text(s->errors[e], count));
			comma = ", ";
		}
	fprintf(out, "%s\n", *comma ? "" : "none");
	if (s->effects[EFFECT_DEFERRED] || s->effects[EFFECT_FINAL]) {
		fprintf(out, "for callers  fine: %s", load_count_text(s->effects[EFFECT_OK], count));
		fprintf(out, ", deferred, they try again: %s", load_count_text(s->effects[EFFECT_DEFERRED], count));
		fprintf(out, ", final, they give up: %s\n", load_count_text(s->effects[EFFECT_FINAL], count));
	}
	if (s->self_made)
		fprintf(out, "the connector itself refused: %s\n", load_count_text(s->self_made, count));
	for (size_t i = 0; i < LOAD_REASONS_MAX && s->reasons[i].count; i++)
		fprintf(out, "             %s: %s\n", s->reasons[i].text, load_count_text(s->reasons[i].count, count));
}

static void print_connections(FILE *out, const struct load_results *r)
{
	const struct load_stats *s = &r->stats;
	char count[32];
	fprintf(out, "connections  opened: %s", load_count_text(s->connections, count));
	if (s->connections_failed)
		fprintf(out, ", failed: %s", load_count_text(s->connections_failed, count));
	if (s->handshakes) {
		fprintf(out, "; TLS handshakes: %s", load_count_text(s->handshakes, count));
		fprintf(out, ", resumed: %s", load_count_text(s->resumed, count));
	}
	if (s->stray)
		fprintf(out, "; bytes nobody had asked for on: %s", load_count_text(s->stray, count));
	fprintf(out, "\n");
}

static void print_auth(FILE *out, const struct load_options *o, const struct load_auth_counts *a)
{
	char count[32];
	if (!o->auth)
		return;
	fprintf(out, "proof        %s; asked for: %s", o->auth == LOAD_AUTH_NTLM ? "NTLM" : "Kerberos",
	        load_count_text(a->asked, count));
	if (o->auth == LOAD_AUTH_NTLM)
		fprintf(out, ", challenges: %s", load_count_text(a->challenges, count));
	fprintf(out, ", accepted: %s", load_count_text(a->proven, count));
	fprintf(out, ", refused: %s", load_count_text(a->refused, count));
	if (a->checked) {
		fprintf(out, "; proofs of the service checked: %s", load_count_text(a->checked, count));
		fprintf(out, ", wrong: %s", load_count_text(a->wrong, count));
	}
	if (a->waited)
		fprintf(out, "; no token was ready: %s times", load_count_text(a->waited, count));
	fprintf(out, "\n");
	if (a->wrong)
		fprintf(out, "WRONG        %s\n", a->first_wrong);
}

static void print_verified(FILE *out, const struct load_verified *v)
{
	char count[32];
	if (!v->answers && !v->wrong && !v->skipped)
		return;
	fprintf(out, "verified     answers: %s", load_count_text(v->answers, count));
	fprintf(out, ", signatures: %s", load_count_text(v->signatures, count));
	fprintf(out, ", wrong: %s", load_count_text(v->wrong, count));
	if (v->failed_items) {
		fprintf(out, "; items of batches that failed: %s", load_count_text(v->failed_items, count));
		fprintf(out, " of %s", load_count_text(v->items, count));
	}
	if (v->skipped)
		fprintf(out, "; not looked at, compressed or too large: %s", load_count_text(v->skipped, count));
	fprintf(out, "\n");
	if (v->wrong)
		fprintf(out, "WRONG        %s\n", v->first_wrong);
}

static void print_rates(FILE *out, const struct load_results *r)
{
	const struct load_stats *s = &r->stats;
	const struct load_tally *t = &s->total;
	double seconds = r->seconds > 0 ? r->seconds : 1;
	uint64_t requests = load_tally_requests(t);
	fprintf(out, "throughput   %.1f good answers/s, %.2f MB/s sent, %.2f MB/s received, in %.2f s\n",
	        (double)t->latency.count / seconds, (double)t->bytes_sent / seconds / 1e6,
	        (double)t->bytes_got / seconds / 1e6, r->seconds);
	if (requests)
		fprintf(out, "this tool    %.1f us of CPU for each request\n", r->cpu_s * 1e6 / (double)requests);
	if (r->options->rate > 0) {
		char count[32], time[16];
		fprintf(out, "schedule     %g requests/s; started late: %s", r->options->rate,
		        load_count_text(s->late, count));
		if (s->late)
			fprintf(out, ", by %s at most", load_time_text((double)s->latest, time));
		fprintf(out, "; never started: %s\n", load_count_text(s->errors[LOAD_ERROR_UNSENT], count));
	}
}

static void print_checks(FILE *out, const struct load_results *r)
{
	for (size_t i = 0; i < r->options->check_count; i++) {
		const struct load_check *c = &r->options->checks[i];
		double value = load_results_figure(r, c), requests = load_results_requests(r, c);
		bool holds = load_check_holds(c, value, requests);
		char time[16], shown[48];
		if (load_figure_is_time(c->figure))
			snprintf(shown, sizeof(shown), "%s",
			         requests > 0 ? load_time_text(value, time) : "nothing was measured");
		else if (c->is_percent)
			snprintf(shown, sizeof(shown), requests > 0 ? "%.3g %%" : "nothing was measured",
			         requests > 0 ? value * 100 / requests : 0.0);
		else
			snprintf(shown, sizeof(shown), "%.10g", value);
		fprintf(out, "%s %s: %s (%s)\n", i ? "            " : "checks      ", c->text,
		        holds ? "holds" : "FAILED", shown);
	}
}

void load_report_print(FILE *out, const struct load_results *r)
{
	print_table(out, r);
	print_histogram(out, &r->stats.total.latency);
	print_answers(out, &r->stats);
	print_connections(out, r);
	print_auth(out, r->options, &r->stats.auth);
	print_verified(out, &r->stats.verified);
	print_rates(out, r);
	print_checks(out, r);
	if (r->interrupted)
		fprintf(out, "ended early by a signal: these figures are of the time until then\n");
}
