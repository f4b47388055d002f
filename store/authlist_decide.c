#include "store/authlist_core.h"

#include "core/base/check.h"

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

static struct decision decided(const struct authlist_core *l, enum decision_reason reason)
{
	struct decision d = {.reason = reason,
	                     .verdict = decision_rows[reason].verdict,
	                     .entry = AUTHLIST_NO_ROW,
	                     .denial = AUTHLIST_NO_ROW,
	                     .rival = AUTHLIST_NO_ROW,
	                     .good_until = UINT64_MAX};
	if (l) {
		d.generation = l->generation;
		memcpy(d.hash, l->hash, sizeof(d.hash));
	}
	return d;
}

static bool denial_holds(const struct authlist_core *l, uint32_t row, int64_t wall_s)
{
	int64_t until = l->rows.denials[row].until_s;
	return until == 0 || until > wall_s;
}

/* Rows whose members must be known and are not. */
struct unknown {
	bool entry, denial;
	usec_t until; /* then it must be looked at again */
};

static struct unknown look_for_unknown(const struct authlist_core *l, usec_t now, int64_t wall_s)
{
	struct unknown u = {.until = UINT64_MAX};
	int64_t oldest = __atomic_load_n(&l->oldest_must, __ATOMIC_RELAXED);
	if (oldest == INT64_MAX)
		return u;
	if (!older_than(oldest, now, l->max_age)) {
		u.until = (usec_t)(oldest + (int64_t)l->max_age) + 1;
		return u;
	}
	u.until = now; /* as long as it lasts, each look is a new one */
	for (size_t i = 0; i < l->expanded_count; i++) {
		const struct expanded *e = &l->expanded[i];
		if (!e->must || !is_unknown(l, e, now))
			continue;
		if (!e->is_denial)
			u.entry = true;
		else if (denial_holds(l, e->row, wall_s))
			u.denial = true;
	}
	return u;
}

/* What a caller is looked up in, and what was found. The lowest row is the oldest entry. */
struct look_up {
	const struct authlist_core *l;
	const struct row_index *in; /* l's entries or its denials */
	const struct authlist_caller *who;
	const struct standing
	        *standing; /* NULL: the directory has not said anything about it, or does not count here */
	usec_t now;
	int64_t wall_s;
	uint32_t exact; /* the row of the account itself */
	uint32_t row;   /* the lowest of its groups */
	bool by_member; /* that one by its expansion: the ticket does not show it */
	bool left;      /* there was a group that only the ticket knows of */
	uint32_t matches;
	uint32_t oldest[AUTHLIST_ROLE_COUNT]; /* the lowest row of each role; entries only */
};

static bool has_left(const struct look_up *u, const struct sid *group)
{
	const struct sid *account = u->who->account;
	size_t domain = sid_bytes(account) - 4;
	return u->standing && u->standing->groups_told && sid_bytes(group) == sid_bytes(account) &&
	       memcmp(group->bytes, account->bytes, domain) == 0 && !standing_has_group(u->standing, group);
}

static bool members_count(const struct look_up *u, uint32_t row)
{
	for (size_t i = 0; i < u->l->expanded_count; i++) {
		const struct expanded *e = &u->l->expanded[i];
		if (!e->is_denial && e->row == row)
			return !is_unknown(u->l, e, u->now);
	}
	return true;
}

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
	/* Too old a word lets nobody in, but keeps out. */
	if (in_entries && at->is_member && !members_count(u, at->row))
		return;
	if (in_entries && !is_account && has_left(u, names)) {
		u->left = true;
		return;
	}
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

static void look_up(struct look_up *u, const struct row_index *in)
{
	const struct authlist_caller *who = u->who;
	uint32_t groups = who->groups && in->sid_count ? who->groups->count : 0;
	const struct row_by_sid *at;
	u->in = in;
	u->exact = u->row = AUTHLIST_NO_ROW;
	for (unsigned role = 0; role < AUTHLIST_ROLE_COUNT; role++)
		u->oldest[role] = AUTHLIST_NO_ROW;
	for (at = row_index_find(in, who->account); at; at = row_index_next(in, at))
		note_row(u, at, true);
	for (uint32_t i = 0; i < groups; i++) {
		const struct sid *group = &who->groups->at[i];
		at = sid_compare(group, who->account) != 0 ? row_index_find(in, group) : NULL;
		for (; at; at = row_index_next(in, at))
			note_row(u, at, false);
	}
}

