/* The list in memory: an immutable, counted snapshot, and the decision about a caller: memory only, so a worker takes it in its loop. Made by the main
 * thread, which hands one reference to each worker; only the time of the last confirmation changes in it (authlist_confirm()).
 *
 * Denials win over everything. Then an exact account wins over groups, and among groups the oldest entry, so that the RMS identity of an account never
 * flips by the order of groups in a ticket. A group counts when the ticket shows it or when its expansion has the account. A caller with a SID is
 * decided by SIDs only, one without by its principal name only.
 *
 * What a ticket does not show or shows too long, the directory told ahead, and the decision takes it from the snapshot:
 *   members of a row   object.need says whether they must be known. As long as they are not, or are older than max_age: a denied group defers whoever
 *                      would be let in; a group among the entries defers whoever would be refused, and lets nobody in. It stops nobody whom another
 *                      entry lets in.
 *   standings          a disabled or deleted account is refused, also long after the directory went away. A group that the ticket shows and the
 *                      directory does not counts for nothing, if it is of the account's own domain (a domain's controllers do not tell of others'
 *                      groups: those are believed until the ticket ends). Refused for good is whoever was asked about within STANDING_FRESH_S; before
 *                      that it may have joined since, so it is deferred and asked about anew.
 */
#pragma once
#include "core/base/authlist_rows.h"
#include "core/base/clock.h"
#include "core/base/err.h"
#include "store/standing.h"

enum verdict { VERDICT_LATER, VERDICT_NO, VERDICT_YES };

enum decision_reason {
#define DECISION(name, verdict, text) DECIDED_##name,
#include "store/decision_reasons.def"
#undef DECISION
	DECISION_REASON_COUNT
};

struct decision_row {
	const char *name, *text; /* "NOT_LISTED" */
	enum verdict verdict;
};
const struct decision_row *decision_row(enum decision_reason reason);

enum { STANDING_FRESH_S = 60 };
enum { AUTHLIST_HASH_BYTES = 32, AUTHLIST_ENTRY_ID_BYTES = 16, AUTHLIST_NO_ROW = UINT32_MAX };

/* Which entry, in cache keys and labels: SHA-256 of "S-1-5-..." or of the principal, cut. The same on every node and in every generation. */
struct authlist_entry_id {
	uint8_t bytes[AUTHLIST_ENTRY_ID_BYTES];
};

/* A value; it outlives the snapshot. */
struct decision {
	enum decision_reason reason;
	enum verdict verdict;
	enum authlist_role role; /* of YES */
	uint32_t entry;          /* of YES: index in the snapshot; else AUTHLIST_NO_ROW */
	uint32_t denial;         /* the denial that decided; else AUTHLIST_NO_ROW */
	uint32_t matches;        /* entries that name the account or a group of it */
	uint32_t rival;          /* the first of them with another role than the winner's; else AUTHLIST_NO_ROW */
	struct authlist_entry_id entry_id; /* of YES */
	uint64_t generation;               /* of the list; 0: there was none */
	uint8_t hash[AUTHLIST_HASH_BYTES];
	usec_t good_until; /* clock_now(): then something that it rests on is too old */
	bool by_ticket;    /* YES because the ticket shows a group */
	bool doubtful;     /* the directory should be asked about the account: soon */
};

/* Who asks. All borrowed. */
struct authlist_caller {
	const struct sid *account;    /* NULL or none: a realm without directory */
	const struct sid_set *groups; /* sealed; NULL: none; may contain the account itself */
	struct slice principal;       /* "exch@EXAMPLE.ORG"; counts only without account */
};

struct authlist; /* immutable but for its last confirmation */

/* Takes what is in rows, with need and members as the directory's answers stand, also on failure; rows is empty afterwards. rows must be sorted and without doubles, as authlist_doc_read() leaves them.
 * hash: of the canonical document. confirmed: clock_now() of when the source last said that this is the list, lower (also below zero) when that was
 * before this start. ERR_NO_MEMORY. */
struct err authlist_new(struct authlist_rows *rows, const uint8_t hash[static AUTHLIST_HASH_BYTES], uint64_t generation,
                        int64_t confirmed, usec_t max_age, struct authlist **out);
/* The same list with other standings (a reference of its own; NULL: none): little work, the rows are shared. ERR_NO_MEMORY. */
struct err authlist_with(const struct authlist *l, struct standings *standings, struct authlist **out);
/* Any thread. */
struct authlist *authlist_ref(struct authlist *l);
void authlist_unref(struct authlist *l);

/* The decision, in O(SIDs of the caller x log entries). l: NULL when there was never a list. now: clock_now(); wall_s: seconds since 1970, for
 * denials that end. */
struct decision authlist_decide(const struct authlist *l, const struct authlist_caller *who, usec_t now,
                                int64_t wall_s);
/* A decision made earlier may be used again: same list, still young enough, and no denial that mattered has ended. Cheap enough for every request. */
bool authlist_still(const struct authlist *l, const struct decision *d, usec_t now);

/* The source said it again. Main thread; workers see it soon. */
void authlist_confirm(struct authlist *l, usec_t now);
/* The directory said again who is in that group: the same. Main thread. */
void authlist_confirm_members(struct authlist *l, const struct sid *group, usec_t now);
/* Rows whose members must be known and are not, or not any more. */
size_t authlist_members_unknown(const struct authlist *l, usec_t now);
/* When the directory told the members of that row; AUTHLIST_NEVER. */
int64_t authlist_members_at(const struct authlist *l, bool is_denial, uint32_t row);
const struct standings *authlist_standings(const struct authlist *l);
usec_t authlist_age(const struct authlist *l, usec_t now);
bool authlist_too_old(const struct authlist *l, usec_t now);

uint64_t authlist_generation(const struct authlist *l);
const uint8_t *authlist_hash(const struct authlist *l);
const struct authlist_rows *authlist_rows_of(const struct authlist *l);
/* Of the entry with that index. */
const struct authlist_entry_id *authlist_entry_id_of(const struct authlist *l, uint32_t entry);
