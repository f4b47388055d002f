#include "store/state_record.h"

#include "core/crypto/crypto.h"

#include <endian.h>
#include <stdlib.h>

enum { VERSION = 1, VERSION_AT = 4, CONFIRMED_AT = 8, LENGTH_AT = 16, HASH_AT = 24 };

_Static_assert(HASH_AT + CRYPTO_SHA256_BYTES == STATE_LIST_HEAD_BYTES, "head of a record");

static void make_head(uint8_t head[static HASH_AT], const struct state_list *list)
{
	uint16_t version = htole16(VERSION);
	uint64_t confirmed = htole64(list->confirmed_s);
	uint32_t length = htole32((uint32_t)list->document.len);
	memset(head, 0, HASH_AT);
	memcpy(head, "RMSL", VERSION_AT);
	memcpy(head + VERSION_AT, &version, sizeof(version));
	memcpy(head + CONFIRMED_AT, &confirmed, sizeof(confirmed));
	memcpy(head + LENGTH_AT, &length, sizeof(length));
}

static void hash_of(const uint8_t head[static HASH_AT], struct slice document, uint8_t out[static CRYPTO_SHA256_BYTES])
{
	struct crypto_sha256 sum;
	crypto_sha256_start(&sum);
	crypto_sha256_add(&sum, head, HASH_AT);
	crypto_sha256_add(&sum, document.at, document.len);
	crypto_sha256_end(&sum, out);
}

/* What was read must be, byte for byte, what would be written: so each reserved byte counts. */
bool state_list_read(struct slice record, struct state_list *out)
{
	uint8_t head[HASH_AT], hash[CRYPTO_SHA256_BYTES];
	if (record.len < STATE_LIST_HEAD_BYTES || record.len - STATE_LIST_HEAD_BYTES > STATE_DOCUMENT_BYTES_MAX)
		return false;
	struct state_list list = {
	        .document = slice_of(record.at + STATE_LIST_HEAD_BYTES, record.len - STATE_LIST_HEAD_BYTES)};
	memcpy(&list.confirmed_s, record.at + CONFIRMED_AT, sizeof(list.confirmed_s));
	list.confirmed_s = le64toh(list.confirmed_s);
	make_head(head, &list);
	hash_of(head, list.document, hash);
	if (memcmp(record.at, head, sizeof(head)) != 0 || memcmp(record.at + HASH_AT, hash, sizeof(hash)) != 0)
		return false;
	*out = list;
	return true;
}

char *state_list_write(const struct state_list *list, size_t *len)
{
	uint8_t head[HASH_AT], hash[CRYPTO_SHA256_BYTES];
	char *record = list->document.len <= STATE_DOCUMENT_BYTES_MAX
	                       ? malloc(STATE_LIST_HEAD_BYTES + list->document.len)
	                       : NULL;
	if (!record)
		return NULL;
	make_head(head, list);
	hash_of(head, list->document, hash);
	memcpy(record, head, sizeof(head));
	memcpy(record + HASH_AT, hash, sizeof(hash));
	if (list->document.len)
		memcpy(record + STATE_LIST_HEAD_BYTES, list->document.at, list->document.len);
	*len = STATE_LIST_HEAD_BYTES + list->document.len;
	return record;
}
