/* Whether an LMDB environment can be believed: all that LMDB itself believes unseen is looked at. For a child process, which may die of it (SIGBUS, an
 * assertion). */
#pragma once
#include <stdbool.h>

struct MDB_env;

/* Reads each byte of what is kept, and checks the books: heads of pages, and that no page is free twice, or free and in use. */
bool db_walk(struct MDB_env *env);
/* Writes that are taken back: each record goes, so that its pages are given back, and another comes, which uses free ones. */
bool db_practise(struct MDB_env *env);
