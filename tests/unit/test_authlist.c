/* The decision about a caller: which entry lets it in, which denial keeps it out, and how long that may be believed. */
#include "core/base/check.h"
#include "store/authlist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { SECOND = 1000000, MAX_AGE = 100 * SECOND, NOW = 1000 * SECOND, WALL_S = 5000 };

static const uint8_t hash[AUTHLIST_HASH_BYTES] = {7};

static struct sid sid(unsigned rid)
{
	struct sid domain, s;
	assert_true(sid_parse(SLICE("S-1-5-21-1-2-3"), &domain));
	assert_true(sid_with_rid(&domain, rid, &s));
	return s;
}

/* A list in the making: entries in the order of their age. */
struct making {
	struct authlist_rows rows;
};

static struct authlist_entry *add(struct making *m, unsigned rid, enum authlist_role role)
{
	struct authlist_rows *r = &m->rows;
	r->entries = realloc(r->entries, (r->entry_count + 1) * sizeof(*r->entries));
	r->entries[r->entry_count] =
	        (struct authlist_entry){.object.sid = sid(rid), .role = role, .added_s = (int64_t)r->entry_count};
	return &r->entries[r->entry_count++];
}

static struct authlist_denial *add_denial(struct making *m, unsigned rid, int64_t until_s)
{
	struct authlist_rows *r = &m->rows;
	r->denials = realloc(r->denials, (r->denial_count + 1) * sizeof(*r->denials));
	r->denials[r->denial_count] = (struct authlist_denial){.object.sid = sid(rid), .until_s = until_s};
	return &r->denials[r->denial_count++];
}

static void name_principal(struct authlist_object *o, const char *principal)
{
	o->sid = (struct sid){0};
	o->principal = strdup(principal);
}

static void expand(struct authlist_object *o, unsigned first, unsigned last)
{
	o->members_at = 17;
	for (unsigned rid = first; rid <= last; rid++) {
		struct sid s = sid(rid);
		assert_true(sid_set_add(&o->members, &s));
	}
	sid_set_seal(&o->members);
}

static struct authlist *made(struct making *m, uint64_t generation)
{
	struct authlist *l;
	authlist_rows_sort(&m->rows);
	assert_int_equal(authlist_new(&m->rows, hash, generation, NOW, MAX_AGE, &l).code, ERR_NONE);
	assert_null(m->rows.entries);
	return l;
}

/* Decides about an account with groups; the last group is 0. */
static struct decision about(const struct authlist *l, unsigned account, const unsigned *groups)
{
	struct sid_set set = {0};
	struct sid who = sid(account);
	for (; groups && *groups; groups++) {
		struct sid s = sid(*groups);
		assert_true(sid_set_add(&set, &s));
	}
	sid_set_seal(&set);
	struct authlist_caller caller = {.account = &who, .groups = groups ? &set : NULL};
	struct decision d = authlist_decide(l, &caller, NOW, WALL_S);
	sid_set_done(&set);
	return d;
}
#define GROUPS(...)            \
	(const unsigned[])     \
	{                      \
		__VA_ARGS__, 0 \
	}

static void reasons_have_verdicts_and_texts(void **state)
{
	for (unsigned i = 0; i < DECISION_REASON_COUNT; i++) {
		const struct decision_row *row = decision_row((enum decision_reason)i);
		assert_true(strlen(row->name) > 3 && strlen(row->text) > 10);
		assert_int_equal(row->verdict == VERDICT_YES, strncmp(row->name, "ALLOWED_", 8) == 0);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(decision_row((enum decision_reason)k)->text, row->text);
	}
}

static void without_a_list_it_is_later(void **state)
{
	struct decision d = about(NULL, 1, NULL);
	assert_int_equal(d.reason, DECIDED_NEVER_LOADED);
	assert_int_equal(d.verdict, VERDICT_LATER);
	assert_int_equal(d.generation, 0);
	assert_int_equal(d.entry, AUTHLIST_NO_ROW);
}

/* D06: an empty list authorizes nobody. */
static void an_empty_list_lets_nobody_in(void **state)
{
	struct making m = {0};
	struct authlist *l = made(&m, 1);
	struct decision d = about(l, 1, GROUPS(2, 3));
	assert_int_equal(d.reason, DECIDED_LIST_EMPTY);
	assert_int_equal(d.verdict, VERDICT_NO);
	authlist_unref(l);
}

