/* Statistics over HTTP, on the main loop, away from callers: / /stats /metrics /livez /readyz. Loopback, or TLS with client certificates, or listed addresses
 * only. At most 64 connections, 10 s for anything but silence between requests. Main thread. */
#pragma once
#include "core/base/settings.h"
#include "core/net/loop.h"
#include "core/ops/stats.h"

struct stats_server;

/* Listens when it returns. stats.address empty: *out = NULL, OK. On failure err.what says what is wrong with which setting (for the thread's next call):
 * ERR_SETTINGS when it has to be changed, ERR_NETWORK when the address cannot be had now. s is read here only; source must live until
 * stats_server_close() has ended. */
struct err stats_server_open(struct loop *main_loop, const struct settings *s, const struct stats_source *source,
                             struct stats_server **out);
/* Stops listening and closes its connections; frees itself over the next turns of the loop. NULL is fine. */
void stats_server_close(struct stats_server *server);
/* The port it listens on, for address port 0. */
uint16_t stats_server_port(const struct stats_server *server);
