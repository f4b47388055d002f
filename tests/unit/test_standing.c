/* What the directory told ahead, in decisions: members that no ticket shows, known or not yet; accounts that are disabled; groups that were left. */
#include "core/base/check.h"
#include "store/authlist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SECOND = 1000000, MAX_AGE = 100 * SECOND, NOW = 1000 * SECOND, WALL_S = 5000 };
enum { DIST = 30, GROUP = 31, DENIED = 40, EXACT = 50, CALLER = 500, OTHER = 501 };

static const uint8_t hash[AUTHLIST_HASH_BYTES] = {7};

static struct sid sid_in(const char *domain, unsigned rid)
{
	struct sid d, s;
	assert_true(sid_parse(slice_str(domain), &d));
	assert_true(sid_with_rid(&d, rid, &s));
	return s;
}

static struct sid sid(unsigned rid)
{
	return sid_in("S-1-5-21-1-2-3", rid);
}

static struct sid_set set_of(unsigned one, unsigned other)
{
	struct sid_set set = {0};
	struct sid a = sid(one), b = sid(other);
	assert_true(sid_set_add(&set, &a) && (!other || sid_set_add(&set, &b)));
	sid_set_seal(&set);
	return set;
}

/* Oldest first: a distribution group of CALLER's, a security group, the account EXACT. The groups' members as of dist_at, denied_at. */
static struct authlist *list(int64_t dist_at, int64_t denied_at, bool with_denial)
{
	struct authlist_rows rows = {.entries = calloc(3, sizeof(*rows.entries)),
	                             .denials = calloc(1, sizeof(*rows.denials))};
	struct authlist *l;
	rows.entry_count = 3;
	rows.denial_count = with_denial;
	rows.entries[0] =
	        (struct authlist_entry){.kind = AUTHLIST_KIND_DISTRIBUTION, .object.sid = sid(DIST), .added_s = 1};
	rows.entries[1] = (struct authlist_entry){.kind = AUTHLIST_KIND_GROUP, .object.sid = sid(GROUP), .added_s = 2};
	rows.entries[2] = (struct authlist_entry){.kind = AUTHLIST_KIND_USER, .object.sid = sid(EXACT), .added_s = 3};
	rows.denials[0] = (struct authlist_denial){.kind = AUTHLIST_KIND_DISTRIBUTION, .object.sid = sid(DENIED)};
	for (size_t i = 0; i < 3; i++)
		rows.entries[i].object.need = authlist_entry_need(&rows.entries[i]);
	rows.denials[0].object.need = authlist_denial_need(&rows.denials[0]);
	rows.entries[0].object.members_at = dist_at;
	rows.denials[0].object.members_at = denied_at;
	if (dist_at != AUTHLIST_NEVER)
		rows.entries[0].object.members = set_of(CALLER, 0);
	if (with_denial && denied_at != AUTHLIST_NEVER)
		rows.denials[0].object.members = set_of(OTHER, 0);
	assert_int_equal(authlist_new(&rows, hash, 1, NOW, 10 * (usec_t)MAX_AGE, &l).code, ERR_NONE);
	return l;
}

static struct authlist *with(struct authlist *l, struct standing *s)
{
	struct standings *all = standings_with(NULL, &s, 1, INT64_MIN);
	struct authlist *next;
	assert_int_equal(authlist_with(l, all, &next).code, ERR_NONE);
	standings_unref(all);
	standing_unref(s);
	authlist_unref(l);
	return next;
}

static struct decision about(const struct authlist *l, unsigned account, unsigned group, usec_t now)
{
	struct sid who = sid(account);
	struct sid_set groups = {0};
	if (group)
		groups = set_of(group, 0);
	struct authlist_caller caller = {.account = &who, .groups = &groups};
	struct decision d = authlist_decide(l, &caller, now, WALL_S);
	sid_set_done(&groups);
	return d;
}

