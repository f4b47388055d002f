#include "store/cache.h"

#include "core/crypto/crypto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	KEY_TEXT_BYTES = 2 * CACHED_KEY_BYTES + 1,
	BATCH_CHANGES = 256,
	BATCH_BYTES = 4 * 1024 * 1024,
	/* LMDB writes new pages before it gives old ones back, and a long value needs pages that lie together. */
	MAP_TIMES = 3,
	MAP_MORE_BYTES = 16 * 1024 * 1024,
};

struct row {
	struct cached *answer; /* a reference */
	uint64_t serial;       /* of this answer, so that the file's state can be compared without it */
};

struct on_disk {
	char key[KEY_TEXT_BYTES];
	uint64_t serial; /* 0: a record that is of no use */
};

struct cache {
	struct db *db; /* NULL: in memory only */
	struct row *rows;
	size_t count, bytes;
	struct on_disk *disk; /* what the file has, by key */
	size_t disk_count, disk_cap;
	uint64_t serial, purges;
	struct cache_facts facts;
	/* While it is read */
	uint64_t now_s;
	bool no_memory;
};

struct cache_batch {
	size_t count, bytes;
	struct {
		struct on_disk row;    /* serial 0: it is taken out */
		struct cached *answer; /* a reference */
	} changes[BATCH_CHANGES];
};

static void key_text(const struct cached *c, char out[static KEY_TEXT_BYTES])
{
	crypto_hex(c->facts.key, CACHED_KEY_BYTES, out);
}

/* ---- rows in memory ---- */

