/* The Unix socket of authd: who may speak, messages in, jobs to the pools, answers out. One thread, epoll; only answers cross threads.
 *
 *   node worker ==socket== connection --job--> pool of tokens --\
 *   node worker ==socket== connection --job--> pool of asks   ---+--> finished --> connection
 */
#pragma once
#include "core/authd/authd.h"

struct authd_server;

enum { AUTHD_CONNECTIONS_MAX = 256, AUTHD_ASK_THREADS = 2, AUTHD_ASKS_MAX = 16 };

/* Takes the socket of a->settings over from a process that is gone, never from one that lives. Blocks the signals it will read. On failure *where names the
 * setting. */
struct err authd_server_open(struct authd *a, struct authd_server **out, const char **where);
/* Until SIGTERM or SIGINT. SIGHUP reads the keytab again. */
void authd_server_run(struct authd_server *s);
/* false: a thread still hangs in a call; nothing was freed, the process should just end. */
bool authd_server_close(struct authd_server *s);
/* Jobs that wait for a thread; any thread. */
size_t authd_server_waiting(struct authd_server *s);
