/* Answers of a node for people: sentences, "name  value" lines and tables, made from whatever the JSON holds. What came from callers or from a directory
 * cannot steer the terminal: control characters and marks that turn text around are shown as ?. */
#pragma once
#include <jansson.h>
#include <stdio.h>

void ctl_print_text(FILE *out, const char *text);
/* says: sentences, may be NULL. */
void ctl_print_answer(FILE *out, const json_t *result, const json_t *says);
