/* What must survive a restart: node.state_directory/state, an LMDB file that is synced at each change: the last good list of authorized servers, and
 * what the directory told about it. One process, one thread at a time; calls block: start, and the thread pool. */
#pragma once
#include "store/db.h"
#include "store/state_record.h"

struct state;

/* Before threads run, with the lock of state_lock.h. Errors and problem as db_open() gives them. */
struct err state_open(const char *directory, struct state **out, char problem[static DB_PROBLEM_BYTES]);
void state_close(struct state *s);
bool state_read_only(const struct state *s);

/* On the disk when it returns. ERR_FILE with sys for db_strerror(): what was kept before stays. ERR_NO_MEMORY. */
struct err state_keep(struct state *s, enum state_kind kind, const struct state_record *r);
/* *record: malloc'd, what out borrows from; NULL: none was kept. ERR_FILE: it cannot be read, or is damaged. ERR_NO_MEMORY. */
struct err state_last(struct state *s, enum state_kind kind, struct state_record *out, char **record);
