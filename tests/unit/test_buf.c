#include "core/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void appending_stops_at_the_end(void **state)
{
	struct buf *b = buf_new(8);
	assert_int_equal(buf_append(b, SLICE("12345")), 5);
	assert_int_equal(buf_append(b, SLICE("67890")), 3);
	assert_int_equal(buf_append(b, SLICE("x")), 0);
	assert_int_equal(buf_room(b), 0);
	assert_true(slice_equal(buf_slice(b), SLICE("12345678")));
	buf_unref(b);
}

static void bytes_do_not_move(void **state)
{
	struct buf *b = buf_new(100);
	buf_append(b, SLICE("abc"));
	struct slice early = buf_slice(b);
	buf_append(b, SLICE("def"));
	assert_ptr_equal(buf_slice(b).at, early.at);
	assert_true(slice_equal(early, SLICE("abc")));
	buf_unref(b);
}

static void the_last_reference_frees(void **state)
{
	struct buf *b = buf_copy(SLICE("abc"));
	assert_ptr_equal(buf_ref(b), b);
	buf_unref(b);
	assert_int_equal(buf_slice(b).len, 3);
	assert_memory_equal(buf_slice(b).at, "abc", 3); /* the sanitizer would know */
	buf_unref(b);
	buf_unref(NULL);
}

static void empty_blocks_are_fine(void **state)
{
	struct buf *b = buf_copy((struct slice){NULL, 0});
	assert_non_null(b);
	assert_int_equal(buf_slice(b).len, 0);
	buf_unref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(appending_stops_at_the_end),
	        cmocka_unit_test(bytes_do_not_move),
	        cmocka_unit_test(the_last_reference_frees),
	        cmocka_unit_test(empty_blocks_are_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
