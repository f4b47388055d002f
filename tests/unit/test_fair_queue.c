/* The queue in front of authd's threads: in turn by origin, bounded, and the one who sends most gives up its place. */
#include "core/authd/fair_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct job *job(uint64_t origin, uint64_t id)
{
	char bytes[256];
	struct authd_msg m = {.type = AUTHD_REQUEST, .request = {.id = id, .origin = origin, .token = SLICE("token")}};
	size_t n = authd_msg_bytes(&m);
	assert_true(n && n <= sizeof(bytes));
	authd_msg_write(&m, bytes);
	struct job *j = job_new(1, slice_of(bytes, n));
	assert_non_null(j);
	return j;
}

static uint64_t take(struct fair_queue *q)
{
	struct job *j = fair_queue_take(q);
	uint64_t id = j->msg.request.id;
	job_free(j);
	return id;
}

/* E15 */
static void origins_are_served_in_turn(void **state)
{
	struct fair_queue q;
	fair_queue_init(&q, 100);
	for (uint64_t id = 1; id <= 5; id++)
		assert_null(fair_queue_push(&q, job(7, id)));
	assert_null(fair_queue_push(&q, job(8, 100)));
	assert_null(fair_queue_push(&q, job(9, 200)));
	static const uint64_t order[] = {1, 100, 200, 2, 3, 4, 5};
	for (size_t i = 0; i < ARRAY_COUNT(order); i++)
		assert_int_equal(take(&q), order[i]);
	assert_int_equal(fair_queue_count(&q), 0);
	assert_int_equal(q.origins, 0);
	fair_queue_done(&q);
}

/* E15 */
static void a_flood_gives_up_its_own_places_only(void **state)
{
	struct fair_queue q;
	fair_queue_init(&q, 4);
	for (uint64_t id = 1; id <= 4; id++)
		assert_null(fair_queue_push(&q, job(7, id)));
	struct job *more = job(7, 5), *out = fair_queue_push(&q, more);
	assert_ptr_equal(out, more); /* its own one too many */
	job_free(out);
	out = fair_queue_push(&q, job(8, 100));
	assert_non_null(out);
	assert_int_equal(out->msg.request.id, 4); /* the newest of the longest */
	job_free(out);
	out = fair_queue_push(&q, job(9, 200));
	assert_int_equal(out->msg.request.id, 3);
	job_free(out);
	/* Two, one, one: a second one of 8 would have as many as the longest, so it is refused. */
	more = job(8, 101);
	assert_ptr_equal(fair_queue_push(&q, more), more);
	job_free(more);
	static const uint64_t order[] = {1, 100, 200, 2};
	for (size_t i = 0; i < ARRAY_COUNT(order); i++)
		assert_int_equal(take(&q), order[i]);
	fair_queue_done(&q);
}

static void a_closed_queue_takes_and_gives_nothing(void **state)
{
	struct fair_queue q;
	fair_queue_init(&q, 4);
	assert_null(fair_queue_push(&q, job(7, 1)));
	fair_queue_close(&q);
	assert_null(fair_queue_take(&q));
	struct job *late = job(7, 2);
	assert_ptr_equal(fair_queue_push(&q, late), late);
	job_free(late);
	fair_queue_done(&q); /* frees the first */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(origins_are_served_in_turn),
	        cmocka_unit_test(a_flood_gives_up_its_own_places_only),
	        cmocka_unit_test(a_closed_queue_takes_and_gives_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
