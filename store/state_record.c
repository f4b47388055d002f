#include "store/state_record.h"

#include "core/crypto/crypto.h"

#include <endian.h>
#include <stdlib.h>

enum { VERSION = 1, VERSION_AT = 4, CONFIRMED_AT = 8, LENGTH_AT = 16, HASH_AT = 24 };

_Static_assert(HASH_AT + CRYPTO_SHA256_BYTES == STATE_HEAD_BYTES, "head of a record");

static const struct {
	const char *key, *magic;
} kinds[] = {
        [STATE_LIST] = {"list", "RMSL"}, [STATE_DIRECTORY] = {"directory", "RMSD"}, [STATE_DECISIONS] = {"", "RMSX"}};

const char *state_kind_key(enum state_kind kind)
{
	return kinds[kind].key;
}

static void make_head(enum state_kind kind, uint8_t head[static HASH_AT], const struct state_record *r)
{
	uint16_t version = htole16(VERSION);
	uint64_t confirmed = htole64(r->confirmed_s);
	uint32_t length = htole32((uint32_t)r->document.len);
	memset(head, 0, HASH_AT);
	memcpy(head, kinds[kind].magic, VERSION_AT);
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
bool state_record_read(enum state_kind kind, struct slice record, struct state_record *out)
{
	uint8_t head[HASH_AT], hash[CRYPTO_SHA256_BYTES];
	if (record.len < STATE_HEAD_BYTES || record.len - STATE_HEAD_BYTES > STATE_DOCUMENT_BYTES_MAX)
		return false;
	struct state_record r = {.document = slice_of(record.at + STATE_HEAD_BYTES, record.len - STATE_HEAD_BYTES)};
	memcpy(&r.confirmed_s, record.at + CONFIRMED_AT, sizeof(r.confirmed_s));
	r.confirmed_s = le64toh(r.confirmed_s);
	make_head(kind, head, &r);
	hash_of(head, r.document, hash);
	if (memcmp(record.at, head, sizeof(head)) != 0 || memcmp(record.at + HASH_AT, hash, sizeof(hash)) != 0)
		return false;
	*out = r;
	return true;
}

char *state_record_write(enum state_kind kind, const struct state_record *r, size_t *len)
{
	uint8_t head[HASH_AT], hash[CRYPTO_SHA256_BYTES];
	char *record = r->document.len <= STATE_DOCUMENT_BYTES_MAX ? malloc(STATE_HEAD_BYTES + r->document.len) : NULL;
	if (!record)
		return NULL;
	make_head(kind, head, r);
	hash_of(head, r->document, hash);
	memcpy(record, head, sizeof(head));
	memcpy(record + HASH_AT, hash, sizeof(hash));
	if (r->document.len)
		memcpy(record + STATE_HEAD_BYTES, r->document.at, r->document.len);
	*len = STATE_HEAD_BYTES + r->document.len;
	return record;
}
