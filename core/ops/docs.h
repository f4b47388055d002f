/* Documents made from the rows: the annotated example of the configuration, and the tables of settings, events and metrics. The files of the same
 * content in deploy/ and docs/ are checked against these. Main thread. */
#pragma once
#include <stdio.h>

void config_print_example(FILE *out);      /* deploy/rms-connector.yaml */
void config_print_settings_doc(FILE *out); /* docs/settings.md */
void docs_print_events(FILE *out);         /* docs/events.md */
void docs_print_metrics(FILE *out);        /* docs/metrics.md */
