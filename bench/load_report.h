/* Results as words for people and as JSON for programs. */
#pragma once
#include "bench/load_stats.h"

#include <stdio.h>

/* "1.23 ms": three digits that matter. */
const char *load_time_text(double us, char out[static 16]);
/* "12,345" */
const char *load_count_text(uint64_t n, char out[static 32]);

void load_report_print(FILE *out, const struct load_results *r);
/* false: errno. */
bool load_report_write_json(FILE *out, const struct load_results *r);
