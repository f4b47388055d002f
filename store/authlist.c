#include "store/authlist.h"

#include "core/base/check.h"
#include "core/crypto/crypto.h"
#include "store/authlist_index.h"

#include <stdlib.h>

static const struct decision_row decision_rows[] = {
#define DECISION(name, verdict, text) {#name, text, VERDICT_##verdict},
#include "store/decision_reasons.def"
#undef DECISION
};

const struct decision_row *decision_row(enum decision_reason reason)
{
	CHECK(reason < DECISION_REASON_COUNT);
	return &decision_rows[reason];
}

struct authlist {
	uint32_t references; /* atomic */
	int64_t confirmed;   /* atomic; clock_now() */
	usec_t max_age;
	uint64_t generation;
	uint8_t hash[AUTHLIST_HASH_BYTES];
	struct authlist_rows rows;
	struct authlist_entry_id *ids; /* of the entries */
	struct row_index entries, denials;
};

/* ---- life ---- */

static void make_ids(struct authlist *l)
{
	for (size_t i = 0; i < l->rows.entry_count; i++) {
		char id[AUTHLIST_ID_BYTES];
		uint8_t digest[CRYPTO_SHA256_BYTES];
		crypto_sha256(slice_str(authlist_object_id(&l->rows.entries[i].object, id)), digest);
		memcpy(l->ids[i].bytes, digest, sizeof(l->ids[i].bytes));
	}
}

static void authlist_free(struct authlist *l)
{
	authlist_rows_done(&l->rows);
	row_index_done(&l->entries);
	row_index_done(&l->denials);
	free(l->ids);
	free(l);
}

struct err authlist_new(struct authlist_rows *rows, const uint8_t hash[static AUTHLIST_HASH_BYTES], uint64_t generation,
                        int64_t confirmed, usec_t max_age, struct authlist **out)
{
	struct authlist *l = calloc(1, sizeof(*l));
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
	l->ids = calloc(l->rows.entry_count + 1, sizeof(*l->ids));
	if (!l->ids ||
	    !row_index_make(&l->entries, l->rows.entries ? &l->rows.entries->object : NULL, sizeof(*l->rows.entries),
	                    l->rows.entry_count) ||
	    !row_index_make(&l->denials, l->rows.denials ? &l->rows.denials->object : NULL, sizeof(*l->rows.denials),
	                    l->rows.denial_count)) {
		authlist_free(l);
		return ERR_OF(NO_MEMORY);
	}
	make_ids(l);
	*out = l;
	return OK;
}

struct authlist *authlist_ref(struct authlist *l)
{
	__atomic_add_fetch(&l->references, 1, __ATOMIC_RELAXED);
	return l;
}

void authlist_unref(struct authlist *l)
{
	if (l && __atomic_sub_fetch(&l->references, 1, __ATOMIC_ACQ_REL) == 0)
		authlist_free(l);
}

/* ---- age ---- */

void authlist_confirm(struct authlist *l, usec_t now)
{
	__atomic_store_n(&l->confirmed, (int64_t)now, __ATOMIC_RELAXED);
}

usec_t authlist_age(const struct authlist *l, usec_t now)
{
	int64_t confirmed = __atomic_load_n(&l->confirmed, __ATOMIC_RELAXED);
	return (int64_t)now > confirmed ? (usec_t)((int64_t)now - confirmed) : 0;
}

bool authlist_too_old(const struct authlist *l, usec_t now)
{
	return authlist_age(l, now) > l->max_age;
}

/* ---- the decision ---- */

static struct decision decided(const struct authlist *l, enum decision_reason reason)
{
	struct decision d = {.reason = reason,
	                     .verdict = decision_rows[reason].verdict,
	                     .entry = AUTHLIST_NO_ROW,
	                     .denial = AUTHLIST_NO_ROW,
	                     .rival = AUTHLIST_NO_ROW};
	if (l) {
		d.generation = l->generation;
		memcpy(d.hash, l->hash, sizeof(d.hash));
	}
	return d;
}

static bool denial_holds(const struct authlist *l, uint32_t row, int64_t wall_s)
{
	int64_t until = l->rows.denials[row].until_s;
	return until == 0 || until > wall_s;
}

/* What a caller is looked up in, and what was found. The lowest row is the oldest entry. */
struct look_up {
	const struct authlist *l;
	const struct row_index *in; /* l's entries or its denials */
	const struct authlist_caller *who;
	int64_t wall_s;
	uint32_t exact; /* the row of the account itself */
	uint32_t row;   /* the lowest of its groups */
	bool by_member; /* that one by its expansion: the ticket does not show it */
	uint32_t matches;
	uint32_t oldest[AUTHLIST_ROLE_COUNT]; /* the lowest row of each role; entries only */
};

static void note_row(struct look_up *u, const struct row_by_sid *at, bool is_account)
{
	const struct authlist_rows *rows = &u->l->rows;
	bool in_entries = u->in == &u->l->entries;
	const struct sid *names = in_entries ? &rows->entries[at->row].object.sid : &rows->denials[at->row].object.sid;
	/* Members of expansions are accounts; and what the ticket shows is found by the group itself. */
	if (at->is_member && (!is_account || (u->who->groups && sid_set_has(u->who->groups, names))))
		return;
	if (!in_entries && !denial_holds(u->l, at->row, u->wall_s))
		return;
	u->matches++;
	if (is_account && !at->is_member) {
		u->exact = at->row;
	} else if (at->row < u->row) {
		u->row = at->row;
		u->by_member = at->is_member;
	}
	if (in_entries && at->row < u->oldest[rows->entries[at->row].role])
		u->oldest[rows->entries[at->row].role] = at->row;
}

