#include "bench/load_stats.h"

const struct load_error_row *load_error_row(enum load_error e)
{
	static const struct load_error_row rows[LOAD_ERROR_COUNT] = {
	        {"none", "none", EFFECT_OK},
#define LOAD_ERROR(id, name, effect, words) {name, words, EFFECT_##effect},
#include "bench/load_errors.def"
#undef LOAD_ERROR
	};
	return &rows[e < LOAD_ERROR_COUNT ? e : LOAD_ERROR_NONE];
}

enum err_effect load_status_effect(unsigned status, bool soap)
{
	if (status >= 200 && status < 300)
		return EFFECT_OK;
	switch (status) {
	case 401:
	case 403:
	case 404:
	case 502:
	case 503:
	case 504:
		return EFFECT_FINAL;
	case 500: /* a fault has a meaning, and most mean no; a 500 without SOAP is a server in trouble */
		return soap ? EFFECT_FINAL : EFFECT_DEFERRED;
	default:
		return status >= 300 && status < 400 ? EFFECT_FINAL : EFFECT_DEFERRED;
	}
}

void load_stats_reason(struct load_stats *s, struct slice reason)
{
	reason = slice_until(reason, LOAD_REASON_BYTES - 1);
	for (size_t i = 0; i < LOAD_REASONS_MAX; i++) {
		struct load_reason *r = &s->reasons[i];
		if (r->count == 0)
			memcpy(r->text, reason.at, reason.len);
		else if (!slice_equal(slice_str(r->text), reason))
			continue;
		r->count++;
		return;
	}
}

void load_tally_merge(struct load_tally *into, const struct load_tally *from)
{
	histogram_merge(&into->latency, &from->latency);
	into->errors += from->errors;
	into->bytes_sent += from->bytes_sent;
	into->bytes_got += from->bytes_got;
}

void load_verified_merge(struct load_verified *into, const struct load_verified *from)
{
	into->answers += from->answers;
	into->wrong += from->wrong;
	into->signatures += from->signatures;
	into->wrong_signatures += from->wrong_signatures;
	into->items += from->items;
	into->failed_items += from->failed_items;
	into->skipped += from->skipped;
	if (!into->first_wrong[0])
		memcpy(into->first_wrong, from->first_wrong, sizeof(into->first_wrong));
}

void load_auth_counts_merge(struct load_auth_counts *into, const struct load_auth_counts *from)
{
	into->asked += from->asked;
	into->challenges += from->challenges;
	into->proven += from->proven;
	into->refused += from->refused;
	into->waited += from->waited;
	into->made += from->made;
	into->checked += from->checked;
	into->wrong += from->wrong;
	if (!into->first_wrong[0])
		memcpy(into->first_wrong, from->first_wrong, sizeof(into->first_wrong));
}

void load_stats_merge(struct load_stats *into, const struct load_stats *from)
{
	load_tally_merge(&into->total, &from->total);
	for (size_t i = 0; i < LOAD_TARGETS_MAX; i++) {
		load_tally_merge(&into->nodes[i], &from->nodes[i]);
		for (size_t c = 0; c < CALLER_COUNT; c++)
			into->node_requests[i][c] += from->node_requests[i][c];
	}
	for (size_t c = 0; c < CALLER_COUNT; c++)
		for (size_t op = 0; op < OP_COUNT; op++)
			load_tally_merge(&into->rows[c][op], &from->rows[c][op]);
	for (size_t i = 0; i < LOAD_STATUS_MAX; i++)
		into->status[i] += from->status[i];
	for (size_t i = 0; i < LOAD_ERROR_COUNT; i++)
		into->errors[i] += from->errors[i];
	for (size_t i = 0; i < EFFECT_COUNT; i++)
		into->effects[i] += from->effects[i];
	into->late += from->late;
	into->latest = from->latest > into->latest ? from->latest : into->latest;
	into->connections += from->connections;
	into->connections_failed += from->connections_failed;
	into->handshakes += from->handshakes;
	into->resumed += from->resumed;
	into->stray += from->stray;
	into->self_made += from->self_made;
	for (size_t i = 0; i < LOAD_REASONS_MAX && from->reasons[i].count; i++) {
		uint64_t more = from->reasons[i].count;
		struct slice text = slice_str(from->reasons[i].text);
		load_stats_reason(into, text);
		for (size_t j = 0; j < LOAD_REASONS_MAX; j++)
			if (slice_equal(slice_str(into->reasons[j].text), text))
				into->reasons[j].count += more - 1;
	}
	load_verified_merge(&into->verified, &from->verified);
	load_auth_counts_merge(&into->auth, &from->auth);
	into->last_end = from->last_end > into->last_end ? from->last_end : into->last_end;
}

