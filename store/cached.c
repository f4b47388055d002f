#include "store/cached.h"

#include "core/crypto/crypto.h"

#include <endian.h>
#include <stdlib.h>

enum {
	VERSION_AT = 4,
	KEY_AT = 8,
	SCOPE_AT = KEY_AT + CACHED_KEY_BYTES,
	ENTRY_AT = SCOPE_AT + CACHED_SCOPE_BYTES,
	OPERATION_AT = ENTRY_AT + CACHED_SCOPE_BYTES,
	TIMES_AT = OPERATION_AT + CACHED_OPERATION_BYTES,
	LENGTHS_AT = TIMES_AT + 24,
	HASH_AT = LENGTHS_AT + 8,
};

_Static_assert(HASH_AT + CRYPTO_SHA256_BYTES == CACHED_FRONT_BYTES, "front of a record");

static void put_u64(char *at, uint64_t n)
{
	n = htole64(n);
	memcpy(at, &n, sizeof(n));
}

static uint64_t get_u64(const char *at)
{
	uint64_t n;
	memcpy(&n, at, sizeof(n));
	return le64toh(n);
}

static void put_front(char front[static HASH_AT], const struct cached_facts *f, size_t head, size_t body)
{
	uint16_t version = htole16(CACHED_VERSION);
	uint32_t lengths[2] = {htole32((uint32_t)head), htole32((uint32_t)body)};
	memset(front, 0, HASH_AT);
	memcpy(front, "RMSC", VERSION_AT);
	memcpy(front + VERSION_AT, &version, sizeof(version));
	memcpy(front + KEY_AT, f->key, CACHED_KEY_BYTES);
	memcpy(front + SCOPE_AT, f->scope, CACHED_SCOPE_BYTES);
	memcpy(front + ENTRY_AT, f->entry, CACHED_SCOPE_BYTES);
	memcpy(front + OPERATION_AT, f->operation, strnlen(f->operation, CACHED_OPERATION_BYTES - 1));
	put_u64(front + TIMES_AT, f->born_s);
	put_u64(front + TIMES_AT + 8, f->fresh_until_s);
	put_u64(front + TIMES_AT + 16, f->stale_until_s);
	memcpy(front + LENGTHS_AT, lengths, sizeof(lengths));
}

static void hash_of(const char front[static HASH_AT], struct slice rest, uint8_t out[static CRYPTO_SHA256_BYTES])
{
	struct crypto_sha256 sum;
	crypto_sha256_start(&sum);
	crypto_sha256_add(&sum, front, HASH_AT);
	crypto_sha256_add(&sum, rest.at, rest.len);
	crypto_sha256_end(&sum, out);
}

/* Without what record holds. */
static struct cached *new_of(const struct cached_facts *facts, size_t head, size_t body)
{
	if (head > CACHED_HEAD_BYTES_MAX || body > CACHED_BODY_BYTES_MAX)
		return NULL;
	struct cached *c = malloc(sizeof(*c) + CACHED_FRONT_BYTES + head + body);
	if (!c)
		return NULL;
	*c = (struct cached){.references = 1, .facts = *facts, .len = CACHED_FRONT_BYTES + head + body};
	c->head = slice_of(c->record + CACHED_FRONT_BYTES, head);
	c->body = slice_of(c->record + CACHED_FRONT_BYTES + head, body);
	return c;
}

struct cached *cached_new(const struct cached_facts *facts, struct slice head, struct slice body)
{
	struct cached *c = new_of(facts, head.len, body.len);
	if (!c)
		return NULL;
	char *at = c->record + CACHED_FRONT_BYTES;
	if (head.len)
		memcpy(at, head.at, head.len);
	if (body.len)
		memcpy(at + head.len, body.at, body.len);
	put_front(c->record, facts, head.len, body.len);
	hash_of(c->record, slice_of(at, head.len + body.len), (uint8_t *)c->record + HASH_AT);
	return c;
}

static void get_facts(const char *front, struct cached_facts *f)
{
	memcpy(f->key, front + KEY_AT, CACHED_KEY_BYTES);
	memcpy(f->scope, front + SCOPE_AT, CACHED_SCOPE_BYTES);
	memcpy(f->entry, front + ENTRY_AT, CACHED_SCOPE_BYTES);
	memcpy(f->operation, front + OPERATION_AT, CACHED_OPERATION_BYTES);
	f->operation[CACHED_OPERATION_BYTES - 1] = 0;
	f->born_s = get_u64(front + TIMES_AT);
	f->fresh_until_s = get_u64(front + TIMES_AT + 8);
	f->stale_until_s = get_u64(front + TIMES_AT + 16);
}

/* What was read must be, byte for byte, what would be written: so each reserved byte counts. */
struct cached *cached_read(struct slice record)
{
	struct cached_facts f;
	uint32_t lengths[2];
	char front[HASH_AT];
	uint8_t hash[CRYPTO_SHA256_BYTES];
	if (record.len < CACHED_FRONT_BYTES)
		return NULL;
	memcpy(lengths, record.at + LENGTHS_AT, sizeof(lengths));
	size_t head = le32toh(lengths[0]), body = le32toh(lengths[1]);
	if (head > CACHED_HEAD_BYTES_MAX || body > CACHED_BODY_BYTES_MAX ||
	    record.len != CACHED_FRONT_BYTES + head + body)
		return NULL;
	get_facts(record.at, &f);
	put_front(front, &f, head, body);
	hash_of(front, slice_from(record, CACHED_FRONT_BYTES), hash);
	if (memcmp(record.at, front, HASH_AT) != 0 || memcmp(record.at + HASH_AT, hash, sizeof(hash)) != 0 ||
	    f.born_s > f.fresh_until_s || f.fresh_until_s > f.stale_until_s)
		return NULL;
	struct cached *c = new_of(&f, head, body);
	if (c)
		memcpy(c->record, record.at, record.len);
	return c;
}

struct cached *cached_ref(struct cached *c)
{
	__atomic_add_fetch(&c->references, 1, __ATOMIC_RELAXED);
	return c;
}

void cached_unref(struct cached *c)
{
	if (c && __atomic_sub_fetch(&c->references, 1, __ATOMIC_ACQ_REL) == 0)
		free(c);
}
