#include "store/db_check.h"

#include "core/base/slice.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* From LMDB 0.9's struct MDB_page and MDB_meta on 64-bit machines: two of them, in the first two pages. */
enum {
	PAGE_HEADER = 16,
	PAGE_FLAGS_AT = 10,
	META_FLAG = 0x08,
	MAGIC_AT = PAGE_HEADER,
	VERSION_AT = MAGIC_AT + 4,
	PAGE_SIZE_AT = MAGIC_AT + 24,
	LAST_PAGE_AT = MAGIC_AT + 120,
	TRANSACTION_AT = MAGIC_AT + 128,
	META_BYTES = MAGIC_AT + 136,
	MAGIC_LMDB = 0xBEEFC0DE,
	VERSION_LMDB = 1,
};

_Static_assert(sizeof(size_t) == 8, "the layout is that of 64-bit machines");

struct meta {
	uint32_t page_bytes;
	uint64_t last_page, transaction;
};

static bool read_meta(int fd, uint64_t at, struct meta *out)
{
	uint8_t bytes[META_BYTES];
	uint16_t flags;
	uint32_t magic, version;
	if (pread(fd, bytes, sizeof(bytes), (off_t)at) != (ssize_t)sizeof(bytes))
		return false;
	memcpy(&flags, bytes + PAGE_FLAGS_AT, sizeof(flags));
	memcpy(&magic, bytes + MAGIC_AT, sizeof(magic));
	memcpy(&version, bytes + VERSION_AT, sizeof(version));
	memcpy(&out->page_bytes, bytes + PAGE_SIZE_AT, sizeof(out->page_bytes));
	memcpy(&out->last_page, bytes + LAST_PAGE_AT, sizeof(out->last_page));
	memcpy(&out->transaction, bytes + TRANSACTION_AT, sizeof(out->transaction));
	return flags == META_FLAG && magic == (uint32_t)MAGIC_LMDB && version == VERSION_LMDB;
}

bool db_check_size(int fd, char wrong[static DB_CHECK_WORDS], uint64_t *used)
{
	struct stat st;
	struct meta first, second;
	*wrong = 0;
	*used = 0;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		snprintf(wrong, DB_CHECK_WORDS, "it is no ordinary file");
		return false;
	}
	if (st.st_size == 0)
		return true;
	if (!read_meta(fd, 0, &first) || first.page_bytes < 512 || first.page_bytes > 65536 ||
	    (first.page_bytes & (first.page_bytes - 1)) || !read_meta(fd, first.page_bytes, &second) ||
	    second.page_bytes != first.page_bytes) {
		snprintf(wrong, DB_CHECK_WORDS, "its first pages are not those of an LMDB file");
		return false;
	}
	uint64_t last = second.transaction > first.transaction ? second.last_page : first.last_page;
	if (last >= (1ull << 40) || (last + 1) * first.page_bytes > (uint64_t)st.st_size) {
		snprintf(wrong, DB_CHECK_WORDS, "it was cut: %lld bytes are there, its last page is number %llu",
		         (long long)st.st_size, (unsigned long long)last);
		return false;
	}
	*used = (last + 1) * first.page_bytes;
	return true;
}
