/* Pieces of the node's HTML page. */
#pragma once
#include "core/ops/stats.h"

#include <stdio.h>

/* Whatever it holds, as text. */
void html_text(FILE *out, const char *text);
/* "5 min" */
void html_duration(FILE *out, usec_t took);
/* A name, and behind it the SID or principal; name: may be NULL or empty; id: may be empty. */
void html_account(FILE *out, const char *name, const char *id);
/* Who came, who was refused, and why tokens were. */
void stats_page_callers(FILE *out, const struct stats_source *s);
