/* What the connector's programs have in common on the command line. Main thread. */
#pragma once

/* The configuration where -c names none. */
#define PROGRAM_CONFIG_FILE "/etc/rms-connector/rms-connector.yaml"

/* Says on standard error what is wrong, and where help is. value: the word that is wrong, or NULL. Returns the exit code. */
int program_usage_error(const char *program, const char *what, const char *value);