/* C08: an account's entry lets in that account and no sibling. */
static void an_account_is_let_in_by_its_own_entry(void **state)
{
	struct making m = {0};
	add(&m, 500, AUTHLIST_ROLE_FCI);
	struct authlist *l = made(&m, 3);
	struct decision d = about(l, 500, NULL);
	assert_int_equal(d.reason, DECIDED_ALLOWED_ACCOUNT);
	assert_int_equal(d.verdict, VERDICT_YES);
	assert_int_equal(d.role, AUTHLIST_ROLE_FCI);
	assert_int_equal(d.entry, 0);
	assert_int_equal(d.matches, 1);
	assert_int_equal(d.rival, AUTHLIST_NO_ROW);
	assert_int_equal(d.generation, 3);
	assert_memory_equal(d.hash, hash, sizeof(hash));
	assert_memory_equal(&d.entry_id, authlist_entry_id_of(l, 0), sizeof(d.entry_id));
	assert_int_equal(about(l, 501, GROUPS(501, 502)).reason, DECIDED_NOT_LISTED);
	/* The account among its own groups is still the account, once. */
	d = about(l, 500, GROUPS(400, 500));
	assert_int_equal(d.reason, DECIDED_ALLOWED_ACCOUNT);
	assert_int_equal(d.matches, 1);
	authlist_unref(l);
}

/* C18: an exact account before groups, then the oldest entry; rivals of another role are told. */
static void the_oldest_group_wins_and_an_account_wins_over_groups(void **state)
{
	struct making m = {0};
	add(&m, 30, AUTHLIST_ROLE_SHAREPOINT);
	add(&m, 10, AUTHLIST_ROLE_SHAREPOINT);
	add(&m, 20, AUTHLIST_ROLE_EXCHANGE);
	add(&m, 500, AUTHLIST_ROLE_FCI);
	struct authlist *l = made(&m, 1);
	struct decision d = about(l, 7, GROUPS(20, 10, 30, 99));
	assert_int_equal(d.reason, DECIDED_ALLOWED_GROUP);
	assert_int_equal(d.entry, 0);
	assert_int_equal(d.role, AUTHLIST_ROLE_SHAREPOINT);
	assert_int_equal(d.matches, 3);
	assert_int_equal(d.rival, 2);
	d = about(l, 7, GROUPS(20, 10));
	assert_int_equal(d.entry, 1);
	assert_int_equal(d.rival, 2);
	d = about(l, 7, GROUPS(10, 30));
	assert_int_equal(d.rival, AUTHLIST_NO_ROW);
	d = about(l, 500, GROUPS(20, 10, 30));
	assert_int_equal(d.reason, DECIDED_ALLOWED_ACCOUNT);
	assert_int_equal(d.entry, 3);
	assert_int_equal(d.matches, 4);
	assert_int_equal(d.rival, 0);
	authlist_unref(l);
}

static void denials_win_over_everything(void **state)
{
	struct making m = {0};
	add(&m, 500, AUTHLIST_ROLE_FCI);
	add(&m, 10, AUTHLIST_ROLE_FCI);
	add_denial(&m, 500, 0);
	add_denial(&m, 501, WALL_S + 1);
	add_denial(&m, 502, WALL_S); /* ended */
	struct authlist *l = made(&m, 1);
	struct decision d = about(l, 500, GROUPS(10));
	assert_int_equal(d.reason, DECIDED_DENIED_ACCOUNT);
	assert_int_equal(d.verdict, VERDICT_NO);
	assert_int_equal(d.denial, 0);
	assert_int_equal(d.entry, AUTHLIST_NO_ROW);
	d = about(l, 7, GROUPS(10, 501));
	assert_int_equal(d.reason, DECIDED_DENIED_GROUP);
	assert_int_equal(d.denial, 1);
	assert_int_equal(about(l, 7, GROUPS(10, 502)).reason, DECIDED_ALLOWED_GROUP);
	authlist_unref(l);
}

