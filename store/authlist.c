#include "store/authlist_core.h"

#include "core/base/check.h"
#include "core/crypto/crypto.h"

#include <stdlib.h>

/* ---- life ---- */

static void make_ids(struct authlist_core *l)
{
	for (size_t i = 0; i < l->rows.entry_count; i++) {
		char id[AUTHLIST_ID_BYTES];
		uint8_t digest[CRYPTO_SHA256_BYTES];
		crypto_sha256(slice_str(authlist_object_id(&l->rows.entries[i].object, id)), digest);
		memcpy(l->ids[i].bytes, digest, sizeof(l->ids[i].bytes));
	}
}

static void note_oldest(struct authlist_core *l)
{
	int64_t oldest = INT64_MAX;
	for (size_t i = 0; i < l->expanded_count; i++) {
		int64_t at = __atomic_load_n(&l->expanded[i].at, __ATOMIC_RELAXED);
		if (l->expanded[i].must && at < oldest)
			oldest = at;
	}
	__atomic_store_n(&l->oldest_must, oldest, __ATOMIC_RELAXED);
}

static void note_expanded(struct authlist_core *l, const struct authlist_object *o, size_t row, bool is_denial)
{
	if (o->need != MEMBERS_NO_NEED)
		l->expanded[l->expanded_count++] = (struct expanded){.row = (uint32_t)row,
		                                                     .is_denial = is_denial,
		                                                     .must = o->need == MEMBERS_MUST,
		                                                     .at = o->members_at};
}

static void core_unref(struct authlist_core *l)
{
	if (__atomic_sub_fetch(&l->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	authlist_rows_done(&l->rows);
	row_index_done(&l->entries);
	row_index_done(&l->denials);
	free(l->ids);
	free(l->expanded);
	free(l);
}

static bool fill_core(struct authlist_core *l)
{
	size_t entries = l->rows.entry_count, denials = l->rows.denial_count;
	l->ids = calloc(entries + 1, sizeof(*l->ids));
	l->expanded = calloc(entries + denials + 1, sizeof(*l->expanded));
	if (!l->ids || !l->expanded ||
	    !row_index_make(&l->entries, entries ? &l->rows.entries->object : NULL, sizeof(*l->rows.entries),
	                    entries) ||
	    !row_index_make(&l->denials, denials ? &l->rows.denials->object : NULL, sizeof(*l->rows.denials), denials))
		return false;
	make_ids(l);
	for (size_t i = 0; i < entries; i++)
		note_expanded(l, &l->rows.entries[i].object, i, false);
	for (size_t i = 0; i < denials; i++)
		note_expanded(l, &l->rows.denials[i].object, i, true);
	note_oldest(l);
	return true;
}

/* Takes the reference to core. */
static struct err snapshot_of(struct authlist_core *core, struct standings *standings, struct authlist **out)
{
	struct authlist *l = calloc(1, sizeof(*l));
	if (!l) {
		core_unref(core);
		return ERR_OF(NO_MEMORY);
	}
	l->references = 1;
	l->core = core;
	l->standings = standings_ref(standings);
	*out = l;
	return OK;
}

struct err authlist_new(struct authlist_rows *rows, const uint8_t hash[static AUTHLIST_HASH_BYTES], uint64_t generation,
                        int64_t confirmed, usec_t max_age, struct authlist **out)
{
	struct authlist_core *l = calloc(1, sizeof(*l));
	if (!l) {
		authlist_rows_done(rows);
		return ERR_OF(NO_MEMORY);
	}
	l->references = 1;
	l->rows = *rows;
	*rows = (struct authlist_rows){0};
	l->confirmed = confirmed;
	l->max_age = max_age;
	l->generation = generation;
	memcpy(l->hash, hash, sizeof(l->hash));
	if (fill_core(l))
		return snapshot_of(l, NULL, out);
	core_unref(l);
	return ERR_OF(NO_MEMORY);
}

struct err authlist_with(const struct authlist *l, struct standings *standings, struct authlist **out)
{
	__atomic_add_fetch(&l->core->references, 1, __ATOMIC_RELAXED);
	return snapshot_of(l->core, standings, out);
}

struct authlist *authlist_ref(struct authlist *l)
{
	__atomic_add_fetch(&l->references, 1, __ATOMIC_RELAXED);
	return l;
}

void authlist_unref(struct authlist *l)
{
	if (!l || __atomic_sub_fetch(&l->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	core_unref(l->core);
	standings_unref(l->standings);
	free(l);
}

/* ---- age ---- */

void authlist_confirm(struct authlist *l, usec_t now)
{
	__atomic_store_n(&l->core->confirmed, (int64_t)now, __ATOMIC_RELAXED);
}

usec_t authlist_age(const struct authlist *l, usec_t now)
{
	int64_t confirmed = __atomic_load_n(&l->core->confirmed, __ATOMIC_RELAXED);
	return (int64_t)now > confirmed ? (usec_t)((int64_t)now - confirmed) : 0;
}

bool authlist_too_old(const struct authlist *l, usec_t now)
{
	return authlist_age(l, now) > l->core->max_age;
}

/* ---- members ---- */

static const struct authlist_object *object_of(const struct authlist_core *l, const struct expanded *e)
{
	return e->is_denial ? &l->rows.denials[e->row].object : &l->rows.entries[e->row].object;
}

void authlist_confirm_members(struct authlist *l, const struct sid *group, usec_t now)
{
	for (size_t i = 0; i < l->core->expanded_count; i++) {
		struct expanded *e = &l->core->expanded[i];
		if (sid_compare(&object_of(l->core, e)->sid, group) == 0)
			__atomic_store_n(&e->at, (int64_t)now, __ATOMIC_RELAXED);
	}
	note_oldest(l->core);
}

size_t authlist_members_unknown(const struct authlist *l, usec_t now)
{
	size_t count = 0;
	for (size_t i = 0; i < l->core->expanded_count; i++)
		count += l->core->expanded[i].must && is_unknown(l->core, &l->core->expanded[i], now);
	return count;
}

int64_t authlist_members_at(const struct authlist *l, bool is_denial, uint32_t row)
{
	for (size_t i = 0; i < l->core->expanded_count; i++)
		if (l->core->expanded[i].is_denial == is_denial && l->core->expanded[i].row == row)
			return __atomic_load_n(&l->core->expanded[i].at, __ATOMIC_RELAXED);
	return AUTHLIST_NEVER;
}

const struct standings *authlist_standings(const struct authlist *l)
{
	return l->standings;
}

/* ---- what it holds ---- */

uint64_t authlist_generation(const struct authlist *l)
{
	return l->core->generation;
}

const uint8_t *authlist_hash(const struct authlist *l)
{
	return l->core->hash;
}

const struct authlist_rows *authlist_rows_of(const struct authlist *l)
{
	return &l->core->rows;
}

const struct authlist_entry_id *authlist_entry_id_of(const struct authlist *l, uint32_t entry)
{
	CHECK(entry < l->core->rows.entry_count);
	return &l->core->ids[entry];
}
