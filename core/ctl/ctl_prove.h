/* rms-connectorctl upstream prove: needs no node, no directory, no list and no root. The configuration's credential, or one given by options. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* words: behind "upstream prove". config: of -c, NULL: the usual one where no --url is given. Exit code: 0 usable, 1 refused, 69 not reached; else as
 * of sysexits.h. */
int ctl_prove(const char *const *words, size_t count, const char *config, bool json);
void ctl_prove_help(void);
