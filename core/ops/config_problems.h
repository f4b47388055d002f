/* What is wrong with a configuration, each with its place, in the words of whoever has to mend it. Owned by who loads; one thread. */
#pragma once
#include "core/base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { CONFIG_PROBLEMS_MAX = 50, CONFIG_PROBLEM_BYTES = 640 };

struct config_place {
	unsigned line, column; /* from 1; line 0: the file as a whole */
};

struct config_problem {
	struct config_place at;
	bool warning; /* the configuration can be used nevertheless */
	char *text;   /* "FILE:3:5: ..." */
};

struct config_problems {
	const char *file; /* borrowed, while loading */
	size_t count, errors, left_out;
	struct config_problem list[CONFIG_PROBLEMS_MAX];
};

void config_problem(struct config_problems *p, struct config_place at, const char *format, ...) PRINTF_LIKE(3, 4);
void config_warning(struct config_problems *p, struct config_place at, const char *format, ...) PRINTF_LIKE(3, 4);
/* In the order of the file. */
void config_problems_sort(struct config_problems *p);
void config_problems_print(const struct config_problems *p, FILE *out);
void config_problems_done(struct config_problems *p);

/* Number of single mistakes (wrong, missing, added, swapped letter) between two words; case, '-' and '_' do not count. */
unsigned config_word_distance(const char *a, const char *b);
/* Whether b is what somebody who wrote a may have meant. */
bool config_word_near(const char *a, const char *b, unsigned *distance);
