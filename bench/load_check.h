/* Rules like 'p99<50ms' that decide the exit status. A rule reads one figure; load_results.c gives the figures. Pure. */
#pragma once
#include "proto/rms_op.h"

enum { LOAD_CHECKS_MAX = 32 };

enum load_figure {
	FIGURE_PERCENTILE, /* argument: the percentage */
	FIGURE_MIN,
	FIGURE_MEAN,
	FIGURE_MAX,
	FIGURE_RATE,     /* requests with an answer, a second */
	FIGURE_REQUESTS, /* measured requests, answered or not */
	FIGURE_ERRORS,   /* of these, without a whole good 2xx answer */
	FIGURE_WRONG,    /* answers whose bytes are not what was sent: signature, pattern, length */
	FIGURE_LATE,     /* open loop: started later than scheduled, because no connection was free */
	FIGURE_UNSENT,   /* open loop: never started */
	FIGURE_STATUS,   /* argument: a status, or with status_class its first digit */
	FIGURE_OK,       /* by effect on the caller */
	FIGURE_DEFERRED,
	FIGURE_FINAL,
	FIGURE_CONNECTIONS,
	FIGURE_HANDSHAKES,
	FIGURE_RESUMED,
	FIGURE_VERIFIED, /* answers whose bytes were checked */
	FIGURE_ASKED,    /* --auth: answers 401 to a request without proof */
	FIGURE_PROVEN,   /* other answers than 401 to a proof */
	FIGURE_REFUSED,  /* answers 401 to a proof */
};
enum load_compare { COMPARE_LESS, COMPARE_AT_MOST, COMPARE_MORE, COMPARE_AT_LEAST, COMPARE_EQUAL };

struct load_check {
	const char *text; /* as given */
	enum load_figure figure;
	double argument;
	bool status_class;
	enum rms_op_id op; /* OP_NONE: all operations */
	enum load_compare compare;
	double limit;    /* microseconds for times, a plain number else */
	bool is_percent; /* limit is a percentage of the requests */
};

/* "[Operation.]figure<limit[unit]"; text is borrowed. false: words. */
bool load_check_parse(struct load_check *c, const char *text, char *words, size_t cap);
/* value in the unit of the limit; requests: what a percentage is of. */
bool load_check_holds(const struct load_check *c, double value, double requests);
bool load_figure_is_time(enum load_figure f);
