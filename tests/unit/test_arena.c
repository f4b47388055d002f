#include "core/base/arena.h"
#include "core/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void small_pieces_come_from_the_owners_block(void **state)
{
	char first[256];
	struct arena a;
	arena_init(&a, first, sizeof(first), 0); /* nothing may be allocated */
	for (int i = 0; i < 10; i++) {
		char *p = arena_take(&a, 9);
		assert_true(p >= first && p + 9 <= first + sizeof(first));
		assert_int_equal((uintptr_t)p % 16, 0);
		memset(p, i, 9);
	}
	arena_done(&a);
}

static void the_limit_is_kept(void **state)
{
	char first[64];
	struct arena a;
	arena_init(&a, first, sizeof(first), 10000);
	size_t got = 0;
	for (char *p; (p = arena_take(&a, 100)); got += 100)
		memset(p, 0xaa, 100);
	assert_in_range(got, 8000, 10100);
	assert_true(a.taken_bytes <= 10000);
	assert_null(arena_take(&a, 10001));
	assert_null(arena_take(&a, SIZE_MAX - 8));
	arena_reset(&a);
	assert_non_null(arena_take(&a, 9000));
	arena_done(&a);
}

static void large_pieces_leave_the_block_in_use(void **state)
{
	char first[1024];
	struct arena a;
	arena_init(&a, first, sizeof(first), 1 << 20);
	char *before = arena_take(&a, 16), *large = arena_take(&a, 100000), *after = arena_take(&a, 16);
	assert_non_null(large);
	memset(large, 1, 100000);
	assert_ptr_equal(after, before + 16);
	arena_done(&a);
}

static void an_arena_without_a_first_block_works(void **state)
{
	struct arena a;
	arena_init(&a, NULL, 0, 100000);
	char *p = arena_take(&a, 10);
	assert_non_null(p);
	memset(p, 1, 10);
	arena_done(&a);
	struct arena zero = {0};
	arena_done(&zero);
	arena_done(NULL);
}

static void copies_and_formats_end_with_nul(void **state)
{
	char first[512];
	struct arena a;
	arena_init(&a, first, sizeof(first), 0);
	struct slice s = arena_copy(&a, SLICE("abc"));
	assert_int_equal(s.len, 3);
	assert_string_equal(s.at, "abc");
	assert_string_equal(arena_copy(&a, (struct slice){NULL, 0}).at, "");
	assert_string_equal(arena_format(&a, "%s-%d", "x", 7), "x-7");
	arena_done(&a);
}

static int order[4], ran;

static void note(void *arg)
{
	order[ran++] = *(int *)arg;
}

static void hooks_run_last_first_and_once(void **state)
{
	char first[512];
	struct arena a;
	int numbers[] = {1, 2, 3};
	arena_init(&a, first, sizeof(first), 0);
	ran = 0;
	for (int i = 0; i < 3; i++)
		assert_true(arena_on_end(&a, note, &numbers[i]));
	arena_reset(&a);
	assert_int_equal(ran, 3);
	assert_int_equal(order[0], 3);
	assert_int_equal(order[2], 1);
	arena_done(&a);
	assert_int_equal(ran, 3);
}

static void a_reset_arena_begins_anew(void **state)
{
	char first[128];
	struct arena a;
	arena_init(&a, first, sizeof(first), 1 << 20);
	void *p = arena_take(&a, 16);
	for (int i = 0; i < 100; i++)
		arena_take(&a, 500);
	arena_reset(&a);
	assert_ptr_equal(arena_take(&a, 16), p);
	assert_int_equal(a.taken_bytes, 0);
	arena_done(&a);
}

static void an_arena_drops_the_references_it_holds(void **state)
{
	char first[128];
	struct arena a;
	struct buf *b = buf_copy(SLICE("shared"));
	arena_init(&a, first, sizeof(first), 0);
	assert_true(arena_on_end(&a, buf_unref_hook, buf_ref(b)));
	assert_int_equal(b->refs, 2);
	arena_done(&a);
	assert_int_equal(b->refs, 1);
	buf_unref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(small_pieces_come_from_the_owners_block),
	        cmocka_unit_test(the_limit_is_kept),
	        cmocka_unit_test(large_pieces_leave_the_block_in_use),
	        cmocka_unit_test(an_arena_without_a_first_block_works),
	        cmocka_unit_test(copies_and_formats_end_with_nul),
	        cmocka_unit_test(hooks_run_last_first_and_once),
	        cmocka_unit_test(a_reset_arena_begins_anew),
	        cmocka_unit_test(an_arena_drops_the_references_it_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
