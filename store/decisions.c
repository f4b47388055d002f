#include "store/decisions.h"

#include "store/state_record.h"

#include <endian.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { MAP_BYTES = 32 * 1024 * 1024 };

struct decisions {
	struct db *db; /* NULL: in memory only */
	pthread_mutex_t lock;
	struct decision_record *inbox; /* [DECISIONS_INBOX], under the lock */
	size_t noted;
	uint64_t lost;
	struct decision_record *ring; /* [DECISIONS_KEPT] */
	uint64_t next;                /* counts all of them, over restarts: its place is next % DECISIONS_KEPT */
	size_t count;
	bool dirty[DECISIONS_SEGMENTS];
};

/* ---- segments on the disk: u64 number of the first record, then the records ---- */

static void key_of(uint32_t segment, char out[static 16])
{
	snprintf(out, 16, "decisions-%02u", segment);
}

/* The segments are a ring: only those of the newest round and of the one before it fit together. */
static void take_segment(struct decisions *d, uint32_t segment, struct slice document)
{
	uint64_t first;
	if (document.len < sizeof(first))
		return;
	memcpy(&first, document.at, sizeof(first));
	first = le64toh(first);
	document = slice_from(document, sizeof(first));
	if (first % DECISIONS_KEPT != (uint64_t)segment * DECISIONS_PER_SEGMENT || first > UINT64_MAX / 2)
		return;
	for (uint64_t i = 0; i < DECISIONS_PER_SEGMENT && document.len; i++) {
		struct decision_record r;
		if (!decision_record_read(&document, &r))
			return;
		d->ring[(first + i) % DECISIONS_KEPT] = r;
		d->count++;
		if (first + i + 1 > d->next)
			d->next = first + i + 1;
	}
}

static void load(struct decisions *d)
{
	for (uint32_t i = 0; i < DECISIONS_SEGMENTS; i++) {
		char key[16], *record = NULL;
		size_t len;
		struct state_record r;
		key_of(i, key);
		struct err failed = db_read(d->db, key, &record, &len);
		if (!failed.code && record && state_record_read(STATE_DECISIONS, slice_of(record, len), &r))
			take_segment(d, i, r.document);
		free(record);
	}
}

size_t decisions_dirty(struct decisions *d, uint32_t *segment, char out[static DECISION_SEGMENT_BYTES])
{
	uint32_t s = 0;
	while (s < DECISIONS_SEGMENTS && !d->dirty[s])
		s++;
	if (s == DECISIONS_SEGMENTS || !d->db || db_read_only(d->db))
		return 0;
	d->dirty[s] = false;
	/* The newest record of this segment tells which round it is of; what the round before left behind it is dropped. */
	uint64_t first = (d->next - 1) / DECISIONS_KEPT * DECISIONS_KEPT + (uint64_t)s * DECISIONS_PER_SEGMENT;
	if (first >= d->next)
		first -= DECISIONS_KEPT;
	uint64_t little = htole64(first);
	memcpy(out, &little, sizeof(little));
	size_t n = sizeof(little);
	for (uint64_t i = first; i < first + DECISIONS_PER_SEGMENT && i < d->next; i++)
		n += decision_record_write(&d->ring[i % DECISIONS_KEPT], out + n);
	*segment = s;
	return n;
}

struct err decisions_keep(struct decisions *d, uint32_t segment, struct slice document)
{
	char key[16];
	size_t len;
	char *record = state_record_write(STATE_DECISIONS, &(struct state_record){.document = document}, &len);
	if (!record)
		return ERR_OF(NO_MEMORY);
	key_of(segment, key);
	struct err failed = db_write(d->db, key, slice_of(record, len));
	free(record);
	return failed;
}

void decisions_not_kept(struct decisions *d, uint32_t segment)
{
	d->dirty[segment] = true;
}

/* ---- life ---- */

struct err decisions_open(const char *directory, struct decisions **out, char problem[static DB_PROBLEM_BYTES])
{
	*problem = 0;
	struct decisions *d = calloc(1, sizeof(*d));
	if (!d)
		return ERR_OF(NO_MEMORY);
	pthread_mutex_init(&d->lock, NULL);
	d->inbox = calloc(DECISIONS_INBOX, sizeof(*d->inbox));
	d->ring = calloc(DECISIONS_KEPT, sizeof(*d->ring));
	if (!d->inbox || !d->ring) {
		decisions_close(d);
		return ERR_OF(NO_MEMORY);
	}
	if (directory && db_open(directory, "decisions", MAP_BYTES, &d->db, problem).code)
		d->db = NULL; /* problem has the words */
	if (d->db)
		load(d);
	*out = d;
	return OK;
}

void decisions_close(struct decisions *d)
{
	if (!d)
		return;
	db_close(d->db);
	pthread_mutex_destroy(&d->lock);
	free(d->inbox);
	free(d->ring);
	free(d);
}

/* ---- coming in ---- */

void decisions_note(struct decisions *d, const struct decision_record *r)
{
	pthread_mutex_lock(&d->lock);
	if (d->noted < DECISIONS_INBOX)
		d->inbox[d->noted++] = *r;
	else
		d->lost++;
	pthread_mutex_unlock(&d->lock);
}

/* Under the lock. */
static void move_in(struct decisions *d)
{
	for (size_t i = 0; i < d->noted; i++, d->next++) {
		size_t place = d->next % DECISIONS_KEPT;
		d->ring[place] = d->inbox[i];
		d->dirty[place / DECISIONS_PER_SEGMENT] = true;
		if (d->count < DECISIONS_KEPT)
			d->count++;
	}
	d->noted = 0;
}

void decisions_take(struct decisions *d)
{
	pthread_mutex_lock(&d->lock);
	move_in(d);
	pthread_mutex_unlock(&d->lock);
}

uint64_t decisions_lost(struct decisions *d)
{
	pthread_mutex_lock(&d->lock);
	uint64_t lost = d->lost;
	pthread_mutex_unlock(&d->lock);
	return lost;
}

/* ---- looking ---- */

static const struct decision_record *newest(struct decisions *d, uint64_t id, const char *who)
{
	pthread_mutex_lock(&d->lock);
	move_in(d);
	pthread_mutex_unlock(&d->lock);
	for (uint64_t i = 0; i < DECISIONS_KEPT && i < d->next; i++) {
		const struct decision_record *r = &d->ring[(d->next - 1 - i) % DECISIONS_KEPT];
		char sid[SID_TEXT_BYTES];
		if (r->id == 0)
			continue;
		sid_print(&r->sid, sid);
		if (who ? strcasecmp(who, r->account) == 0 || strcasecmp(who, sid) == 0 : r->id == id)
			return r;
	}
	return NULL;
}

const struct decision_record *decisions_find(struct decisions *d, uint64_t id)
{
	return id ? newest(d, id, NULL) : NULL;
}

const struct decision_record *decisions_last(struct decisions *d, const char *who)
{
	return newest(d, 0, who);
}

size_t decisions_count(const struct decisions *d)
{
	return d->count;
}