static struct look_up look_up(const struct authlist *l, const struct row_index *in, const struct authlist_caller *who,
                              int64_t wall_s)
{
	struct look_up u = {
	        .l = l, .in = in, .who = who, .wall_s = wall_s, .exact = AUTHLIST_NO_ROW, .row = AUTHLIST_NO_ROW};
	uint32_t groups = who->groups && in->sid_count ? who->groups->count : 0;
	const struct row_by_sid *at;
	for (unsigned role = 0; role < AUTHLIST_ROLE_COUNT; role++)
		u.oldest[role] = AUTHLIST_NO_ROW;
	for (at = row_index_find(in, who->account); at; at = row_index_next(in, at))
		note_row(&u, at, true);
	for (uint32_t i = 0; i < groups; i++) {
		const struct sid *group = &who->groups->at[i];
		at = sid_compare(group, who->account) != 0 ? row_index_find(in, group) : NULL;
		for (; at; at = row_index_next(in, at))
			note_row(&u, at, false);
	}
	return u;
}

/* u: NULL for a principal, which one entry names at most. */
static struct decision allow(const struct authlist *l, enum decision_reason reason, uint32_t row,
                             const struct look_up *u)
{
	struct decision d = decided(l, reason);
	d.entry = row;
	d.role = l->rows.entries[row].role;
	d.entry_id = l->ids[row];
	d.matches = u ? u->matches : 1;
	for (unsigned role = 0; u && role < AUTHLIST_ROLE_COUNT; role++)
		if (role != d.role && u->oldest[role] < d.rival)
			d.rival = u->oldest[role];
	return d;
}

static struct decision deny(const struct authlist *l, enum decision_reason reason, uint32_t row)
{
	struct decision d = decided(l, reason);
	d.denial = row;
	return d;
}

static struct decision decide_by_sid(const struct authlist *l, const struct authlist_caller *who, int64_t wall_s)
{
	struct look_up u = look_up(l, &l->denials, who, wall_s);
	if (u.exact != AUTHLIST_NO_ROW)
		return deny(l, DECIDED_DENIED_ACCOUNT, u.exact);
	if (u.row != AUTHLIST_NO_ROW)
		return deny(l, u.by_member ? DECIDED_DENIED_MEMBER : DECIDED_DENIED_GROUP, u.row);
	if (l->rows.entry_count == 0)
		return decided(l, DECIDED_LIST_EMPTY);
	u = look_up(l, &l->entries, who, wall_s);
	if (u.exact != AUTHLIST_NO_ROW)
		return allow(l, DECIDED_ALLOWED_ACCOUNT, u.exact, &u);
	if (u.row != AUTHLIST_NO_ROW)
		return allow(l, u.by_member ? DECIDED_ALLOWED_MEMBER : DECIDED_ALLOWED_GROUP, u.row, &u);
	return decided(l, DECIDED_NOT_LISTED);
}

static struct decision decide_by_principal(const struct authlist *l, struct slice principal, int64_t wall_s)
{
	uint32_t row = row_index_find_principal(&l->denials, principal);
	if (row != AUTHLIST_NO_ROW && denial_holds(l, row, wall_s))
		return deny(l, DECIDED_DENIED_ACCOUNT, row);
	if (l->rows.entry_count == 0)
		return decided(l, DECIDED_LIST_EMPTY);
	row = row_index_find_principal(&l->entries, principal);
	if (row == AUTHLIST_NO_ROW)
		return decided(l, DECIDED_NOT_LISTED);
	return allow(l, DECIDED_ALLOWED_PRINCIPAL, row, NULL);
}

struct decision authlist_decide(const struct authlist *l, const struct authlist_caller *who, usec_t now, int64_t wall_s)
{
	if (!l)
		return decided(NULL, DECIDED_NEVER_LOADED);
	if (authlist_too_old(l, now))
		return decided(l, DECIDED_TOO_OLD);
	if (who->account && !sid_is_none(who->account))
		return decide_by_sid(l, who, wall_s);
	if (who->principal.len)
		return decide_by_principal(l, who->principal, wall_s);
	return decided(l, DECIDED_NO_IDENTITY);
}

bool authlist_still(const struct authlist *l, const struct decision *d, usec_t now)
{
	if (!l || d->verdict == VERDICT_LATER || d->generation != l->generation ||
	    memcmp(d->hash, l->hash, sizeof(d->hash)) != 0 || authlist_too_old(l, now))
		return false;
	/* A denial only ends; so a yes needs no look at them. */
	return d->denial == AUTHLIST_NO_ROW || denial_holds(l, d->denial, (int64_t)(clock_wall() / 1000000));
}

uint64_t authlist_generation(const struct authlist *l)
{
	return l->generation;
}

const uint8_t *authlist_hash(const struct authlist *l)
{
	return l->hash;
}

const struct authlist_rows *authlist_rows_of(const struct authlist *l)
{
	return &l->rows;
}

const struct authlist_entry_id *authlist_entry_id_of(const struct authlist *l, uint32_t entry)
{
	CHECK(entry < l->rows.entry_count);
	return &l->ids[entry];
}