/* C07: until the directory has told who is in a distribution group, whoever might be is deferred; others come in by what is known. */
static void members_that_were_never_told_defer_and_let_nobody_in(void **state)
{
	struct authlist *l = list(AUTHLIST_NEVER, 0, false);
	struct decision d = about(l, CALLER, 0, NOW);
	assert_int_equal(d.reason, DECIDED_MEMBERS_UNKNOWN);
	assert_int_equal(d.verdict, VERDICT_LATER);
	assert_int_equal(about(l, OTHER, GROUP, NOW).reason, DECIDED_ALLOWED_GROUP);
	assert_int_equal(about(l, EXACT, 0, NOW).reason, DECIDED_ALLOWED_ACCOUNT);
	assert_int_equal(authlist_members_unknown(l, NOW), 1);
	authlist_unref(l);
	l = list(NOW, 0, false);
	assert_int_equal(about(l, CALLER, 0, NOW).reason, DECIDED_ALLOWED_MEMBER);
	assert_int_equal(about(l, OTHER, 0, NOW).reason, DECIDED_NOT_LISTED);
	assert_int_equal(authlist_members_unknown(l, NOW), 0);
	authlist_unref(l);
}

/* C07, D04: what was told is believed up to the age that the list may have. */
static void members_that_were_told_too_long_ago_are_not_known(void **state)
{
	struct authlist *l = list(NOW, 0, false);
	usec_t last = NOW + 10 * (usec_t)MAX_AGE;
	authlist_confirm(l, last);
	struct decision yes = about(l, CALLER, 0, last), no = about(l, OTHER, 0, last);
	assert_int_equal(yes.reason, DECIDED_ALLOWED_MEMBER);
	assert_int_equal(no.reason, DECIDED_NOT_LISTED);
	assert_true(authlist_still(l, &yes, last) && authlist_still(l, &no, last));
	assert_false(authlist_still(l, &yes, last + 1) || authlist_still(l, &no, last + 1));
	assert_int_equal(about(l, CALLER, 0, last + 1).reason, DECIDED_MEMBERS_UNKNOWN);
	assert_int_equal(about(l, OTHER, 0, last + 1).reason, DECIDED_MEMBERS_UNKNOWN);
	struct sid other = sid(GROUP), dist = sid(DIST);
	authlist_confirm_members(l, &other, last);
	assert_int_equal(about(l, CALLER, 0, last + 1).reason, DECIDED_MEMBERS_UNKNOWN);
	authlist_confirm_members(l, &dist, last);
	assert_int_equal(about(l, CALLER, 0, last + 1).reason, DECIDED_ALLOWED_MEMBER);
	assert_int_equal(authlist_members_at(l, false, 0), last);
	assert_int_equal(authlist_members_at(l, false, 1), AUTHLIST_NEVER);
	authlist_unref(l);
}

/* C07: a denied group wins, and who might be in it waits until that is known. */
static void a_denied_group_that_is_not_known_lets_nobody_in(void **state)
{
	struct authlist *l = list(NOW, AUTHLIST_NEVER, true);
	assert_int_equal(about(l, CALLER, 0, NOW).reason, DECIDED_DENIED_UNKNOWN);
	assert_int_equal(about(l, OTHER, GROUP, NOW).reason, DECIDED_DENIED_UNKNOWN);
	assert_int_equal(about(l, EXACT, 0, NOW).reason, DECIDED_DENIED_UNKNOWN);
	assert_int_equal(about(l, EXACT, DENIED, NOW).reason, DECIDED_DENIED_GROUP);
	assert_int_equal(about(l, 7, 0, NOW).reason, DECIDED_NOT_LISTED);
	authlist_unref(l);
	l = list(NOW, NOW, true);
	assert_int_equal(about(l, OTHER, GROUP, NOW).reason, DECIDED_DENIED_MEMBER);
	assert_int_equal(about(l, EXACT, 0, NOW).reason, DECIDED_ALLOWED_ACCOUNT);
	/* Too old, it still keeps out whom it named. */
	usec_t late = NOW + 10 * (usec_t)MAX_AGE + 1;
	authlist_confirm(l, late);
	assert_int_equal(about(l, OTHER, GROUP, late).reason, DECIDED_DENIED_MEMBER);
	assert_int_equal(about(l, EXACT, 0, late).reason, DECIDED_DENIED_UNKNOWN);
	authlist_unref(l);
}

