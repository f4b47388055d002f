/* Decisions that were made, for `explain`: the last DECISIONS_KEPT of this node, in memory and in node.state_directory/decisions (LMDB), over restarts.
 *
 * Deciding is a look-up in memory, and what was decided stays with the principal, who is interned by its SID set: asked once for the connections that
 * share it, good for one snapshot of the list, a yes for DECISION_YES_S, others for DECISION_NO_S (core/relay/authz.c). So nothing kept here is ever
 * read in order to decide: a record that is old, damaged or forged can let nobody in, it can only explain wrongly; and those that are damaged are
 * left out when the node starts. Lost records are lost: a crash loses a second of them, a full disk all until it has room.
 *
 *   workers --decisions_note()--> inbox --decisions_take()--> ring --decisions_dirty()--> segments on the disk
 *   any thread, a lock held for a copy    control thread, each second                      thread pool
 *
 * How `explain` reads them (control thread; what is returned is borrowed until the next turn of the loop):
 *   uint64_t id;
 *   if (decision_id_read(slice_str(who), &id))
 *           r = decisions_find(decisions, id);          NULL: none with this id, or DECISIONS_KEPT newer ones have come since
 *   else    r = decisions_last(decisions, who);         by SID text or account name: the newest about it
 * Its reason says by what way: ALLOWED_GROUP the ticket shows entry, ALLOWED_MEMBER the directory told members_age_s before that it is in entry. */
#pragma once
#include "store/db.h"
#include "store/decision_record.h"

enum {
	DECISION_YES_S = 300,
	DECISION_NO_S = 30,
	DECISIONS_SEGMENTS = 64,
	DECISIONS_PER_SEGMENT = 64,
	DECISIONS_KEPT = DECISIONS_SEGMENTS * DECISIONS_PER_SEGMENT,
	DECISIONS_INBOX = 1024,
	DECISION_SEGMENT_BYTES = 16 + DECISIONS_PER_SEGMENT * DECISION_RECORD_BYTES,
};

struct decisions;

/* directory: of the state, whose lock is held (state_lock.h); NULL: they are kept in memory only. Before threads run: it forks. Reads what is there. problem as db_open() gives it, also
 * on success, when then they are in memory only. ERR_NO_MEMORY. */
struct err decisions_open(const char *directory, struct decisions **out, char problem[static DB_PROBLEM_BYTES]);
void decisions_close(struct decisions *d);

/* Any thread. Copies r. When DECISIONS_INBOX wait already, it is lost, and counted. */
void decisions_note(struct decisions *d, const struct decision_record *r);
/* Moves what was noted into the ring. Control thread, as all below. */
void decisions_take(struct decisions *d);
uint64_t decisions_lost(struct decisions *d); /* since the start */
const struct decision_record *decisions_find(struct decisions *d, uint64_t id);
const struct decision_record *decisions_last(struct decisions *d, const char *who);
size_t decisions_count(const struct decisions *d);

/* A segment that the disk does not have: copied into out; returns its length. 0: there is none, or no disk. */
size_t decisions_dirty(struct decisions *d, uint32_t *segment, char out[static DECISION_SEGMENT_BYTES]);
/* Writes it; blocks; one at a time, any thread. Errors as state_keep(). */
struct err decisions_keep(struct decisions *d, uint32_t segment, struct slice document);
/* It could not be written, and shall be again. */
void decisions_not_kept(struct decisions *d, uint32_t segment);
