/* Principals: the same proof is one principal, for as long as it may last and no longer. */
#include "core/base/check.h"
#include "core/relay/principal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct principals all;
static struct metric_block *metrics;
enum { WALL_S = 1800000000, NOW_MS = 5000, HOUR_S = 3600 };

static struct authd_reply proof(const char *account, const char *sid_text, char *room, uint64_t until_s)
{
	struct authd_reply r = {.outcome = AUTHD_DONE,
	                        .mechanism = AUTHD_KERBEROS,
	                        .until_s = until_s,
	                        .account = slice_str(account),
	                        .principal = SLICE("a@B")};
	assert_true(sid_parse(slice_str(sid_text), &r.sid));
	memcpy(room, r.sid.bytes, sid_bytes(&r.sid));
	r.sids = slice_of(room, sid_bytes(&r.sid));
	r.sid_count = 1;
	return r;
}

static struct principal *intern(const struct authd_reply *r, uint32_t max_age_s, uint64_t wall_s)
{
	struct principal *p = principal_intern(&all, r, max_age_s, NOW_MS, wall_s);
	assert_non_null(p);
	return p;
}

static void equal_proofs_are_one_principal_and_others_are_not(void **state)
{
	char room[SID_BYTES_MAX], other_room[SID_BYTES_MAX];
	struct authd_reply r = proof("CORP\\a", "S-1-5-21-1-2-3-1", room, WALL_S + 600), other = r;
	struct principal *first = intern(&r, HOUR_S, WALL_S), *found[7];
	assert_ptr_equal(intern(&r, HOUR_S, WALL_S + 5), first);
	assert_int_equal(first->refs, 2);
	assert_string_equal(first->sid_text, "S-1-5-21-1-2-3-1");
	other.account = SLICE("CORP\\b");
	found[0] = intern(&other, HOUR_S, WALL_S);
	other = r;
	other.mechanism = AUTHD_NTLM;
	found[1] = intern(&other, HOUR_S, WALL_S);
	other = r;
	other.until_s++;
	found[2] = intern(&other, HOUR_S, WALL_S);
	other = proof("CORP\\a", "S-1-5-21-1-2-3-2", other_room, r.until_s);
	found[3] = intern(&other, HOUR_S, WALL_S);
	other = r; /* the same account in other groups */
	other.sids = slice_of(other_room, r.sids.len);
	found[4] = intern(&other, HOUR_S, WALL_S);
	other = r;
	other.sids = SLICE("");
	other.sid_count = 0;
	found[5] = intern(&other, HOUR_S, WALL_S);
	other = r;
	other.principal = SLICE("a@C");
	found[6] = intern(&other, HOUR_S, WALL_S);
	for (size_t i = 0; i < 7; i++) {
		assert_ptr_not_equal(found[i], first);
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(found[i], found[k]);
	}
	for (size_t i = 0; i < 7; i++)
		principal_unref(&all, found[i]);
	assert_true(principal_account_hash(first) == principal_account_hash(first));
	principal_unref(&all, first);
	principal_unref(&all, first);
}

/* E02: neither longer than the ticket nor than the greatest age, whenever it was proven. */
static void an_identity_ends_in_time(void **state)
{
	char room[SID_BYTES_MAX];
	static const uint32_t ages[] = {1, 2, 15, 16, 100, 3600};
	for (size_t i = 0; i < ARRAY_COUNT(ages); i++)
		for (uint64_t wall = WALL_S; wall < WALL_S + 500; wall++)
			for (uint64_t ticket = wall; ticket < wall + 8000; ticket += 777) {
				struct authd_reply r = proof("CORP\\a", "S-1-5-21-1-2-3-1", room, ticket);
				struct principal *p = intern(&r, ages[i], wall);
				assert_true(p->until_s <= ticket && p->until_s <= wall + ages[i]);
				/* and not much shorter: a sixteenth */
				assert_true(p->until_s == ticket ||
				            p->until_s + (ages[i] / 16 ? ages[i] / 16 : 1) > wall + ages[i]);
				principal_unref(&all, p);
			}
}

static void unused_ones_are_kept_for_a_while_and_bounded(void **state)
{
	char room[SID_BYTES_MAX];
	struct principal *first = NULL;
	for (unsigned i = 0; i < 2 * PRINCIPALS_UNUSED_MAX; i++) {
		char text[64];
		snprintf(text, sizeof(text), "S-1-5-21-9-9-9-%u", i + 1);
		struct authd_reply r = proof("CORP\\a", text, room, WALL_S + 100);
		struct principal *p = intern(&r, HOUR_S, WALL_S);
		if (i == 0)
			first = p; /* in use: stays, however many come after it */
		else
			principal_unref(&all, p);
		if (i == 1) {
			assert_ptr_equal(intern(&r, HOUR_S, WALL_S), p);
			principal_unref(&all, p);
		}
	}
	assert_int_equal(all.unused_count, PRINCIPALS_UNUSED_MAX);
	assert_int_equal(all.count, PRINCIPALS_UNUSED_MAX + 1);
	assert_string_equal(first->sid_text, "S-1-5-21-9-9-9-1");
	principal_unref(&all, first);
}

static int open_all(void **state)
{
	metrics = metric_block_new();
	principals_open(&all, metrics);
	return 0;
}

static int close_all(void **state)
{
	principals_close(&all); /* checks that nobody holds one */
	metric_block_free(metrics);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(equal_proofs_are_one_principal_and_others_are_not),
	        cmocka_unit_test(an_identity_ends_in_time),
	        cmocka_unit_test(unused_ones_are_kept_for_a_while_and_bounded),
	};
	return cmocka_run_group_tests(tests, open_all, close_all);
}
