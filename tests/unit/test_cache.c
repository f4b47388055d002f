/* Remembered answers: what is kept, what goes, and what is believed after a restart. */
#include "store/cache.h"

#include "core/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/seed.h"

enum { NOW = 1772323200, ROOM = 1 << 20 };

static char directory[64], path[96], problem[DB_PROBLEM_BYTES];

static int make_directory(void **state)
{
	snprintf(directory, sizeof(directory), "%s/rms-cache-XXXXXX",
	         access("/dev/shm", W_OK) ? "/var/tmp" : "/dev/shm");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/cache", directory);
	return 0;
}

static int remove_directory(void **state)
{
	char command[100];
	snprintf(command, sizeof(command), "rm -r '%s'", directory);
	return system(command);
}

/* Answer number n, born at that time, with a body of that many bytes. */
static struct cached *answer(unsigned n, uint64_t born_s, size_t bytes)
{
	struct cached_facts f = {.operation = "GetServerInfo",
	                         .born_s = born_s,
	                         .fresh_until_s = born_s + 900,
	                         .stale_until_s = born_s + 4500};
	char *body = malloc(bytes + 1);
	assert_non_null(body);
	memset(body, 'a' + (int)(n % 26), bytes);
	snprintf((char *)f.key, sizeof(f.key), "%u", n * 7919);
	f.entry[0] = (uint8_t)(n % 2);
	struct cached *c =
	        cached_new(&f, SLICE("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"), slice_of(body, bytes));
	assert_non_null(c);
	free(body);
	return c;
}

static bool put(struct cache *c, unsigned n, uint64_t born_s, size_t bytes)
{
	struct cached *a = answer(n, born_s, bytes);
	bool taken = cache_put(c, a);
	cached_unref(a);
	return taken;
}

static bool has(const struct cache *c, unsigned n)
{
	struct cached *like = answer(n, NOW, 1);
	struct cache_index *i = cache_snapshot(c);
	assert_non_null(i);
	bool found = cache_index_find(i, like->facts.key) != NULL;
	cache_index_unref(i);
	cached_unref(like);
	return found;
}

static struct cache *open_at(uint64_t now_s)
{
	struct cache *c;
	struct err e = cache_open(directory, ROOM, now_s, &c, problem);
	if (e.code)
		fail_msg("%s: %s", err_text(e), problem);
	return c;
}

static void write_all(struct cache *c)
{
	for (struct cache_batch *b; (b = cache_batch_take(c));) {
		assert_int_equal(cache_batch_write(c, b).code, ERR_NONE);
		cache_batch_over(c, b, true);
	}
}

/* I05 */
static void what_was_kept_is_there_after_a_restart(void **state)
{
	struct stat st;
	struct cache *c = open_at(NOW);
	for (unsigned n = 0; n < 300; n++)
		assert_true(put(c, n, NOW, 100 + n));
	write_all(c);
	cache_close(c);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	c = open_at(NOW + 1);
	assert_string_equal(problem, "");
	assert_int_equal(cache_facts(c).loaded, 300);
	for (unsigned n = 0; n < 300; n++)
		assert_true(has(c, n));
	assert_null(cache_batch_take(c));
	cache_close(c);
}

/* I05: also when the process ended between two writes. */
static void what_is_over_or_from_the_future_is_not_loaded(void **state)
{
	struct cache *c = open_at(NOW);
	put(c, 1, NOW - 5000, 10);
	put(c, 2, NOW, 10);
	put(c, 3, NOW + 2 * CACHE_SKEW_S, 10);
	write_all(c);
	cache_close(c);
	c = open_at(NOW);
	assert_false(has(c, 1));
	assert_true(has(c, 2));
	assert_false(has(c, 3));
	write_all(c); /* and goes from the disk */
	cache_close(c);
	c = open_at(NOW);
	assert_int_equal(cache_facts(c).loaded, 1);
	assert_null(cache_batch_take(c));
	cache_close(c);
}

/* I05 */
static void the_oldest_goes_when_there_is_no_room(void **state)
{
	struct cache *c = open_at(NOW);
	unsigned n = 0;
	for (; n < 20; n++)
		assert_true(put(c, n, NOW + n, 100000));
	struct cache_facts f = cache_facts(c);
	assert_true(f.bytes <= ROOM);
	assert_int_equal(f.count, ROOM / (100000 + CACHED_FRONT_BYTES + 41));
	assert_int_equal(f.evicted, 20 - f.count);
	assert_false(has(c, 0));
	assert_true(has(c, 19));
	write_all(c);
	cache_close(c);
	c = open_at(NOW);
	assert_int_equal(cache_facts(c).count, f.count);
	cache_close(c);
	assert_int_equal(cache_open(NULL, 200, NOW, &c, problem).code, ERR_NONE);
	assert_false(put(c, 1, NOW, 500)); /* larger than all the room */
	cache_close(c);
}

