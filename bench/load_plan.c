#include "bench/load_plan.h"

#include "core/base/check.h"

#include <math.h>

/* Exchange makes a connection for each call; most calls open mail for transport and search, one in ten is a pre-licence for the recipients of a mail,
 * the rest is what each server process asks at its start and once a day. */
static const struct load_profile exchange = {
        .caller = CALLER_EXCHANGE,
        .new_connections = true,
        .mix =
                {
                        {OP_ACQUIRE_LICENSE, 850},
                        {OP_ACQUIRE_PRELICENSE, 100},
                        {OP_GET_SERVER_INFO, 12},
                        {OP_GET_LICENSOR_CERTIFICATE, 8},
                        {OP_ACQUIRE_TEMPLATE_INFORMATION, 8},
                        {OP_FIND_SERVICE_LOCATIONS, 6},
                        {OP_CERTIFY, 6},
                        {OP_GET_CLIENT_LICENSOR_CERT, 6},
                        {OP_ACQUIRE_TEMPLATES, 4},
                },
        .weight = 70,
};

#define CLIENT_START                                                                         \
	{                                                                                    \
		OP_FIND_SERVICE_LOCATIONS_FOR_USER, OP_CERTIFY, OP_GET_CLIENT_LICENSOR_CERT, \
		        OP_ACQUIRE_TEMPLATE_INFORMATION, OP_ACQUIRE_TEMPLATES                \
	}

/* A crawl: the client library starts, then opens one document after another on the connection it has. */
static const struct load_profile sharepoint = {
        .caller = CALLER_SHAREPOINT,
        .opening_count = 5,
        .opening = CLIENT_START,
        .mix = {{OP_ACQUIRE_LICENSE, 990}, {OP_ACQUIRE_TEMPLATE_INFORMATION, 10}},
        .weight = 20,
};

/* A classification job: the client library starts, protects files by itself, ends. */
static const struct load_profile fci = {
        .caller = CALLER_FCI,
        .ends = true,
        .opening_count = 5,
        .opening = CLIENT_START,
        .weight = 10,
};

struct load_profile load_profile_of(enum load_caller caller, const struct load_options *o)
{
	struct load_profile p = {.caller = CALLER_FIXED, .weight = 100};
	switch (caller) {
	case CALLER_EXCHANGE:
		p = exchange;
		break;
	case CALLER_SHAREPOINT:
		p = sharepoint;
		break;
	case CALLER_FCI:
		p = fci;
		break;
	default:
		p.mix[0] = (struct load_mix){o->op ? o->op->id : OP_NONE, 1000};
		break;
	}
	if (o->new_connections || o->pattern == PATTERN_EXCHANGE)
		p.new_connections = true;
	if (o->pattern == PATTERN_KEPT)
		p.new_connections = false;
	return p;
}

enum rms_op_id load_profile_next(const struct load_profile *p, uint32_t n, struct load_rng *rng)
{
	if (n < p->opening_count)
		return p->opening[n];
	if (p->ends)
		return OP_NONE;
	if (p->mix[0].share == 1000)
		return p->mix[0].op;
	uint32_t at = load_rng_below(rng, 1000);
	for (size_t i = 0; i < LOAD_MIX_MAX; i++) {
		if (at < p->mix[i].share)
			return p->mix[i].op;
		at -= p->mix[i].share;
	}
	return p->mix[0].op;
}

bool load_profile_uses(const struct load_profile *p, enum rms_op_id op)
{
	for (size_t i = 0; i < p->opening_count; i++)
		if (p->opening[i] == op)
			return true;
	for (size_t i = 0; i < LOAD_MIX_MAX; i++)
		if (p->mix[i].share && p->mix[i].op == op)
			return true;
	return false;
}

/* Sizes of crypto mode 2: a licence request holds the caller's chain, the document's chain and application data. */
static const struct load_size exchange_licenses[] = {
        {40960, 0, 0}, {47104, 0, 0}, {52224, 0, 0}, {58368, 0, 0}, {65536, 0, 0}};
static const struct load_size crawl_licenses[] = {
        {40960, 0, 0}, {46080, 0, 0}, {51200, 0, 0}, {55296, 0, 0}, {61440, 0, 0}};
/* Most mail has few recipients; a broadcast comes in batches of a hundred. */
static const struct load_size prelicenses[] = {{0, 1, 0}, {0, 3, 0}, {0, 10, 0}, {0, 30, 0}, {0, 100, 0}};
static const struct load_size templates[] = {{0, 0, 3}, {0, 0, 10}, {0, 0, 25}};

size_t load_sizes_of(enum load_caller caller, enum rms_op_id op, const struct load_options *o,
                     struct load_size out[static LOAD_SIZES_MAX])
{
	static const struct load_size natural[] = {{0, 1, 1}};
	const struct load_size fixed[] = {{o->sized ? (uint32_t)o->request_bytes : 0, 1, 1}};
	const struct load_size *from = natural;
	size_t count = 1;
	if (caller == CALLER_FIXED) {
		from = fixed;
	} else if (op == OP_ACQUIRE_LICENSE) {
		from = caller == CALLER_EXCHANGE ? exchange_licenses : crawl_licenses;
		count = ARRAY_COUNT(exchange_licenses);
	} else if (op == OP_ACQUIRE_PRELICENSE) {
		from = prelicenses;
		count = ARRAY_COUNT(prelicenses);
	} else if (op == OP_ACQUIRE_TEMPLATES) {
		from = templates;
		count = ARRAY_COUNT(templates);
	}
	memcpy(out, from, count * sizeof(*out));
	return count;
}

void load_share_out(unsigned total, const unsigned weights[], size_t count, unsigned out[])
{
	unsigned all = 0, given = 0;
	for (size_t i = 0; i < count; i++)
		all += weights[i];
	for (size_t i = 0; i < count; i++) {
		unsigned share = all ? (unsigned)((uint64_t)total * weights[i] / all) : 0;
		out[i] = share ? share : 1;
		given += out[i];
	}
	for (size_t i = 0; given < total; i = (i + 1) % count) {
		out[i]++;
		given++;
	}
	/* where every share had to be one, the largest give it back */
	while (given > total) {
		size_t largest = 0;
		for (size_t i = 1; i < count; i++)
			if (out[i] > out[largest])
				largest = i;
		if (out[largest] == 1)
			break;
		out[largest]--;
		given--;
	}
}

static void draw_gap(struct load_schedule *s)
{
	s->due_us += -log(load_rng_unit(&s->rng)) * s->gap_us;
}

void load_schedule_start(struct load_schedule *s, usec_t start, double rate, unsigned thread, unsigned threads,
                         bool poisson, uint64_t seed)
{
	*s = (struct load_schedule){
	        .start_us = (double)start + (poisson ? 0 : 1e6 / rate * thread),
	        .gap_us = 1e6 / rate * threads,
	        .poisson = poisson,
	        .rng = load_rng_seed(seed ^ ((uint64_t)thread << 32)),
	};
	s->due_us = s->start_us;
	if (poisson)
		draw_gap(s);
}

void load_schedule_advance(struct load_schedule *s)
{
	s->taken++;
	if (s->poisson)
		draw_gap(s);
	else
		s->due_us = s->start_us + s->gap_us * (double)s->taken; /* a product, so that nothing adds up */
}

uint64_t load_schedule_left(const struct load_schedule *s, usec_t end)
{
	double left = (double)end - s->due_us;
	return left <= 0 ? 0 : (uint64_t)ceil(left / s->gap_us);
}
