/* The record of changes: JSON lines in node.state_directory/audit.jsonl, each with the hash of the line before, so that a line that was changed, taken
 * out or put in later shows. A change is written and synced before it is made; what cannot be written down is not done. The hash of the newest line
 * also goes out with event 4041, so that lines cut off at the end show when the events are kept elsewhere. Calls block: changes are rare. Main thread. */
#pragma once
#include "core/base/err.h"
#include "core/ops/admin_peer.h"

#include <jansson.h>
#include <stdint.h>

struct audit;

enum { AUDIT_HASH_HEX = 65, AUDIT_LINE_BYTES = 16 * 1024 * 1024, AUDIT_LIST_MAX = 10000 };

/* Reads what is there once through. A last line without its end (a crash while it was written; its change was never made) is cut away, and that is
 * written down. ERR_FILE: err.what (until the next call) says which file and why; a chain that is broken is no error: audit_verify() tells. */
struct err audit_open(const char *directory, struct audit **out);
void audit_close(struct audit *a);

/* what: the command; before, after: what it changes, each may be NULL; all borrowed. When it returns OK, the line is on the disk. */
struct err audit_append(struct audit *a, const struct admin_peer *who, const char *what, const json_t *before,
                        const json_t *after);
uint64_t audit_lines(const struct audit *a);
const char *audit_hash(const struct audit *a); /* of the last line, in hex; zeros without a line */

struct audit_check {
	uint64_t lines;       /* that are whole, from the first */
	uint64_t broken_line; /* 0: none; else its number, from 1 */
	char hash[AUDIT_HASH_HEX];
	char why[160]; /* what is wrong with it */
};
/* Reads the file again. ERR_FILE: it cannot be read. */
struct err audit_verify(const struct audit *a, struct audit_check *out);
/* The last ones, oldest first, as an array of the lines' objects, without what is no line of it; NULL: no memory, or the file cannot be read. */
json_t *audit_last(const struct audit *a, size_t count);
