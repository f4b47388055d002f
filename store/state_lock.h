/* Whose node.state_directory is: one process's, from before the first file in it is opened until the last is closed, or until the process ends in
 * whatever way. The lock is the kernel's (flock), and on the directory itself, not on a file in it: it needs no room on the disk, and stays whatever
 * becomes of the files, which may be damaged, moved aside, deleted or impossible to make. */
#pragma once
#include "store/db.h"

/* *lock: to be given to state_lock_release(); -1 on failure. ERR_FILE with words in problem; sys is -EBUSY when another process has it. Blocks no longer
 * than opening does. */
struct err state_lock_take(const char *directory, int *lock, char problem[static DB_PROBLEM_BYTES]);
/* Takes -1. */
void state_lock_release(int lock);