/* u: NULL for a principal, which one entry names at most. */
static struct decision allow(const struct authlist_core *l, enum decision_reason reason, uint32_t row,
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

static struct decision deny(const struct authlist_core *l, enum decision_reason reason, uint32_t row)
{
	struct decision d = decided(l, reason);
	d.denial = row;
	return d;
}

/* What the list lets in may still be kept out by somebody whom the directory has not told of. */
static struct decision allow_unless(const struct look_up *u, const struct unknown *unknown)
{
	bool exact = u->exact != AUTHLIST_NO_ROW;
	if (unknown->denial)
		return decided(u->l, DECIDED_DENIED_UNKNOWN);
	struct decision d =
	        exact ? allow(u->l, DECIDED_ALLOWED_ACCOUNT, u->exact, u)
	              : allow(u->l, u->by_member ? DECIDED_ALLOWED_MEMBER : DECIDED_ALLOWED_GROUP, u->row, u);
	d.by_ticket = d.reason == DECIDED_ALLOWED_GROUP;
	return d;
}

static struct decision refuse_unless(const struct look_up *u, const struct unknown *unknown)
{
	if (unknown->entry)
		return decided(u->l, DECIDED_MEMBERS_UNKNOWN);
	if (!u->left)
		return decided(u->l, DECIDED_NOT_LISTED);
	usec_t fresh = (usec_t)STANDING_FRESH_S * 1000000;
	bool doubted = older_than(u->standing->at, u->now, fresh);
	struct decision d = decided(u->l, doubted ? DECIDED_GROUP_DOUBTED : DECIDED_GROUP_LEFT);
	d.doubtful = doubted;
	if (!doubted)
		d.good_until = (usec_t)(u->standing->at + (int64_t)fresh) + 1;
	return d;
}

static struct decision decide_by_sid(const struct authlist *list, const struct authlist_caller *who, usec_t now,
                                     int64_t wall_s)
{
	const struct authlist_core *l = list->core;
	const struct standing *standing = standings_find(list->standings, who->account);
	struct look_up u = {.l = l, .who = who, .now = now, .wall_s = wall_s};
	look_up(&u, &l->denials);
	if (u.exact != AUTHLIST_NO_ROW)
		return deny(l, DECIDED_DENIED_ACCOUNT, u.exact);
	if (u.row != AUTHLIST_NO_ROW)
		return deny(l, u.by_member ? DECIDED_DENIED_MEMBER : DECIDED_DENIED_GROUP, u.row);
	if (l->rows.entry_count == 0)
		return decided(l, DECIDED_LIST_EMPTY);
	if (standing && standing->state != STANDING_GOOD) {
		struct decision d =
		        decided(l, standing->state == STANDING_GONE ? DECIDED_ACCOUNT_GONE : DECIDED_ACCOUNT_DISABLED);
		d.doubtful = true; /* it has a ticket: perhaps it is enabled again */
		return d;
	}
	struct unknown unknown = look_for_unknown(l, now, wall_s);
	u = (struct look_up){.l = l, .who = who, .now = now, .wall_s = wall_s, .standing = standing};
	look_up(&u, &l->entries);
	bool found = u.exact != AUTHLIST_NO_ROW || u.row != AUTHLIST_NO_ROW;
	struct decision d = found ? allow_unless(&u, &unknown) : refuse_unless(&u, &unknown);
	d.doubtful |= d.by_ticket && !standing;
	if (unknown.until < d.good_until)
		d.good_until = unknown.until;
	return d;
}

static struct decision decide_by_principal(const struct authlist_core *l, struct slice principal, int64_t wall_s)
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
		return decided(l->core, DECIDED_TOO_OLD);
	if (who->account && !sid_is_none(who->account))
		return decide_by_sid(l, who, now, wall_s);
	if (who->principal.len)
		return decide_by_principal(l->core, who->principal, wall_s);
	return decided(l->core, DECIDED_NO_IDENTITY);
}

bool authlist_still(const struct authlist *l, const struct decision *d, usec_t now)
{
	if (!l || d->verdict == VERDICT_LATER || now >= d->good_until || d->generation != l->core->generation ||
	    memcmp(d->hash, l->core->hash, sizeof(d->hash)) != 0 || authlist_too_old(l, now))
		return false;
	/* A denial only ends; so a yes needs no look at them. */
	return d->denial == AUTHLIST_NO_ROW || denial_holds(l->core, d->denial, (int64_t)(clock_wall() / 1000000));
}