/* The measured requests a rule looks at: all, or those of its operation by any caller. */
static void tally_of(const struct load_results *r, const struct load_check *c, struct load_tally *out)
{
	memset(out, 0, sizeof(*out));
	if (c->op == OP_NONE) {
		load_tally_merge(out, &r->stats.total);
		return;
	}
	for (size_t caller = 0; caller < CALLER_COUNT; caller++)
		load_tally_merge(out, &r->stats.rows[caller][c->op]);
}

double load_results_requests(const struct load_results *r, const struct load_check *c)
{
	struct load_tally t;
	tally_of(r, c, &t);
	return (double)(load_figure_is_time(c->figure) ? t.latency.count : load_tally_requests(&t));
}

static double status_count(const struct load_stats *s, const struct load_check *c)
{
	size_t from = (size_t)c->argument, to = from + 1;
	if (c->status_class) {
		from *= 100;
		to = from + 100;
	}
	uint64_t sum = 0;
	for (size_t i = from; i < to && i < LOAD_STATUS_MAX; i++)
		sum += s->status[i];
	return (double)sum;
}

double load_results_figure(const struct load_results *r, const struct load_check *c)
{
	const struct load_stats *s = &r->stats;
	struct load_tally t;
	tally_of(r, c, &t);
	switch (c->figure) {
	case FIGURE_PERCENTILE:
		return (double)histogram_percentile(&t.latency, c->argument);
	case FIGURE_MIN:
		return t.latency.count ? (double)t.latency.min : 0;
	case FIGURE_MEAN:
		return histogram_mean(&t.latency);
	case FIGURE_MAX:
		return (double)t.latency.max;
	case FIGURE_RATE:
		return r->seconds > 0 ? (double)t.latency.count / r->seconds : 0;
	case FIGURE_REQUESTS:
		return (double)load_tally_requests(&t);
	case FIGURE_ERRORS: /* which operation a wrong answer had is in the words; for a rule it is an error of them all */
		return (double)(t.errors + (c->op == OP_NONE ? s->verified.wrong + s->auth.wrong : 0));
	case FIGURE_WRONG:
		return (double)(s->verified.wrong + s->auth.wrong);
	case FIGURE_LATE:
		return (double)s->late;
	case FIGURE_UNSENT:
		return (double)s->errors[LOAD_ERROR_UNSENT];
	case FIGURE_STATUS:
		return status_count(s, c);
	case FIGURE_OK:
		return (double)s->effects[EFFECT_OK];
	case FIGURE_DEFERRED:
		return (double)s->effects[EFFECT_DEFERRED];
	case FIGURE_FINAL:
		return (double)s->effects[EFFECT_FINAL];
	case FIGURE_CONNECTIONS:
		return (double)s->connections;
	case FIGURE_HANDSHAKES:
		return (double)s->handshakes;
	case FIGURE_RESUMED:
		return (double)s->resumed;
	case FIGURE_VERIFIED:
		return (double)s->verified.answers;
	case FIGURE_ASKED:
		return (double)s->auth.asked;
	case FIGURE_PROVEN:
		return (double)s->auth.proven;
	case FIGURE_REFUSED:
		return (double)s->auth.refused;
	}
	return 0;
}
