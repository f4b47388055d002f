/* One question to the node's administration socket, and its answer. Blocking. */
#pragma once
#include <jansson.h>

/* request: borrowed. 0: *answer is the caller's; else an exit code of sysexits.h, and what to say is on standard error. */
int ctl_ask(const char *socket_path, const json_t *request, json_t **answer);
