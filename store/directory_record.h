/* What the directory told about the list, as it is kept over a restart: who is in each group that was asked for, and which accounts are disabled or
 * gone. The document of a STATE_DIRECTORY record (state_record.h has the checksum); read strictly all the same. Pure; any thread. Little-endian:
 *
 *   u32 groups   of each, rising by SID:  SID  u64 told_s  u32 members  their SIDs, rising
 *   u32 accounts of each, rising by SID:  SID  u64 told_s  u8 state (1 disabled, 2 gone)
 */
#pragma once
#include "core/base/authlist_rows.h"
#include "store/standing.h"

enum { DIRECTORY_GROUPS_MAX = 2 * AUTHLIST_ROWS_MAX, DIRECTORY_RECORD_BYTES_MAX = 8 * 1024 * 1024 };

struct directory_group {
	struct sid sid;
	uint64_t told_s; /* since 1970 */
	struct sid_set members;
};

struct directory_account {
	struct sid sid;
	uint64_t told_s;
	enum standing_state state;
};

struct directory_record {
	struct directory_group *groups; /* owned, with their members */
	struct directory_account *accounts;
	size_t group_count, account_count;
};

/* Groups and accounts must be in order. malloc'd; NULL: no memory, or it would be longer than DIRECTORY_RECORD_BYTES_MAX. */
char *directory_record_write(const struct directory_record *r, size_t *len);
/* False: it is not such a document, or there is no memory; out is empty then. To be ended. */
bool directory_record_read(struct slice bytes, struct directory_record *out);
void directory_record_done(struct directory_record *r);
