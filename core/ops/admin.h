/* Administration of a running node over a Unix socket (admin.socket), on the main loop: one JSON document on a line each way.
 *
 *   {"version": 1, "command": "servers show", "arguments": {"who": "CORP\\exch$"}}
 *   {"ok": true, "result": {...}, "says": ["..."]}      or      {"ok": false, "error": "what", "mend": "how", "exit": 65}
 *
 * Who may what: admin_peer.h; commands: admin.def; how a command is written: admin_call.h. At most 16 connections, one request at a time on each. */
#pragma once
#include "core/base/settings.h"
#include "core/net/loop.h"
#include "core/ops/stats.h"

struct admin;

/* What commands look at; filled in by main, all borrowed, and alive until admin_close() has ended. */
struct admin_source {
	const struct settings *settings;
	const struct stats_source *stats;
	struct authlist_sync *list;  /* NULL: none */
	struct decisions *decisions; /* store/decisions.h says how to read them */
	struct cache_keeper *cache;  /* NULL: nothing is remembered */
	struct authd_ask *authd;     /* NULL: nobody is authenticated here */
	struct credentials *credentials;
};

/* Listens when it returns. Without admin.socket: *out = NULL, OK. ERR_SETTINGS: groups that do not exist. Other errors leave a node without
 * administration that can serve nevertheless; err.what (until the next call) says what is wrong. */
struct err admin_open(struct loop *main_loop, const struct admin_source *source, struct admin **out);
/* Frees itself over the next turns of the loop. NULL is fine. */
void admin_close(struct admin *a);