/* C07: a group that no ticket shows lets its members in by its expansion. */
static void an_expanded_group_has_its_members(void **state)
{
	struct making m = {0};
	expand(&add(&m, 30, AUTHLIST_ROLE_SHAREPOINT)->object, 500, 502);
	add(&m, 10, AUTHLIST_ROLE_SHAREPOINT);
	add(&m, 502, AUTHLIST_ROLE_FCI);
	struct authlist *l = made(&m, 1);
	struct decision d = about(l, 500, GROUPS(10));
	assert_int_equal(d.reason, DECIDED_ALLOWED_MEMBER);
	assert_int_equal(d.entry, 0);
	assert_int_equal(d.matches, 2);
	assert_int_equal(authlist_rows_of(l)->entries[d.entry].object.members_at, 17);
	assert_int_equal(about(l, 503, NULL).reason, DECIDED_NOT_LISTED);
	/* A member as somebody's group is not a member. */
	assert_int_equal(about(l, 7, GROUPS(500)).reason, DECIDED_NOT_LISTED);
	/* The ticket shows the group after all: once, and by the ticket. */
	d = about(l, 501, GROUPS(10, 30));
	assert_int_equal(d.reason, DECIDED_ALLOWED_GROUP);
	assert_int_equal(d.entry, 0);
	assert_int_equal(d.matches, 2);
	d = about(l, 502, NULL);
	assert_int_equal(d.reason, DECIDED_ALLOWED_ACCOUNT);
	assert_int_equal(d.rival, 0);
	authlist_unref(l);
}

static void an_expanded_denial_keeps_its_members_out(void **state)
{
	struct making m = {0};
	add(&m, 10, AUTHLIST_ROLE_FCI);
	expand(&add_denial(&m, 30, 0)->object, 500, 501);
	struct authlist *l = made(&m, 1);
	assert_int_equal(about(l, 500, GROUPS(10)).reason, DECIDED_DENIED_MEMBER);
	assert_int_equal(about(l, 501, GROUPS(10, 30)).reason, DECIDED_DENIED_GROUP);
	assert_int_equal(about(l, 502, GROUPS(10)).reason, DECIDED_ALLOWED_GROUP);
	authlist_unref(l);
}

static struct decision about_principal(const struct authlist *l, const char *principal)
{
	struct authlist_caller caller = {.principal = slice_str(principal)};
	return authlist_decide(l, &caller, NOW, WALL_S);
}

static void principals_count_only_without_a_sid(void **state)
{
	struct making m = {0};
	name_principal(&add(&m, 1, AUTHLIST_ROLE_EXCHANGE)->object, "exch@EXAMPLE.ORG");
	name_principal(&add(&m, 1, AUTHLIST_ROLE_FCI)->object, "files@EXAMPLE.ORG");
	name_principal(&add_denial(&m, 1, 0)->object, "files@EXAMPLE.ORG");
	struct authlist *l = made(&m, 1);
	struct decision d = about_principal(l, "exch@EXAMPLE.ORG");
	assert_int_equal(d.reason, DECIDED_ALLOWED_PRINCIPAL);
	assert_int_equal(d.role, AUTHLIST_ROLE_EXCHANGE);
	assert_int_equal(d.matches, 1);
	assert_int_equal(about_principal(l, "files@EXAMPLE.ORG").reason, DECIDED_DENIED_ACCOUNT);
	static const char *const others[] = {"exch@EXAMPLE.OR", "exch@EXAMPLE.ORG2", "Exch@EXAMPLE.ORG", "a", "z@Z"};
	for (size_t i = 0; i < ARRAY_COUNT(others); i++)
		assert_int_equal(about_principal(l, others[i]).reason, DECIDED_NOT_LISTED);
	assert_int_equal(about_principal(l, "").reason, DECIDED_NO_IDENTITY);
	struct sid who = sid(5), none = {0};
	struct authlist_caller both = {.account = &who, .principal = SLICE("exch@EXAMPLE.ORG")};
	assert_int_equal(authlist_decide(l, &both, NOW, WALL_S).reason, DECIDED_NOT_LISTED);
	both.account = &none;
	assert_int_equal(authlist_decide(l, &both, NOW, WALL_S).reason, DECIDED_ALLOWED_PRINCIPAL);
	authlist_unref(l);
}

/* D04: beyond the maximum age nobody gets a yes or a no. */
static void an_old_list_decides_nothing_until_it_is_confirmed(void **state)
{
	struct making m = {0};
	add(&m, 500, AUTHLIST_ROLE_FCI);
	struct authlist *l = made(&m, 1);
	struct sid who = sid(500);
	struct authlist_caller caller = {.account = &who};
	assert_int_equal(authlist_age(l, NOW - 5), 0);
	assert_false(authlist_too_old(l, NOW + MAX_AGE));
	struct decision yes = authlist_decide(l, &caller, NOW + MAX_AGE, WALL_S);
	assert_int_equal(yes.verdict, VERDICT_YES);
	assert_true(authlist_still(l, &yes, NOW + MAX_AGE));
	assert_false(authlist_still(l, &yes, NOW + MAX_AGE + 1));
	struct decision d = authlist_decide(l, &caller, NOW + MAX_AGE + 1, WALL_S);
	assert_int_equal(d.reason, DECIDED_TOO_OLD);
	assert_int_equal(d.verdict, VERDICT_LATER);
	assert_false(authlist_still(l, &d, NOW));
	authlist_confirm(l, NOW + 50 * SECOND);
	assert_int_equal(authlist_age(l, NOW + 60 * SECOND), 10 * SECOND);
	assert_true(authlist_still(l, &yes, NOW + MAX_AGE + 1));
	authlist_unref(l);
}

