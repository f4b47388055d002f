/* The list in memory: an immutable, counted snapshot, and the decision about a caller: memory only, so a worker takes it in its loop. Made by the main
 * thread, which hands one reference to each worker; only the time of the last confirmation changes in it (authlist_confirm()).
 *
 * Denials win over everything. Then an exact account wins over groups, and among groups the oldest entry, so that the RMS identity of an account never
 * flips by the order of groups in a ticket. A group counts when the ticket shows it or when its expansion has the account. A caller with a SID is
 * decided by SIDs only, one without by its principal name only. */
#pragma once
#include "core/base/authlist_rows.h"
#include "core/base/clock.h"
#include "core/base/err.h"

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
};

/* Who asks. All borrowed. */
struct authlist_caller {
	const struct sid *account;    /* NULL or none: a realm without directory */
	const struct sid_set *groups; /* sealed; NULL: none; may contain the account itself */
	struct slice principal;       /* "exch@EXAMPLE.ORG"; counts only without account */
};

struct authlist; /* immutable but for its last confirmation */

/* Takes what is in rows, also on failure; rows is empty afterwards. rows must be sorted and without doubles, as authlist_doc_read() leaves them.
 * hash: of the canonical document. confirmed: clock_now() of when the source last said that this is the list, lower (also below zero) when that was
 * before this start. ERR_NO_MEMORY. */
struct err authlist_new(struct authlist_rows *rows, const uint8_t hash[static AUTHLIST_HASH_BYTES], uint64_t generation,
                        int64_t confirmed, usec_t max_age, struct authlist **out);
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
usec_t authlist_age(const struct authlist *l, usec_t now);
bool authlist_too_old(const struct authlist *l, usec_t now);

uint64_t authlist_generation(const struct authlist *l);
const uint8_t *authlist_hash(const struct authlist *l);
const struct authlist_rows *authlist_rows_of(const struct authlist *l);
/* Of the entry with that index. */
const struct authlist_entry_id *authlist_entry_id_of(const struct authlist *l, uint32_t entry);
