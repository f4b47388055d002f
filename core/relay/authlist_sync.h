/* Keeps the list of authorized servers current: reads list.file at the start, when it changes, every list.refresh_s and on demand; checks it whole, and
 * keeps the last good one in memory and in node.state_directory. After each reading the directory is asked about it (directory_watch.h), and its answers
 * become part of the list in force. Owned by the server; main thread. Files are read in the thread pool (but at the start), so a slow disk holds up
 * neither this thread nor a request. Tells event 1004 or 2003 of every reading that went well, 3001 of every other, and 4050. */
#pragma once
#include "core/net/loop.h"
#include "core/base/settings.h"
#include "core/relay/authd_ask.h"
#include "proto/authlist_doc.h"
#include "store/authlist.h"
#include "store/state.h"

struct authlist_sync;

struct authlist_sync_options {
	struct loop *loop;
	const struct settings *settings; /* borrowed: outlives the sync */
	struct state *state;             /* borrowed, used by nobody else; NULL: nothing survives a restart */
	struct authd_ask *
	        asks; /* borrowed, may be closed first in the same turn of the loop; NULL: nobody can be asked about the directory */
	/* A list with other content than the one before; the first one within authlist_sync_open(). The receiver takes references of its own. */
	void (*publish)(void *context, struct authlist *snapshot);
	void *context;
};

/* Reads the list. A list that cannot be had is no error: event 3001, and nobody gets a yes. ERR_NO_MEMORY, ERR_NETWORK. */
struct err authlist_sync_open(const struct authlist_sync_options *o, struct authlist_sync **out);
/* Reads it anew now, changed or not. */
void authlist_sync_refresh(struct authlist_sync *s);
/* Called when a reading is over, well or not, and no other follows it at once, and the directory has been asked about the list, or 10 s have passed.
 * One receiver; NULL: none. */
void authlist_sync_on_settled(struct authlist_sync *s, void (*settled)(void *context), void *context);
/* Each second. */
void authlist_sync_tick(struct authlist_sync *s);
/* Borrowed until the next turn of the loop; NULL: never loaded. */
const struct authlist *authlist_sync_current(const struct authlist_sync *s);
/* For the source `local`: checks the document, writes it into node.state_directory/list.json, whole and synced, then publishes it and tells event 1004
 * or 2003. Blocks as long as the disk takes. ERR_FILE: it is not right or cannot be written, nothing has changed. ERR_SETTINGS: the source is not
 * local. ERR_NO_MEMORY: it is written, but comes into force with the next reading only. problem: the reason, in an administrator's words. */
struct err authlist_sync_replace(struct authlist_sync *s, struct slice document,
                                 char problem[static AUTHLIST_DOC_PROBLEM_BYTES]);
bool authlist_source_is_local(const struct settings *settings);
/* Frees itself when its handles and its work have ended; no publish() any more. NULL is fine. */
void authlist_sync_close(struct authlist_sync *s);

/* What /stats and /metrics tell. */
struct authlist_facts {
	bool configured; /* there is a source */
	bool loaded, too_old;
	bool from_copy; /* kept from before the start, and its source has not said it since */
	uint64_t generation, entries, denials, failures;
	uint64_t members_unknown; /* rows that cannot be decided by because the directory has not told who is in them */
	usec_t age;               /* since the source was last read well; without any: since the start */
	char hash[65];            /* "" without a list */
	char problem[640];        /* why the last reading failed; "" when it went well */
};
void authlist_sync_facts(const struct authlist_sync *s, struct authlist_facts *out);
/* NULL: there is a list to decide by; else in words why not, for /readyz. */
const char *authlist_sync_not_ready(const struct authlist_sync *s);