/* C24: what the directory said last counts, however long ago. */
static void a_disabled_account_is_refused(void **state)
{
	static const enum standing_state states[] = {STANDING_DISABLED, STANDING_GONE};
	static const enum decision_reason reasons[] = {DECIDED_ACCOUNT_DISABLED, DECIDED_ACCOUNT_GONE};
	struct sid who = sid(EXACT);
	for (size_t i = 0; i < ARRAY_COUNT(states); i++) {
		struct authlist *l = with(list(NOW, 0, false), standing_new(&who, states[i], -5, NULL));
		struct decision d = about(l, EXACT, GROUP, NOW);
		assert_int_equal(d.reason, reasons[i]);
		assert_int_equal(d.verdict, VERDICT_NO);
		assert_true(d.doubtful);
		assert_true(authlist_still(l, &d, NOW));
		assert_int_equal(about(l, CALLER, GROUP, NOW).verdict, VERDICT_YES);
		l = with(l, standing_new(&who, STANDING_GOOD, NOW, NULL));
		assert_int_equal(about(l, EXACT, 0, NOW).reason, DECIDED_ALLOWED_ACCOUNT);
		authlist_unref(l);
	}
}

/* C23: a ticket shows a group that the account is not in any more. */
static void a_group_that_was_left_does_not_count(void **state)
{
	struct sid who = sid(OTHER);
	struct sid_set now_in = set_of(77, 78);
	struct decision d = {0};
	struct authlist *l = list(NOW, 0, false);
	d = about(l, OTHER, GROUP, NOW);
	assert_true(d.by_ticket && d.doubtful); /* nobody has asked the directory yet */
	l = with(l, standing_new(&who, STANDING_GOOD, NOW, &now_in));
	d = about(l, OTHER, GROUP, NOW + STANDING_FRESH_S * (usec_t)SECOND);
	assert_int_equal(d.reason, DECIDED_GROUP_LEFT);
	assert_int_equal(d.verdict, VERDICT_NO);
	assert_true(authlist_still(l, &d, NOW + STANDING_FRESH_S * (usec_t)SECOND));
	/* Later it may have joined: that is asked before it is refused. */
	assert_false(authlist_still(l, &d, NOW + STANDING_FRESH_S * (usec_t)SECOND + 1));
	d = about(l, OTHER, GROUP, NOW + STANDING_FRESH_S * (usec_t)SECOND + 1);
	assert_int_equal(d.reason, DECIDED_GROUP_DOUBTED);
	assert_int_equal(d.verdict, VERDICT_LATER);
	assert_true(d.doubtful);
	assert_int_equal(about(l, OTHER, 7, NOW).reason, DECIDED_NOT_LISTED);
	/* An answer without groups says nothing about them; nor does one with the group in it. */
	l = with(l, standing_new(&who, STANDING_GOOD, NOW, NULL));
	d = about(l, OTHER, GROUP, NOW);
	assert_int_equal(d.reason, DECIDED_ALLOWED_GROUP);
	assert_true(d.by_ticket && !d.doubtful);
	sid_set_done(&now_in);
	now_in = set_of(GROUP, 77);
	l = with(l, standing_new(&who, STANDING_GOOD, NOW, &now_in));
	assert_int_equal(about(l, OTHER, GROUP, NOW + 3600 * (usec_t)SECOND - 1).reason, DECIDED_TOO_OLD);
	assert_int_equal(about(l, OTHER, GROUP, NOW + 900 * (usec_t)SECOND).reason, DECIDED_ALLOWED_GROUP);
	sid_set_done(&now_in);
	authlist_unref(l);
}

/* C23: a domain's controllers tell of its own groups only; others' count as the ticket shows them. A denial counts in any case. */
static void groups_of_other_domains_are_the_tickets_word(void **state)
{
	struct sid foreign = sid_in("S-1-5-21-9-9-9", OTHER), own = sid(OTHER), group = sid(GROUP),
	           denied = sid(DENIED);
	struct sid_set shown = {0}, none = {0};
	struct authlist *l = with(list(NOW, NOW, true), standing_new(&foreign, STANDING_GOOD, NOW, &none));
	assert_true(sid_set_add(&shown, &group));
	struct authlist_caller caller = {.account = &foreign, .groups = &shown};
	assert_int_equal(authlist_decide(l, &caller, NOW, WALL_S).reason, DECIDED_ALLOWED_GROUP);
	authlist_unref(l);
	l = with(list(NOW, NOW, true), standing_new(&own, STANDING_GOOD, NOW, &none));
	shown.at[0] = denied;
	caller.account = &own;
	assert_int_equal(authlist_decide(l, &caller, NOW, WALL_S).reason, DECIDED_DENIED_GROUP);
	sid_set_done(&shown);
	authlist_unref(l);
}

