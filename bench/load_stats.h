/* What was measured. Each worker writes its own; the main thread merges them when the workers have ended. */
#pragma once
#include "bench/load_options.h"
#include "core/base/err.h"
#include "core/base/histogram.h"

enum load_error {
	LOAD_ERROR_NONE,
#define LOAD_ERROR(id, name, effect, words) LOAD_ERROR_##id,
#include "bench/load_errors.def"
#undef LOAD_ERROR
	LOAD_ERROR_COUNT
};

struct load_error_row {
	const char *name, *words;
	enum err_effect effect;
};
const struct load_error_row *load_error_row(enum load_error e);
/* What a caller does after an answer with this status: Exchange's rules. soap: the answer is a SOAP message. */
enum err_effect load_status_effect(unsigned status, bool soap);

enum {
	LOAD_STATUS_MAX = 600,
	LOAD_REASONS_MAX = 16,
	LOAD_REASON_BYTES = 96,
};

struct load_tally {
	struct histogram latency; /* of good answers: whole, 2xx */
	uint64_t errors;          /* all other requests; wrong answers are counted apart, later */
	uint64_t bytes_sent, bytes_got;
};

struct load_reason { /* why a connector answered by itself, in its words */
	char text[LOAD_REASON_BYTES];
	uint64_t count;
};

struct load_verified {           /* written by the verifier */
	uint64_t answers, wrong; /* answers looked at, and not as sent */
	uint64_t signatures, wrong_signatures;
	uint64_t items, failed_items; /* of batches: exceptions inside a 200 */
	uint64_t skipped;             /* compressed, or too large to keep */
	char first_wrong[256];        /* words about the first wrong answer */
};

struct load_auth_counts {        /* of callers who prove who they are */
	uint64_t asked;          /* answers 401 to a request without proof: the first leg */
	uint64_t challenges;     /* answers 401 with a challenge of NTLM */
	uint64_t proven;         /* answers other than 401 to a proof */
	uint64_t refused;        /* answers 401 to a proof */
	uint64_t waited;         /* times that calls had to wait because no token was ready */
	uint64_t made;           /* Kerberos tokens, sent or not */
	uint64_t checked, wrong; /* proofs of services that were looked at, and that are none */
	char first_wrong[512];
};
void load_auth_counts_merge(struct load_auth_counts *into, const struct load_auth_counts *from);

struct load_stats {
	struct load_tally total, nodes[LOAD_TARGETS_MAX];
	struct load_tally rows[CALLER_COUNT][OP_COUNT];
	uint64_t node_requests[LOAD_TARGETS_MAX][CALLER_COUNT];
	uint64_t status[LOAD_STATUS_MAX], errors[LOAD_ERROR_COUNT], effects[EFFECT_COUNT];
	uint64_t late; /* open loop: started more than a millisecond after its time */
	usec_t latest; /* by how much at most */
	uint64_t connections, connections_failed, handshakes, resumed;
	uint64_t self_made; /* answers that a connector gave by itself, refusing */
	uint64_t stray;     /* connections on which bytes came that nobody had asked for */
	struct load_reason reasons[LOAD_REASONS_MAX];
	struct load_verified verified;
	struct load_auth_counts auth;
	usec_t last_end; /* when the last measured request ended */
};

void load_tally_merge(struct load_tally *into, const struct load_tally *from);
void load_verified_merge(struct load_verified *into, const struct load_verified *from);
void load_stats_merge(struct load_stats *into, const struct load_stats *from);
void load_stats_reason(struct load_stats *s, struct slice reason);
static inline uint64_t load_tally_requests(const struct load_tally *t)
{
	return t->latency.count + t->errors;
}

struct load_second { /* one second of the run, for seeing when it hurt and when it healed */
	uint32_t good, errors;
	usec_t p50, p99, max;
};

struct load_results {
	const struct load_options *options;
	struct load_stats stats; /* of all workers */
	double seconds;          /* measured */
	double cpu_s;            /* of this process while measuring */
	bool interrupted;
	struct load_bootstrap *bootstraps; /* one for each target, when asked for */
	size_t bootstrap_count;
	struct load_second *series;
	size_t series_count;
};

/* The figure a rule is about, in the unit of its limit. */
double load_results_figure(const struct load_results *r, const struct load_check *c);
/* Of how many requests the rule's percentages are. */
double load_results_requests(const struct load_results *r, const struct load_check *c);
