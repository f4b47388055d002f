/* What the directory says about the list and its callers, asked ahead so that a decision is made in memory. Owned by the list's sync; main thread.
 *
 * A round, after each reading of the list (at the start, every list.refresh_s, on SIGHUP, `policy refresh` and when the list changes), one question after
 * the other:
 *   members   of each group that needs it (authlist_entry_need()): at most GROUPS_ASKED_MAX, EXPANSION_MEMBERS_MAX members each
 *   accounts  those on the list and those let in within a day: disabled or gone (C24)
 *   groups    of callers that were let in because of a group in their ticket: a ticket shows for up to ten hours what it was made with (C23)
 * A domain that cannot be reached is asked once a round; a round is over after ROUND_S. What was known stays known when an answer fails to come, and
 * event 3001 tells the cause, once a round.
 *
 * Besides, each second: callers that somebody doubts (accounts.h) are asked about: whoever comes for the first time with a group in its ticket, and
 * whoever the last answer refuses. So who left a group is out within seconds if it is new to the node, and after one round if it is known: at most
 * list.refresh_s, also on connections that stay. Groups of other domains than the account's are believed until the ticket ends. */
#pragma once
#include "core/base/settings.h"
#include "core/net/loop.h"
#include "core/relay/authd_ask.h"
#include "core/relay/expansions.h"
#include "store/standing.h"

enum { GROUPS_ASKED_MAX = 2000, CALLERS_ASKED_MAX = 2000, ACCOUNTS_ASKED_MAX = 20000, DIRECTORY_ROUND_S = 300 };

struct directory_watch;

struct directory_watch_options {
	struct loop *loop;
	struct authd_ask
	        *asks; /* borrowed, may be closed first in the same turn of the loop; NULL: nobody can be asked */
	/* members: of which groups is new; else standings are. From the loop. */
	void (*changed)(void *context, bool members);
	/* The same members were told again. */
	void (*confirmed)(void *context, const struct sid *group);
	/* A round is over: what is to be kept may have changed. */
	void (*ended)(void *context);
	void *context;
};

/* ERR_NO_MEMORY. */
struct err directory_watch_open(const struct directory_watch_options *o, struct directory_watch **out);
void directory_watch_close(struct directory_watch *w); /* at once; NULL is fine */

/* The document of a STATE_DIRECTORY record, kept before the start; before the first fill. Answers older than max_age_s are left out. false: it is not
 * such a document. */
bool directory_watch_restore(struct directory_watch *w, struct slice document, uint64_t max_age_s);
/* What is to be kept: malloc'd; NULL: nothing was ever told, or no memory. */
char *directory_watch_document(const struct directory_watch *w, size_t *len);

/* Gives rows what is known of their members. false: no memory. */
bool directory_watch_fill(struct directory_watch *w, struct authlist_rows *rows);
struct standings *directory_watch_standings(struct directory_watch *w); /* borrowed; NULL: none */
/* Begins a round for these rows; one that is under way ends and is begun anew. */
void directory_watch_begin(struct directory_watch *w, const struct authlist_rows *rows);
bool directory_watch_is_busy(const struct directory_watch *w);
/* Each second. */
void directory_watch_tick(struct directory_watch *w);