static void standings_keep_the_newest_of_each_and_share_the_rest(void **state)
{
	struct sid a = sid(1), b = sid(2), c = sid(3);
	struct standing *first[] = {standing_new(&b, STANDING_GOOD, 10, NULL),
	                            standing_new(&a, STANDING_DISABLED, 20, NULL),
	                            standing_new(&a, STANDING_GOOD, 5, NULL)};
	struct standings *one = standings_with(NULL, first, 3, 0);
	assert_int_equal(standings_count(one), 2);
	assert_int_equal(standings_find(one, &a)->state, STANDING_DISABLED);
	assert_null(standings_find(one, &c));
	assert_null(standings_find(NULL, &a));
	struct standing *next = standing_new(&c, STANDING_GONE, 30, NULL);
	struct standings *two = standings_with(one, &next, 1, 15);
	assert_int_equal(standings_count(two), 2); /* b's is too old */
	assert_ptr_equal(standings_find(two, &a), standings_find(one, &a));
	assert_ptr_equal(standings_at(two, 1), next);
	assert_null(standings_find(two, &b));
	standings_unref(one);
	for (size_t i = 0; i < ARRAY_COUNT(first); i++)
		standing_unref(first[i]);
	standing_unref(next);
	assert_int_equal(standings_find(two, &a)->at, 20);
	standings_unref(standings_ref(two));
	standings_unref(two);
	standings_unref(NULL);
}

static void there_are_at_most_so_many_standings(void **state)
{
	enum { MORE = STANDINGS_MAX + 100 };
	static struct standing *all[MORE];
	for (unsigned i = 0; i < MORE; i++) {
		struct sid s = sid(1000 + i);
		all[i] = standing_new(&s, STANDING_GOOD, i, NULL);
	}
	struct standings *kept = standings_with(NULL, all, MORE, 0);
	struct sid oldest = sid(1000), first = sid(1100), last = sid(1000 + MORE - 1);
	assert_int_equal(standings_count(kept), STANDINGS_MAX);
	assert_null(standings_find(kept, &oldest));
	assert_non_null(standings_find(kept, &first));
	assert_non_null(standings_find(kept, &last));
	standings_unref(kept);
	for (unsigned i = 0; i < MORE; i++)
		standing_unref(all[i]);
}

static void what_must_be_asked_of_the_directory(void **state)
{
	static const enum authlist_members_need entry[] = {
	        [AUTHLIST_KIND_UNKNOWN] = MEMBERS_MUST, [AUTHLIST_KIND_GROUP] = MEMBERS_NO_NEED,
	        [AUTHLIST_KIND_USER] = MEMBERS_NO_NEED, [AUTHLIST_KIND_COMPUTER] = MEMBERS_NO_NEED,
	        [AUTHLIST_KIND_GMSA] = MEMBERS_NO_NEED, [AUTHLIST_KIND_DISTRIBUTION] = MEMBERS_MUST};
	for (unsigned kind = 0; kind < AUTHLIST_KIND_COUNT; kind++) {
		struct authlist_entry e = {.kind = kind, .object.sid = sid(1)};
		struct authlist_denial d = {.kind = kind, .object.sid = sid(1)};
		assert_int_equal(authlist_entry_need(&e), entry[kind]);
		assert_int_equal(authlist_denial_need(&d), kind == AUTHLIST_KIND_GROUP ? MEMBERS_MAY : entry[kind]);
		e.object.expand = d.object.expand = true;
		assert_int_equal(authlist_entry_need(&e), MEMBERS_MUST);
		assert_int_equal(authlist_denial_need(&d), MEMBERS_MUST);
		e.object.principal = (char[]){"a@B"};
		assert_int_equal(authlist_entry_need(&e), MEMBERS_NO_NEED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(members_that_were_never_told_defer_and_let_nobody_in),
	        cmocka_unit_test(members_that_were_told_too_long_ago_are_not_known),
	        cmocka_unit_test(a_denied_group_that_is_not_known_lets_nobody_in),
	        cmocka_unit_test(a_disabled_account_is_refused),
	        cmocka_unit_test(a_group_that_was_left_does_not_count),
	        cmocka_unit_test(groups_of_other_domains_are_the_tickets_word),
	        cmocka_unit_test(standings_keep_the_newest_of_each_and_share_the_rest),
	        cmocka_unit_test(there_are_at_most_so_many_standings),
	        cmocka_unit_test(what_must_be_asked_of_the_directory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
