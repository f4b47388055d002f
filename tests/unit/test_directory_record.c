/* What the directory told, written and read again: each byte counts, and nothing that is out of order or too much is taken. */
#include "core/base/check.h"
#include "store/directory_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct sid sid(unsigned rid)
{
	struct sid domain, s;
	assert_true(sid_parse(SLICE("S-1-5-21-1-2-3"), &domain));
	assert_true(sid_with_rid(&domain, rid, &s));
	return s;
}

static struct directory_record record(unsigned members)
{
	struct directory_record r = {.groups = calloc(2, sizeof(*r.groups)),
	                             .accounts = calloc(2, sizeof(*r.accounts)),
	                             .group_count = 2,
	                             .account_count = 2};
	r.groups[0] = (struct directory_group){.sid = sid(1), .told_s = 1790000000};
	r.groups[1] = (struct directory_group){.sid = sid(2), .told_s = 5};
	for (unsigned i = 0; i < members; i++) {
		struct sid s = sid(0x01000000 * (i % 256) + i); /* rising as memcmp() sees it needs sealing */
		assert_true(sid_set_add_up_to(&r.groups[1].members, &s, UINT32_MAX));
	}
	sid_set_seal(&r.groups[1].members);
	r.accounts[0] = (struct directory_account){sid(7), 17, STANDING_DISABLED};
	r.accounts[1] = (struct directory_account){sid(8), 18, STANDING_GONE};
	return r;
}

static void it_comes_back_as_it_was(void **state)
{
	struct directory_record r = record(SID_SET_MAX + 10), read;
	size_t len, again_len;
	char *bytes = directory_record_write(&r, &len);
	assert_non_null(bytes);
	assert_true(directory_record_read(slice_of(bytes, len), &read));
	assert_int_equal(read.group_count, 2);
	assert_int_equal(read.groups[1].members.count, SID_SET_MAX + 10);
	assert_int_equal(read.groups[0].told_s, 1790000000);
	assert_int_equal(read.accounts[1].state, STANDING_GONE);
	char *again = directory_record_write(&read, &again_len);
	assert_int_equal(again_len, len);
	assert_memory_equal(again, bytes, len);
	free(again);
	free(bytes);
	directory_record_done(&r);
	directory_record_done(&read);
}

static void what_is_cut_or_out_of_order_is_refused(void **state)
{
	struct directory_record r = record(3), read;
	size_t len;
	char *bytes = directory_record_write(&r, &len);
	for (size_t i = 0; i < len; i++)
		assert_false(directory_record_read(slice_of(bytes, i), &read));
	char longer[1024];
	memcpy(longer, bytes, len);
	longer[len] = 0;
	assert_false(directory_record_read(slice_of(longer, len + 1), &read));
	assert_null(read.groups);
	free(bytes);
	struct directory_group first = r.groups[0];
	r.groups[0] = r.groups[1];
	r.groups[1] = first;
	bytes = directory_record_write(&r, &len);
	assert_false(directory_record_read(slice_of(bytes, len), &read));
	free(bytes);
	r.groups[1] = r.groups[0]; /* twice the same */
	r.groups[1].members = (struct sid_set){0};
	bytes = directory_record_write(&r, &len);
	assert_false(directory_record_read(slice_of(bytes, len), &read));
	free(bytes);
	r.groups[1].sid = sid(9);
	r.accounts[0].state = STANDING_GOOD;
	bytes = directory_record_write(&r, &len);
	assert_false(directory_record_read(slice_of(bytes, len), &read));
	free(bytes);
	directory_record_done(&r);
}

static void wrong_counts_cost_nothing(void **state)
{
	static const char many[] = {(char)0xff, (char)0xff, (char)0xff, (char)0xff, 0, 0, 0, 0};
	struct directory_record read;
	assert_false(directory_record_read(slice_of(many, sizeof(many)), &read));
	assert_true(directory_record_read(slice_of("\0\0\0\0\0\0\0\0", 8), &read));
	directory_record_done(&read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(it_comes_back_as_it_was),
	        cmocka_unit_test(what_is_cut_or_out_of_order_is_refused),
	        cmocka_unit_test(wrong_counts_cost_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
