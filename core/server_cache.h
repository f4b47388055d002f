/* The server's cache of the cloud's answers: what joins the workers, who remember, to the main thread, which keeps. Part of server.c; main thread. */
#pragma once
#include "core/server.h"

/* Before there are threads: it forks. Nothing is done when cache.enabled is false. -EBUSY in sys: another process has it. */
struct err server_cache_open(struct server *s);
/* After the workers were made: they get what was kept. */
struct err server_cache_start(struct server *s);
/* Another list is in force. */
void server_cache_list(struct server *s, const struct authlist *list);
/* When the workers have ended; server_cache_close() when the loop has. */
void server_cache_stop(struct server *s);
void server_cache_close(struct server *s);