static bool is_crowded(const struct cache *c)
{
	struct cache_index *i = cache_snapshot(c);
	bool crowded = i->crowded;
	cache_index_unref(i);
	return crowded;
}

static void workers_learn_that_little_room_is_left(void **state)
{
	struct cache *c;
	assert_int_equal(cache_open(NULL, ROOM, NOW, &c, problem).code, ERR_NONE);
	for (unsigned n = 0; n < 3; n++) {
		assert_true(put(c, n, NOW, ROOM / 4));
		assert_int_equal(is_crowded(c), n == 2);
	}
	cache_close(c);
	assert_int_equal(cache_open(NULL, 512 << 20, NOW, &c, problem).code, ERR_NONE);
	for (unsigned n = 0; n < CACHE_ROWS_MAX / 4 * 3; n++) {
		assert_false(is_crowded(c));
		assert_true(put(c, n, NOW, 10));
	}
	assert_true(is_crowded(c));
	cache_close(c);
}

static void the_number_of_rows_is_bounded(void **state)
{
	struct cache *c;
	assert_int_equal(cache_open(NULL, 512 << 20, NOW, &c, problem).code, ERR_NONE);
	for (unsigned n = 0; n < CACHE_ROWS_MAX + 100; n++)
		assert_true(put(c, n, NOW + n, 10));
	assert_int_equal(cache_facts(c).count, CACHE_ROWS_MAX);
	assert_false(has(c, 99));
	assert_true(has(c, 100));
	assert_null(cache_batch_take(c));
	cache_close(c);
}

static void an_older_answer_does_not_replace_a_younger_one(void **state)
{
	struct cache *c;
	assert_int_equal(cache_open(NULL, ROOM, NOW, &c, problem).code, ERR_NONE);
	assert_true(put(c, 1, NOW, 10));
	assert_false(put(c, 1, NOW - 1, 20));
	assert_true(put(c, 1, NOW + 1, 30));
	assert_int_equal(cache_facts(c).count, 1);
	assert_int_equal(cache_row(c, 0)->body.len, 30);
	assert_null(cache_row(c, 1));
	cache_close(c);
}

static bool is_odd(const struct cached *row, void *arg)
{
	return row->facts.entry[0] == 1;
}

/* I05 */
static void it_can_be_emptied_and_stays_so(void **state)
{
	struct cache *c = open_at(NOW);
	for (unsigned n = 0; n < 10; n++)
		put(c, n, NOW, 10);
	write_all(c);
	struct cache_index *before = cache_snapshot(c);
	assert_int_equal(cache_purge(c, is_odd, NULL), 5);
	assert_int_equal(cache_purges(c), before->purges + 1);
	assert_false(has(c, 1));
	assert_true(has(c, 2));
	assert_int_equal(before->count, 10); /* who still looks there sees what was */
	cache_index_unref(before);
	write_all(c);
	cache_close(c);
	c = open_at(NOW);
	assert_int_equal(cache_facts(c).loaded, 5);
	assert_int_equal(cache_expire(c, NOW + 4499), 0);
	assert_int_equal(cache_expire(c, NOW + 4500), 5);
	cache_close(c);
}

static void a_batch_that_was_not_written_comes_again(void **state)
{
	struct cache *c = open_at(NOW);
	put(c, 1, NOW, 10);
	cache_batch_over(c, cache_batch_take(c), false);
	struct cache_batch *b = cache_batch_take(c);
	assert_non_null(b);
	put(c, 1, NOW + 1, 20); /* while it is written */
	assert_int_equal(cache_batch_write(c, b).code, ERR_NONE);
	cache_batch_over(c, b, true);
	write_all(c);
	cache_close(c);
	c = open_at(NOW);
	assert_int_equal(cache_row(c, 0)->body.len, 20);
	cache_close(c);
}

/* ---- damage ---- */

static void write_some(void)
{
	struct cache *c = open_at(NOW);
	for (unsigned n = 0; n < 50; n++)
		put(c, n, NOW, 3000);
	write_all(c);
	cache_close(c);
}