/* Where it is, or would be. */
static size_t place_of(const struct cache *c, const uint8_t key[static CACHED_KEY_BYTES], bool *there)
{
	size_t low = 0, high = c->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(c->rows[middle].answer->facts.key, key, CACHED_KEY_BYTES);
		if (order == 0) {
			*there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*there = false;
	return low;
}

static void take_out(struct cache *c, size_t at)
{
	c->bytes -= c->rows[at].answer->len;
	cached_unref(c->rows[at].answer);
	c->count--;
	memmove(&c->rows[at], &c->rows[at + 1], (c->count - at) * sizeof(c->rows[0]));
}

static void make_room(struct cache *c, size_t bytes)
{
	while (c->count && (c->count == CACHE_ROWS_MAX || c->bytes + bytes > c->facts.bytes_max)) {
		size_t oldest = 0;
		for (size_t i = 1; i < c->count; i++)
			if (c->rows[i].answer->facts.born_s < c->rows[oldest].answer->facts.born_s)
				oldest = i;
		take_out(c, oldest);
		c->facts.evicted++;
	}
}

bool cache_put(struct cache *c, struct cached *answer)
{
	bool there;
	size_t at = place_of(c, answer->facts.key, &there);
	if (answer->len > c->facts.bytes_max || (there && c->rows[at].answer->facts.born_s > answer->facts.born_s))
		return false;
	if (there)
		take_out(c, at);
	make_room(c, answer->len);
	at = place_of(c, answer->facts.key, &there);
	memmove(&c->rows[at + 1], &c->rows[at], (c->count - at) * sizeof(c->rows[0]));
	c->rows[at] = (struct row){cached_ref(answer), ++c->serial};
	c->count++;
	c->bytes += answer->len;
	return true;
}

size_t cache_purge(struct cache *c, bool (*goes)(const struct cached *row, void *arg), void *arg)
{
	size_t before = c->count;
	for (size_t i = c->count; i--;)
		if (goes(c->rows[i].answer, arg))
			take_out(c, i);
	c->facts.purged += before - c->count;
	c->purges++;
	return before - c->count;
}

uint64_t cache_purges(const struct cache *c)
{
	return c->purges;
}

size_t cache_expire(struct cache *c, uint64_t now_s)
{
	size_t before = c->count;
	for (size_t i = c->count; i--;)
		if (c->rows[i].answer->facts.stale_until_s <= now_s)
			take_out(c, i);
	c->facts.expired += before - c->count;
	return before - c->count;
}

struct cache_index *cache_snapshot(const struct cache *c)
{
	struct cached **rows = malloc((c->count + 1) * sizeof(struct cached *));
	if (!rows)
		return NULL;
	for (size_t i = 0; i < c->count; i++)
		rows[i] = c->rows[i].answer;
	struct cache_index *made = cache_index_new(rows, c->count, c->purges);
	if (made)
		made->crowded = c->count >= CACHE_ROWS_MAX / 4 * 3 || c->bytes >= c->facts.bytes_max / 4 * 3;
	free(rows);
	return made;
}

struct cache_facts cache_facts(const struct cache *c)
{
	struct cache_facts f = c->facts;
	f.count = c->count;
	f.bytes = c->bytes;
	f.on_disk = c->db && !db_read_only(c->db);
	return f;
}

const struct cached *cache_row(const struct cache *c, size_t index)
{
	return index < c->count ? c->rows[index].answer : NULL;
}

/* ---- the file ---- */

static size_t disk_place(const struct cache *c, const char *key, bool *there)
{
	size_t low = 0, high = c->disk_count;
	*there = false;
	while (low < high && !*there) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(c->disk[middle].key, key);
		*there = order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return high;
}

/* False: no memory; then the row is written again when its time comes. */
static bool disk_has(struct cache *c, const struct on_disk *row)
{
	bool there;
	size_t at = disk_place(c, row->key, &there);
	if (there) {
		c->disk[at] = *row;
		return true;
	}
	if (c->disk_count == c->disk_cap) {
		size_t more = c->disk_cap ? 2 * c->disk_cap : 64;
		struct on_disk *bigger = realloc(c->disk, more * sizeof(*bigger));
		if (!bigger)
			return false;
		c->disk = bigger;
		c->disk_cap = more;
	}
	memmove(&c->disk[at + 1], &c->disk[at], (c->disk_count - at) * sizeof(c->disk[0]));
	c->disk[at] = *row;
	c->disk_count++;
	return true;
}

static void disk_lost(struct cache *c, const char *key)
{
	bool there;
	size_t at = disk_place(c, key, &there);
	if (!there)
		return;
	c->disk_count--;
	memmove(&c->disk[at], &c->disk[at + 1], (c->disk_count - at) * sizeof(c->disk[0]));
}

static void on_record(void *arg, struct slice key, struct slice value)
{
	struct cache *c = arg;
	struct on_disk row = {0};
	char name[KEY_TEXT_BYTES];
	if (key.len >= sizeof(row.key) || memchr(key.at, 0, key.len))
		return; /* nobody wrote this, so nobody reads it */
	memcpy(row.key, key.at, key.len);
	struct cached *answer = cached_read(value);
	if (answer)
		key_text(answer, name);
	bool sound = answer && strcmp(name, row.key) == 0;
	c->facts.damaged += !sound;
	if (sound && answer->facts.stale_until_s > c->now_s && answer->facts.born_s <= c->now_s + CACHE_SKEW_S &&
	    cache_put(c, answer)) {
		row.serial = c->serial;
		c->facts.loaded++;
	}
	cached_unref(answer);
	c->no_memory |= !disk_has(c, &row);
}

static struct err open_file(struct cache *c, const char *directory, char problem[static DB_PROBLEM_BYTES])
{
	char path[4200];
	TRY(db_open(directory, "cache", MAP_TIMES * c->facts.bytes_max + MAP_MORE_BYTES, &c->db, problem));
	/* Before anything is written into it: names of templates are nobody else's business. */
	snprintf(path, sizeof(path), "%s/cache", directory);
	if (!db_read_only(c->db) && chmod(path, 0600))
		return ERR_OF(FILE, .what = "the cache cannot be made readable for the node alone");
	TRY(db_each(c->db, on_record, c));
	return c->no_memory ? ERR_OF(NO_MEMORY) : OK;
}

struct err cache_open(const char *directory, size_t bytes_max, uint64_t now_s, struct cache **out,
                      char problem[static DB_PROBLEM_BYTES])
{
	*problem = 0;
	*out = NULL;
	struct cache *c = calloc(1, sizeof(*c));
	if (c)
		c->rows = calloc(CACHE_ROWS_MAX + 1, sizeof(c->rows[0]));
	if (!c || !c->rows) {
		cache_close(c);
		return ERR_OF(NO_MEMORY);
	}
	c->facts.bytes_max = bytes_max;
	c->now_s = now_s;
	struct err failed = directory ? open_file(c, directory, problem) : OK;
	if (failed.code && failed.code != ERR_NO_MEMORY) {
		if (!*problem)
			snprintf(problem, DB_PROBLEM_BYTES, "%s", err_text(failed));
		db_close(c->db);
		c->db = NULL;
		failed = OK;
	}
	if (failed.code)
		cache_close(c);
	else
		*out = c;
	return failed;
}

void cache_close(struct cache *c)
{
	if (!c)
		return;
	while (c->rows && c->count)
		take_out(c, c->count - 1);
	db_close(c->db);
	free(c->rows);
	free(c->disk);
	free(c);
}

/* ---- bringing the file up to date ---- */

static void change(struct cache_batch *b, const char *key, const struct row *row)
{
	struct on_disk *into = &b->changes[b->count].row;
	memcpy(into->key, key, KEY_TEXT_BYTES);
	into->serial = row ? row->serial : 0;
	b->changes[b->count].answer = row ? cached_ref(row->answer) : NULL;
	b->bytes += row ? row->answer->len : 0;
	b->count++;
}

bool cache_batch_is_full(const struct cache_batch *b)
{
	return b->count >= BATCH_CHANGES || b->bytes >= BATCH_BYTES;
}

/* Both sides are in the order of keys, and hexadecimal digits are in the order of what they stand for. */
static void compare(const struct cache *c, struct cache_batch *b)
{
	size_t at = 0, on_disk = 0;
	char name[KEY_TEXT_BYTES];
	while ((at < c->count || on_disk < c->disk_count) && !cache_batch_is_full(b)) {
		const struct row *row = at < c->count ? &c->rows[at] : NULL;
		const struct on_disk *disk = on_disk < c->disk_count ? &c->disk[on_disk] : NULL;
		if (row)
			key_text(row->answer, name);
		int order = !row ? 1 : !disk ? -1 : strcmp(name, disk->key);
		if (order > 0)
			change(b, disk->key, NULL);
		else if (order < 0 || row->serial != disk->serial)
			change(b, name, row);
		at += order <= 0;
		on_disk += order >= 0;
	}
}

struct cache_batch *cache_batch_take(struct cache *c)
{
	struct cache_batch *b = c->db && !db_read_only(c->db) ? calloc(1, sizeof(*b)) : NULL;
	if (b)
		compare(c, b);
	if (b && b->count)
		return b;
	free(b);
	return NULL;
}

struct err cache_batch_write(struct cache *c, const struct cache_batch *b)
{
	struct db_change changes[BATCH_CHANGES];
	for (size_t i = 0; i < b->count; i++)
		changes[i] = (struct db_change){b->changes[i].row.key, b->changes[i].answer
		                                                               ? cached_record(b->changes[i].answer)
		                                                               : (struct slice){NULL, 0}};
	return db_change(c->db, changes, b->count);
}

void cache_batch_over(struct cache *c, struct cache_batch *b, bool written)
{
	for (size_t i = 0; i < b->count; i++) {
		if (written && b->changes[i].answer)
			disk_has(c, &b->changes[i].row);
		else if (written)
			disk_lost(c, b->changes[i].row.key);
		cached_unref(b->changes[i].answer);
	}
	free(b);
}
