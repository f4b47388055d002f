#include "bench/load_check.h"

#include "core/base/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum unit_kind { UNIT_TIME, UNIT_COUNT, UNIT_RATE };

static const struct figure_row {
	const char *name;
	enum load_figure figure;
	enum unit_kind unit;
	bool by_op; /* known for each operation too */
} figures[] = {
        {"min", FIGURE_MIN, UNIT_TIME, true},
        {"mean", FIGURE_MEAN, UNIT_TIME, true},
        {"max", FIGURE_MAX, UNIT_TIME, true},
        {"rate", FIGURE_RATE, UNIT_RATE, true},
        {"requests", FIGURE_REQUESTS, UNIT_COUNT, true},
        {"errors", FIGURE_ERRORS, UNIT_COUNT, true},
        {"wrong", FIGURE_WRONG, UNIT_COUNT, false},
        {"late", FIGURE_LATE, UNIT_COUNT, false},
        {"unsent", FIGURE_UNSENT, UNIT_COUNT, false},
        {"ok", FIGURE_OK, UNIT_COUNT, false},
        {"deferred", FIGURE_DEFERRED, UNIT_COUNT, false},
        {"final", FIGURE_FINAL, UNIT_COUNT, false},
        {"connections", FIGURE_CONNECTIONS, UNIT_COUNT, false},
        {"handshakes", FIGURE_HANDSHAKES, UNIT_COUNT, false},
        {"resumed", FIGURE_RESUMED, UNIT_COUNT, false},
        {"verified", FIGURE_VERIFIED, UNIT_COUNT, false},
        {"asked", FIGURE_ASKED, UNIT_COUNT, false},
        {"proven", FIGURE_PROVEN, UNIT_COUNT, false},
        {"refused", FIGURE_REFUSED, UNIT_COUNT, false},
};

static const struct compare_row {
	const char *text;
	enum load_compare compare;
} compares[] = {
        /* longer ones first */
        {"<=", COMPARE_AT_MOST}, {">=", COMPARE_AT_LEAST}, {"==", COMPARE_EQUAL},
        {"<", COMPARE_LESS},     {">", COMPARE_MORE},      {"=", COMPARE_EQUAL},
};

static const struct unit_row {
	const char *text;
	double us;
} units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}};

static const char figure_help[] = "a figure is p50 p90 p99 p99.9 min mean max rate requests errors wrong late unsent "
                                  "verified status.200 status.5xx ok deferred final connections handshakes resumed "
                                  "asked proven refused";

bool load_figure_is_time(enum load_figure f)
{
	return f == FIGURE_PERCENTILE || f == FIGURE_MIN || f == FIGURE_MEAN || f == FIGURE_MAX;
}

static bool number_of(struct slice s, double *out)
{
	char text[32];
	if (s.len == 0 || s.len >= sizeof(text) || !((s.at[0] >= '0' && s.at[0] <= '9') || s.at[0] == '.'))
		return false;
	memcpy(text, s.at, s.len);
	text[s.len] = 0;
	char *end;
	errno = 0;
	*out = strtod(text, &end);
	return *end == 0 && errno == 0 && *out >= 0 && *out < 1e15 && strspn(text, "0123456789.") == s.len;
}

static bool parse_status(struct load_check *c, struct slice code)
{
	if (code.len != 3 || code.at[0] < '1' || code.at[0] > '5')
		return false;
	c->figure = FIGURE_STATUS;
	c->status_class = code.at[1] == 'x' && code.at[2] == 'x';
	double value;
	if (!number_of(c->status_class ? slice_until(code, 1) : code, &value))
		return false;
	c->argument = value;
	return true;
}

/* The operation before the dot, if there is one. "p99.9" and "status.200" have a dot too, but do not begin with a capital. */
static bool parse_op(struct load_check *c, struct slice *name)
{
	c->op = OP_NONE;
	if (name->len == 0 || name->at[0] < 'A' || name->at[0] > 'Z')
		return true;
	size_t dot = slice_find(*name, '.');
	for (int i = 0; i < OP_NONE; i++)
		if (slice_equal_nocase(rms_ops[i].name, slice_until(*name, dot)) && dot < name->len) {
			c->op = (enum rms_op_id)i;
			*name = slice_from(*name, dot + 1);
			return true;
		}
	return false;
}

