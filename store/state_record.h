/* The last good list as it stands in the store: versioned, with a SHA-256 over all of it, checked at each reading. Pure; any thread.
 *
 *   "RMSL"  u16 version = 1  u16 0  u64 confirmed_s  u32 length  u32 0  SHA-256 of the 24 bytes before and the document  document
 */
#pragma once
#include "core/base/slice.h"

enum { STATE_LIST_HEAD_BYTES = 56, STATE_DOCUMENT_BYTES_MAX = 8 * 1024 * 1024 };

struct state_list {
	uint64_t confirmed_s;  /* since 1970: when the source last said that this is the list */
	struct slice document; /* canonical; borrowed from the record */
};

/* False: it is not whole, not ours, or of another version. */
bool state_list_read(struct slice record, struct state_list *out);
/* malloc'd; NULL: no memory, or the document is too long. */
char *state_list_write(const struct state_list *list, size_t *len);
