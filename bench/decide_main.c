#include "bench/decide.h"
#include "core/base/check.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
        "usage: rms-decide [ENTRIES [ACCOUNTS [SECONDS]]]\n"
        "What a list of so many entries (1000) with so many accounts in expanded groups (100000) costs, and "
        "deciding by it, each\n"
        "for so many seconds (1). Prints JSON.\n";

static double number(int argc, char **argv, int at, double otherwise, double least, double most)
{
	char *end = NULL;
	double n = argc > at ? strtod(argv[at], &end) : otherwise;
	if (n >= least && n <= most && (!end || !*end))
		return n;
	fprintf(stderr, "rms-decide: %s: between %g and %g\n%s", argv[at], least, most, usage);
	exit(64);
}

int main(int argc, char **argv)
{
	static const uint32_t groups[] = {20, 100, 1000};
	size_t entries = (size_t)number(argc, argv, 1, 1000, 20, AUTHLIST_ROWS_MAX);
	size_t accounts = (size_t)number(argc, argv, 2, DECIDE_ACCOUNTS_MAX, 10, DECIDE_ACCOUNTS_MAX);
	double seconds = number(argc, argv, 3, 1, 0.001, 60);
	struct decide_list shape;
	struct authlist *l = decide_list_make(entries, accounts, &shape);
	printf("{\"entries\": %zu, \"accounts\": %zu, \"document_bytes\": %zu, \"read_ms\": %.3f, \"publish_ms\": "
	       "%.3f, "
	       "\"heap_bytes\": %zu, \"speeds\": [",
	       shape.entries, shape.accounts, shape.document_bytes, shape.read_ms, shape.publish_ms, shape.heap_bytes);
	bool right = true;
	for (size_t i = 0; i < ARRAY_COUNT(groups); i++) {
		struct decide_speed speed;
		right = decide_run(l, &shape, groups[i], seconds, &speed) && right;
		printf("%s{\"groups\": %u, \"decide_ns\": %.1f, \"still_ns\": %.2f, \"asked\": %zu, \"yes\": %zu}",
		       i ? ", " : "", groups[i], speed.decide_ns, speed.still_ns, speed.asked, speed.yes);
	}
	printf("]}\n");
	authlist_unref(l);
	if (!right)
		fprintf(stderr, "rms-decide: a decision was not what it must be\n");
	return right ? 0 : 1;
}