static bool parse_figure(struct load_check *c, struct slice name, enum unit_kind *unit, bool *by_op)
{
	*unit = UNIT_COUNT;
	*by_op = false;
	if (slice_starts_with(name, SLICE("status.")))
		return parse_status(c, slice_from(name, 7));
	if (name.len > 1 && name.at[0] == 'p' && number_of(slice_from(name, 1), &c->argument)) {
		c->figure = FIGURE_PERCENTILE;
		*unit = UNIT_TIME;
		*by_op = true;
		return c->argument > 0 && c->argument <= 100;
	}
	for (size_t i = 0; i < ARRAY_COUNT(figures); i++)
		if (slice_equal(slice_str(figures[i].name), name)) {
			c->figure = figures[i].figure;
			*unit = figures[i].unit;
			*by_op = figures[i].by_op;
			return true;
		}
	return false;
}

static const char *parse_limit(struct load_check *c, struct slice text, enum unit_kind unit)
{
	size_t digits = 0;
	while (digits < text.len && ((text.at[digits] >= '0' && text.at[digits] <= '9') || text.at[digits] == '.'))
		digits++;
	if (!number_of(slice_until(text, digits), &c->limit))
		return "after the comparison a number is needed";
	struct slice suffix = slice_trim(slice_from(text, digits));
	if (unit == UNIT_TIME) {
		for (size_t i = 0; i < ARRAY_COUNT(units); i++)
			if (slice_equal(slice_str(units[i].text), suffix)) {
				c->limit *= units[i].us;
				return NULL;
			}
		return "a time needs its unit: us, ms or s";
	}
	if (unit == UNIT_COUNT && slice_equal(suffix, SLICE("%"))) {
		c->is_percent = true;
		return NULL;
	}
	if (suffix.len == 0 || (unit == UNIT_RATE && slice_equal(suffix, SLICE("/s"))))
		return NULL;
	return unit == UNIT_RATE ? "a rate is a plain number of requests a second"
	                         : "a count is a plain number, or a "
	                           "percentage of the requests";
}

bool load_check_parse(struct load_check *c, const char *text, char *words, size_t cap)
{
	*c = (struct load_check){.text = text};
	struct slice rest = slice_trim(slice_str(text));
	size_t at = 0;
	while (at < rest.len && !strchr("<>=", rest.at[at]))
		at++;
	struct slice name = slice_trim(slice_until(rest, at));
	rest = slice_from(rest, at);
	const struct compare_row *how = NULL;
	for (size_t i = 0; i < ARRAY_COUNT(compares) && !how; i++)
		if (slice_starts_with(rest, slice_str(compares[i].text)))
			how = &compares[i];
	if (!how) {
		snprintf(words, cap,
		         "--check '%s': a rule is a figure, a comparison (< <= > >= =) and a limit, as in "
		         "'p99<50ms'",
		         text);
		return false;
	}
	c->compare = how->compare;
	enum unit_kind unit;
	bool by_op;
	if (!parse_op(c, &name) || !parse_figure(c, name, &unit, &by_op)) {
		snprintf(words, cap, "--check '%s': no figure is called '%.*s'; %s", text,
		         SLICE_ARG(slice_until(name, 40)), figure_help);
		return false;
	}
	if (c->op != OP_NONE && !by_op) {
		snprintf(words, cap, "--check '%s': this figure is known for the whole run only, not for one operation",
		         text);
		return false;
	}
	const char *problem = parse_limit(c, slice_trim(slice_from(rest, strlen(how->text))), unit);
	if (problem)
		snprintf(words, cap, "--check '%s': %s", text, problem);
	return !problem;
}

bool load_check_holds(const struct load_check *c, double value, double requests)
{
	/* Where nothing was measured, nothing is fast and nothing is free of errors. */
	if (requests <= 0 && (c->is_percent || load_figure_is_time(c->figure)))
		return false;
	double limit = c->limit;
	if (c->is_percent)
		value = value * 100 / requests;
	switch (c->compare) {
	case COMPARE_LESS:
		return value < limit;
	case COMPARE_AT_MOST:
		return value <= limit;
	case COMPARE_MORE:
		return value > limit;
	case COMPARE_AT_LEAST:
		return value >= limit;
	case COMPARE_EQUAL:
		return value == limit;
	}
	return false;
}