static void a_decision_holds_for_its_list_only(void **state)
{
	struct making m = {0}, again = {0};
	add(&m, 500, AUTHLIST_ROLE_FCI);
	add(&again, 500, AUTHLIST_ROLE_FCI);
	struct authlist *l = made(&m, 1), *next = made(&again, 2);
	struct decision yes = about(l, 500, NULL), no = about(l, 501, NULL);
	assert_true(authlist_still(l, &yes, NOW) && authlist_still(l, &no, NOW));
	assert_false(authlist_still(next, &yes, NOW) || authlist_still(next, &no, NOW));
	assert_false(authlist_still(NULL, &yes, NOW));
	/* The entry stays the same thing in every generation. */
	struct decision later = about(next, 500, NULL);
	assert_memory_equal(&later.entry_id, &yes.entry_id, sizeof(yes.entry_id));
	authlist_unref(next);
	authlist_unref(authlist_ref(l));
	assert_int_equal(authlist_generation(l), 1);
	authlist_unref(l);
	authlist_unref(NULL);
}

static void a_no_by_a_denial_ends_with_it(void **state)
{
	struct making m = {0};
	int64_t wall_s = (int64_t)(clock_wall() / SECOND);
	add_denial(&m, 500, wall_s - 10);
	add_denial(&m, 501, wall_s + 1000);
	struct authlist *l = made(&m, 1);
	struct decision ended = about(l, 500, NULL), holds = about(l, 501, NULL);
	assert_int_equal(ended.reason, DECIDED_DENIED_ACCOUNT); /* at WALL_S, long ago */
	assert_false(authlist_still(l, &ended, NOW));
	assert_true(authlist_still(l, &holds, NOW));
	authlist_unref(l);
}

/* Against the slowest way to decide, over lists and callers by chance. */
static void the_index_finds_what_a_walk_finds(void **state)
{
	srand(17);
	for (int round = 0; round < 300; round++) {
		struct making m = {0};
		unsigned entries = (unsigned)rand() % 40, at[40], taken[64] = {0};
		for (unsigned i = 0; i < entries; i++) {
			do
				at[i] = 1 + (unsigned)rand() % 63;
			while (taken[at[i]]++);
			add(&m, at[i], AUTHLIST_ROLE_FCI);
		}
		struct authlist *l = made(&m, 1);
		unsigned groups[11] = {0}, account = 1 + (unsigned)rand() % 63, count = (unsigned)rand() % 10;
		for (unsigned i = 0; i < count; i++)
			groups[i] = 1 + (unsigned)rand() % 63;
		unsigned expected = AUTHLIST_NO_ROW;
		for (unsigned i = entries; i-- > 0;)
			for (unsigned g = 0; g < count; g++)
				if (at[i] == groups[g])
					expected = i;
		for (unsigned i = 0; i < entries; i++)
			if (at[i] == account)
				expected = i;
		assert_int_equal(about(l, account, groups).entry, expected);
		authlist_unref(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(reasons_have_verdicts_and_texts),
	        cmocka_unit_test(without_a_list_it_is_later),
	        cmocka_unit_test(an_empty_list_lets_nobody_in),
	        cmocka_unit_test(an_account_is_let_in_by_its_own_entry),
	        cmocka_unit_test(the_oldest_group_wins_and_an_account_wins_over_groups),
	        cmocka_unit_test(denials_win_over_everything),
	        cmocka_unit_test(an_expanded_group_has_its_members),
	        cmocka_unit_test(an_expanded_denial_keeps_its_members_out),
	        cmocka_unit_test(principals_count_only_without_a_sid),
	        cmocka_unit_test(an_old_list_decides_nothing_until_it_is_confirmed),
	        cmocka_unit_test(a_decision_holds_for_its_list_only),
	        cmocka_unit_test(a_no_by_a_denial_ends_with_it),
	        cmocka_unit_test(the_index_finds_what_a_walk_finds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
