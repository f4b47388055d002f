/* One LMDB environment in one file, synced at each commit; the home of lmdb.h (with db_walk.c). Keys are short names, values whole records with checksums of
 * their own. It belongs to one process, which holds the lock of its directory (state_lock.h), and to one thread at a time. Calls block: start, and the
 * thread pool.
 *
 * What LMDB maps it believes: a file that was cut is SIGBUS, a damaged page an abort. So before it is mapped its last page is compared with its size,
 * and a child process walks all of it and tries a write; where the child dies, the file is moved aside and a new one made. */
#pragma once
#include "core/base/err.h"
#include "core/base/slice.h"

#include <stdbool.h>

struct db;

enum { DB_PROBLEM_BYTES = 512 };

/* The file directory/name; directory must exist, and be locked. Forks once: before threads run. map_bytes: the largest it can become.
 * problem: "" when all is well; on success else what was wrong and where the old file is now, or that the file can only be read.
 * ERR_FILE with words in problem. ERR_NO_MEMORY. */
struct err db_open(const char *directory, const char *name, size_t map_bytes, struct db **out,
                   char problem[static DB_PROBLEM_BYTES]);
void db_close(struct db *d);
bool db_read_only(const struct db *d);

/* *value: malloc'd, *len 0 and NULL when there is none. ERR_FILE: it cannot be read. */
struct err db_read(struct db *d, const char *key, char **value, size_t *len);
/* On the disk when it returns. ERR_FILE with words in what, errno or LMDB's number in sys: nothing has changed. */
struct err db_write(struct db *d, const char *key, struct slice value);
/* The same for several at once: all or none of them. */
struct db_change {
	const char *key;
	struct slice value; /* at NULL: the key is taken out, if it is there */
};
struct err db_change(struct db *d, const struct db_change *changes, size_t count);
/* Shows each row, by key; what is shown is borrowed until the call returns. on_row must not come back here. ERR_FILE: not all could be read. */
struct err db_each(struct db *d, void (*on_row)(void *arg, struct slice key, struct slice value), void *arg);
/* The words of such an error's sys. */
const char *db_strerror(int sys);
