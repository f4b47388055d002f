/* rms-connector-authd as a child of the node, for the quickstart and for tests: started, started again when it ends, ended with the node. In production
 * it is a service of its own with its own user, so that who parses strangers' bytes never reads the keytab. Main thread. */
#pragma once
#include "core/net/loop.h"

struct authd_child;

/* Runs `program -c config --with-parent`. Both are borrowed. */
struct err authd_child_open(struct loop *l, const char *program, const char *config, struct authd_child **out);
/* SIGTERM, after two seconds SIGKILL; frees itself when the child has ended. NULL is fine. */
void authd_child_close(struct authd_child *c);