/* I05 */
static void damaged_records_are_dropped_and_the_others_are_used(void **state)
{
	struct db *d;
	struct cached *a = answer(3, NOW, 3000), *b = answer(4, NOW, 3000);
	char name[2][2 * CACHED_KEY_BYTES + 1], *bytes = malloc(a->len);
	write_some();
	for (unsigned i = 0; i < CACHED_KEY_BYTES; i++) {
		snprintf(&name[0][2 * i], 3, "%02x", a->facts.key[i]);
		snprintf(&name[1][2 * i], 3, "%02x", b->facts.key[i]);
	}
	assert_int_equal(db_open(directory, "cache", 32 << 20, &d, problem).code, ERR_NONE);
	assert_non_null(bytes);
	memcpy(bytes, a->record, a->len);
	bytes[a->len - 1] ^= 1;
	assert_int_equal(db_write(d, name[0], slice_of(bytes, a->len)).code, ERR_NONE);
	assert_int_equal(db_write(d, name[1], cached_record(a)).code, ERR_NONE); /* whole, but of another key */
	assert_int_equal(db_write(d, "list", SLICE("nonsense")).code, ERR_NONE);
	db_close(d);
	struct cache *c = open_at(NOW);
	assert_int_equal(cache_facts(c).damaged, 3);
	assert_int_equal(cache_facts(c).loaded, 48);
	assert_false(has(c, 3));
	assert_false(has(c, 4));
	write_all(c);
	cache_close(c);
	c = open_at(NOW);
	assert_int_equal(cache_facts(c).damaged, 0);
	cache_close(c);
	free(bytes);
	cached_unref(a);
	cached_unref(b);
}

/* I05 */
static void a_file_that_was_cut_is_made_anew(void **state)
{
	write_some();
	assert_int_equal(truncate(path, 20000), 0);
	struct cache *c = open_at(NOW);
	assert_non_null(strstr(problem, "a new one made"));
	assert_true(cache_facts(c).on_disk);
	assert_int_equal(cache_facts(c).count, 0);
	put(c, 1, NOW, 10);
	write_all(c);
	cache_close(c);
	c = open_at(NOW);
	assert_string_equal(problem, "");
	assert_true(has(c, 1));
	cache_close(c);
}

static void without_a_directory_it_is_in_memory(void **state)
{
	struct cache *c;
	assert_int_equal(cache_open("/nowhere/at/all", ROOM, NOW, &c, problem).code, ERR_NONE);
	assert_string_not_equal(problem, "");
	assert_false(cache_facts(c).on_disk);
	assert_true(put(c, 1, NOW, 10));
	cache_close(c);
}

/* ---- one record ---- */

static void each_byte_of_a_record_counts(void **state)
{
	struct cached *a = answer(5, NOW, 300), *read;
	char *copy = malloc(a->len);
	assert_non_null(copy);
	for (size_t at = 0; at < a->len; at++) {
		memcpy(copy, a->record, a->len);
		copy[at] ^= 0x10;
		if ((read = cached_read(slice_of(copy, a->len))))
			fail_msg("byte %zu may be another", at);
		if (cached_read(slice_of(a->record, at)))
			fail_msg("%zu bytes of it are taken", at);
	}
	read = cached_read(cached_record(a));
	assert_non_null(read);
	assert_memory_equal(&read->facts, &a->facts, sizeof(a->facts));
	assert_true(slice_equal(read->body, a->body) && slice_equal(read->head, a->head));
	assert_true(seed_is("cached", "whole", cached_record(a)));
	cached_unref(read);
	cached_unref(a);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
	        CASE(what_was_kept_is_there_after_a_restart),
	        CASE(what_is_over_or_from_the_future_is_not_loaded),
	        CASE(the_oldest_goes_when_there_is_no_room),
	        CASE(workers_learn_that_little_room_is_left),
	        CASE(the_number_of_rows_is_bounded),
	        CASE(an_older_answer_does_not_replace_a_younger_one),
	        CASE(it_can_be_emptied_and_stays_so),
	        CASE(a_batch_that_was_not_written_comes_again),
	        CASE(damaged_records_are_dropped_and_the_others_are_used),
	        CASE(a_file_that_was_cut_is_made_anew),
	        CASE(without_a_directory_it_is_in_memory),
	        CASE(each_byte_of_a_record_counts),
#undef CASE
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
