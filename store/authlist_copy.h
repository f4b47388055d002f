/* The last good list in the state directory, so that it survives a restart while its source is away: one file, written beside and renamed, with a hash
 * over all of it and the time of the last confirmation. Calls block: start, and the thread pool. LMDB takes this over together with the decision cache. */
#pragma once
#include "core/base/err.h"
#include "core/base/slice.h"

/* text: the canonical document. ERR_FILE with errno in sys; the file that was there stays. */
struct err authlist_copy_write(const char *directory, int64_t confirmed_s, struct slice text);
/* *text: malloc'd. ERR_FILE: not there (sys is ENOENT), not readable, or damaged. */
struct err authlist_copy_read(const char *directory, size_t max_bytes, char **text, size_t *len, int64_t *confirmed_s);
