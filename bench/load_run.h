/* The run: workers side by side, a look at them every second, their results made one. Main thread. */
#pragma once
#include "bench/load_auth.h"
#include "bench/load_image.h"
#include "bench/load_stats.h"

/* r->series is malloc'ed. On failure err.what says what could not be made. */
struct err load_run(const struct load_options *o, const struct load_callers *callers, struct load_auth *auth,
                    struct load_results *r, char *words, size_t cap);
