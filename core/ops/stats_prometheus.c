#include "core/base/log.h"
#include "core/ops/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Bounds of the exported buckets, in microseconds: round numbers, for rules such as "99 % below 50 ms". */
static const usec_t bounds[] = {500,    1000,   2500,   5000,    10000,   25000,    50000,
                                100000, 250000, 500000, 1000000, 2500000, 10000000, 60000000};

/* Text format 0.0.4: backslash and newline are escaped, in a label's value the quote too. */
static void print_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '\\' || *text == '"')
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
}

static void print_title(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static const char *print_label(FILE *out, const char *before, const char *name, const char *value)
{
	fprintf(out, "%s%s=\"", before, name);
	print_escaped(out, value);
	fputc('"', out);
	return ",";
}

/* NAME_suffix{operation="certify",effect="ok",le="0.5"} and a space */
static void print_series(FILE *out, const struct metric_row *row, const char *suffix, unsigned a, unsigned b,
                         const char *le)
{
	const char *before = "{";
	fprintf(out, "%s%s", row->name, suffix);
	if (row->a != METRIC_LABEL_NONE)
		before = print_label(out, before, metric_label_name(row->a), metric_label_value(row->a, a));
	if (row->b != METRIC_LABEL_NONE)
		before = print_label(out, before, metric_label_name(row->b), metric_label_value(row->b, b));
	if (le)
		before = print_label(out, before, "le", le);
	fputs(*before == ',' ? "} " : " ", out);
}

static void print_timer(FILE *out, const struct metric_row *row, unsigned a, unsigned b, const struct histogram *h)
{
	char le[32];
	for (size_t i = 0; i < ARRAY_COUNT(bounds); i++) {
		snprintf(le, sizeof(le), "%g", (double)bounds[i] / 1e6);
		print_series(out, row, "_bucket", a, b, le);
		fprintf(out, "%" PRIu64 "\n", histogram_count_to(h, bounds[i]));
	}
	print_series(out, row, "_bucket", a, b, "+Inf");
	fprintf(out, "%" PRIu64 "\n", h->count);
	print_series(out, row, "_sum", a, b, NULL);
	fprintf(out, "%.6f\n", (double)h->sum / 1e6);
	print_series(out, row, "_count", a, b, NULL);
	fprintf(out, "%" PRIu64 "\n", h->count);
}

static void print_metric(FILE *out, const struct stats_source *s, enum metric_id id, struct histogram *scratch)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	const struct metric_row *row = metric_row(id);
	print_title(out, row->name, types[row->kind], row->help);
	for (unsigned a = 0; a < metric_label_count(row->a); a++)
		for (unsigned b = 0; b < metric_label_count(row->b); b++) {
			if (row->kind == METRIC_TIMER) {
				histogram_clear(scratch);
				metric_sum_timer(s->blocks, s->block_count, id, a, b, scratch);
				print_timer(out, row, a, b, scratch);
				continue;
			}
			print_series(out, row, "", a, b, NULL);
			fprintf(out, "%" PRId64 "\n", metric_sum(s->blocks, s->block_count, id, a, b));
		}
}

static void print_facts(FILE *out, const struct stats_source *s)
{
	const struct stats_fact *fact;
	print_title(out, "rms_connector_build_info", "gauge", "Always 1; the labels tell node and version");
	fputs("rms_connector_build_info", out);
	const char *before = print_label(out, "{", "node", s->node);
	print_label(out, before, "version", s->version);
	fputs("} 1\n", out);
	for (size_t i = 0; (fact = stats_fact(i)); i++) {
		print_title(out, fact->name, fact->type, fact->help);
		fprintf(out, "%s %.15g\n", fact->name, fact->value(s));
	}
	print_title(out, "rms_connector_events_total", "counter", "Events since the start, by number");
	for (unsigned id = 0; id < EVENT_COUNT; id++)
		fprintf(out, "rms_connector_events_total{event=\"%u\"} %" PRIu64 "\n", event_row(id)->number,
		        log_count(id));
}

char *stats_prometheus(const struct stats_source *s, size_t *len)
{
	char *text = NULL;
	struct histogram *scratch = malloc(sizeof(*scratch));
	FILE *out = scratch ? open_memstream(&text, len) : NULL;
	if (!out) {
		free(scratch);
		return NULL;
	}
	if (s->refresh)
		s->refresh(s->context);
	print_facts(out, s);
	for (unsigned id = 0; id < METRIC_COUNT; id++)
		print_metric(out, s, id, scratch);
	bool failed = ferror(out);
	failed |= fclose(out) != 0;
	free(scratch);
	if (failed) {
		free(text);
		return NULL;
	}
	return text;
}
