/* Changes the keytab file: written anew beside the old one, synced, given the old one's mode and owner, and put into its place in one step, so that whoever
 * reads it finds the one or the other. Also the comparing of keys. Any thread; one change at a time (keytab_file_lock). */
#pragma once
#include "core/authd/keytab.h"

enum { KEYTAB_FINGERPRINT_BYTES = 25 }; /* 24 digits and NUL */

/* Keys of both lists in the order first, then; equal ones once. conflicts: keys of one name, version and kind in both, but of another password. */
struct keytab_merge {
	struct keytab_key *keys; /* owned; their principals are borrowed from the lists */
	size_t count, added, same, conflicts;
};
/* then: NULL for none. false: no memory, or more than KEYTAB_KEYS_MAX - 1. keytab_merge_done() in any case. */
bool keytab_merge(const struct keytab_key *first, size_t first_count, const struct keytab_view *then,
                  struct keytab_merge *out);
void keytab_merge_done(struct keytab_merge *m);

/* false: problem says why, in words, and the file is as it was. */
bool keytab_file_write(const char *path, const struct keytab_key *keys, size_t count,
                       char problem[static KEYTAB_PROBLEM_BYTES]);
/* Any other file that holds a secret, in the same way and for nobody but its owner. */
bool keytab_file_write_bytes(const char *path, struct slice bytes, char problem[static KEYTAB_PROBLEM_BYTES]);

/* Held from reading the file to writing it. */
void keytab_file_lock(void);
void keytab_file_unlock(void);

bool keytab_key_same_secret(const struct keytab_key *a, const struct keytab_key *b);
/* Of one principal's keys of that version, whatever their order: equal on two nodes when they hold the same keys, and of no use for finding them.
 * false: there are none. */
bool keytab_fingerprint(const struct keytab_view *v, const char *principal, uint32_t kvno,
                        char out[static KEYTAB_FINGERPRINT_BYTES]);
