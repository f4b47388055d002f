#include "store/db_walk.h"

#include "core/base/check.h"

#include <lmdb.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct books {
	size_t pages, page_bytes, last_transaction;
	uint8_t *seen; /* a byte for each page: in use, or free to be used */
};

/* false: it was seen before, so two would write there; or it is none. */
static bool note_pages(struct books *b, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		if (i < 2 || i >= b->pages || b->seen[i])
			return false;
		b->seen[i] = 1;
	}
	return true;
}

/* Pages that may be used again, as LMDB keeps them: by the transaction that gave them back, a count, and then as many numbers, falling. */
static bool free_pages_sound(struct books *b, const MDB_val *key, const MDB_val *value, size_t *before)
{
	size_t transaction;
	const size_t *list = value->mv_data;
	if (key->mv_size != sizeof(transaction))
		return false;
	memcpy(&transaction, key->mv_data, sizeof(transaction));
	if (transaction <= *before || transaction > b->last_transaction)
		return false;
	*before = transaction;
	if (value->mv_size < sizeof(*list) || list[0] >= value->mv_size / sizeof(*list))
		return false;
	for (size_t i = 1; i <= list[0]; i++)
		if ((i > 1 && list[i] >= list[i - 1]) || !note_pages(b, list[i], 1))
			return false;
	return true;
}

/* The head of the page that a key or a value lies in: LMDB believes it when it gives the page back. Its number is right when counting back from it
 * leads to the first two pages. */
static bool page_sound(struct books *b, const void *inside, unsigned kind, size_t value_bytes)
{
	enum {
		FLAGS_AT = 10,
		PAGES_AT = 12,
		LOWER_AT = 12,
		HEAD = 16,
		NODE_HEAD = 8,
		OVERFLOW = 4,
		MAGIC = 0xBEEFC0DE
	};
	const uint8_t *page = (const uint8_t *)((uintptr_t)inside & ~(uintptr_t)(b->page_bytes - 1)), *first;
	uint64_t number;
	uint32_t pages = 1, magic[2];
	uint16_t flags, room[2];
	memcpy(&number, page, sizeof(number));
	memcpy(&flags, page + FLAGS_AT, sizeof(flags));
	memcpy(room, page + LOWER_AT, sizeof(room));
	if (kind == OVERFLOW)
		memcpy(&pages, page + PAGES_AT, sizeof(pages));
	if (flags != kind || (kind == OVERFLOW && pages != (HEAD + value_bytes - 1) / b->page_bytes + 1))
		return false;
	/* What is free of a leaf lies below all its nodes: new ones are written there. */
	if (kind != OVERFLOW &&
	    (room[0] > room[1] || (uintptr_t)inside - (uintptr_t)page < room[1] + (size_t)NODE_HEAD))
		return false;
	first = (const uint8_t *)((uintptr_t)page - number * b->page_bytes);
	memcpy(&magic[0], first + HEAD, sizeof(magic[0]));
	memcpy(&magic[1], first + b->page_bytes + HEAD, sizeof(magic[1]));
	return magic[0] == (uint32_t)MAGIC && magic[1] == (uint32_t)MAGIC &&
	       (kind != OVERFLOW || note_pages(b, number, pages));
}

static bool ends_in_page(const struct books *b, const MDB_val *v)
{
	return ((uintptr_t)v->mv_data & (b->page_bytes - 1)) + v->mv_size <= b->page_bytes;
}

/* Reads each byte of a tree. */
static bool walk_tree(struct books *b, MDB_txn *txn, MDB_dbi dbi)
{
	enum { LEAF = 2, OVERFLOW = 4, HEAD = 16 };
	MDB_cursor *cursor;
	MDB_val key, value;
	MDB_stat stat;
	volatile uint8_t sum = 0; /* only that it is read counts: where the file ends too early, that is a signal */
	size_t count = 0, before = 0;
	uintptr_t leaf = 0;
	if (mdb_stat(txn, dbi, &stat) || mdb_cursor_open(txn, dbi, &cursor))
		return false;
	int end;
	while ((end = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		const uint8_t *bytes = value.mv_data;
		for (size_t i = 0; i < value.mv_size; i++)
			sum ^= bytes[i];
		bool apart = ((uintptr_t)bytes & (b->page_bytes - 1)) == HEAD; /* on pages of its own */
		if (++count > stat.ms_entries || !page_sound(b, key.mv_data, LEAF, 0) || !ends_in_page(b, &key) ||
		    !(apart ? page_sound(b, bytes, OVERFLOW, value.mv_size) : ends_in_page(b, &value)) ||
		    (dbi == 0 && !free_pages_sound(b, &key, &value, &before)))
			return false;
		uint64_t number;
		memcpy(&number, (const void *)((uintptr_t)key.mv_data & ~(uintptr_t)(b->page_bytes - 1)),
		       sizeof(number));
		if (number != leaf && !note_pages(b, number, 1))
			return false;
		leaf = number;
	}
	(void)sum;
	return end == MDB_NOTFOUND && count == stat.ms_entries;
}

bool db_walk(struct MDB_env *env)
{
	MDB_envinfo info;
	MDB_stat stat;
	MDB_txn *txn;
	MDB_dbi dbi;
	if (mdb_env_info(env, &info) || mdb_env_stat(env, &stat) || mdb_txn_begin(env, NULL, MDB_RDONLY, &txn))
		return false;
	struct books b = {.pages = info.me_last_pgno + 1,
	                  .page_bytes = stat.ms_psize,
	                  .last_transaction = info.me_last_txnid,
	                  .seen = calloc(info.me_last_pgno + 1, 1)};
	bool sound =
	        b.seen && mdb_dbi_open(txn, NULL, 0, &dbi) == 0 && walk_tree(&b, txn, 0) && walk_tree(&b, txn, dbi);
	mdb_txn_abort(txn);
	free(b.seen);
	return sound;
}

bool db_practise(struct MDB_env *env)
{
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_cursor *cursor;
	static char bytes[65536], name[] = "try";
	MDB_val key, value;
	if (mdb_txn_begin(env, NULL, 0, &txn) || mdb_dbi_open(txn, NULL, 0, &dbi) || mdb_cursor_open(txn, dbi, &cursor))
		return false;
	int failed;
	while ((failed = mdb_cursor_get(cursor, &key, &value, MDB_FIRST)) == 0)
		if ((failed = mdb_cursor_del(cursor, 0)))
			return false;
	key = (MDB_val){sizeof(name), name};
	value = (MDB_val){sizeof(bytes), bytes};
	if (failed == MDB_NOTFOUND)
		failed = mdb_put(txn, dbi, &key, &value, 0);
	mdb_txn_abort(txn);
	return failed == 0 || failed == MDB_MAP_FULL;
}
