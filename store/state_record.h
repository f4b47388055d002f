/* A record of the state as it stands in the store: versioned, with a SHA-256 over all of it, checked at each reading. Pure; any thread.
 *
 *   magic of its kind (4)  u16 version = 1  u16 0  u64 confirmed_s  u32 length  u32 0  SHA-256 of the 24 bytes before and the document  document
 */
#pragma once
#include "core/base/slice.h"

enum { STATE_HEAD_BYTES = 56, STATE_DOCUMENT_BYTES_MAX = 8 * 1024 * 1024 };

enum state_kind {
	STATE_LIST,      /* "RMSL": the canonical document of the list */
	STATE_DIRECTORY, /* "RMSD": directory_record.h */
	STATE_KIND_COUNT,
	STATE_DECISIONS = STATE_KIND_COUNT, /* "RMSX": a segment of decisions.h, in a file of its own */
};

struct state_record {
	uint64_t confirmed_s;  /* since 1970: when its source last said that it is so */
	struct slice document; /* borrowed from the record */
};

/* False: it is not whole, not ours, of another kind or version. */
bool state_record_read(enum state_kind kind, struct slice record, struct state_record *out);
/* malloc'd; NULL: no memory, or the document is too long. */
char *state_record_write(enum state_kind kind, const struct state_record *r, size_t *len);
/* The key in the store. */
const char *state_kind_key(enum state_kind kind);
