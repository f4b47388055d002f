/* Keys put beside keys: nothing is lost, nothing is there twice, and the file is the old one or the new one, of the same owner and mode. */
#include "core/authd/keytab_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_keytab_file_XXXXXX", path[64], fresh[80];

static struct keytab_key key(const char *principal, uint32_t kvno, int32_t enctype, char fill)
{
	struct keytab_key k = {.principal = (char *)(uintptr_t)principal,
	                       .kvno = kvno,
	                       .enctype = enctype,
	                       .secret_len = enctype == 18 ? 32 : 16};
	memset(k.secret, fill, k.secret_len);
	return k;
}

static struct keytab_view *stored(void)
{
	char problem[KEYTAB_PROBLEM_BYTES];
	struct keytab_view *v = keytab_load(path, problem);
	if (!v)
		fail_msg("%s", problem);
	return v;
}

static void put(const struct keytab_key *keys, size_t count)
{
	char problem[KEYTAB_PROBLEM_BYTES] = "";
	if (!keytab_file_write(path, keys, count, problem))
		fail_msg("%s", problem);
}

static void keys_are_read_back_as_they_were_written(void **state)
{
	struct keytab_key keys[] = {key("HTTP/a.corp.test@CORP.TEST", 300, 18, 'a'),
	                            key("svc-rms@CORP.TEST", 2, 17, 'b')};
	put(keys, 2);
	struct keytab_view *v = stored();
	assert_int_equal(v->count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(v->keys[i].principal, keys[i].principal);
		assert_int_equal(v->keys[i].kvno, keys[i].kvno); /* also beyond 8 bits */
		assert_true(keytab_key_same_secret(&v->keys[i], &keys[i]));
	}
	assert_string_equal(v->keys[0].realm, "CORP.TEST");
	keytab_view_unref(v);
}

static void new_keys_go_beside_the_old(void **state)
{
	struct keytab_key old[] = {key("HTTP/a@R", 3, 18, 'a'), key("HTTP/a@R", 3, 17, 'b'), key("x@R", 1, 18, 'c')};
	struct keytab_key more[] = {key("HTTP/a@R", 4, 18, 'd'), key("HTTP/a@R", 3, 17, 'b'), key("x@R", 1, 18, 'z'),
	                            key("HTTP/a@R", 4, 18, 'd')};
	struct keytab_merge m;
	put(old, 3);
	struct keytab_view *v = stored();
	assert_true(keytab_merge(more, 4, v, &m));
	assert_int_equal(m.count, 5); /* 4/18, 3/17 once, x in two passwords, 3/18 */
	assert_int_equal(m.added, 2);
	assert_int_equal(m.same, 2);
	assert_int_equal(m.conflicts, 1);
	assert_int_equal(m.keys[0].kvno, 4);
	put(m.keys, m.count);
	keytab_merge_done(&m);
	keytab_view_unref(v);
	v = stored();
	assert_int_equal(v->count, 5);
	keytab_view_unref(v);
}

static void mode_stays_and_a_new_file_is_for_its_owner_only(void **state)
{
	struct keytab_key one = key("HTTP/a@R", 3, 18, 'a');
	struct stat st;
	unlink(path);
	put(&one, 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(chmod(path, 0640), 0);
	put(&one, 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_not_equal(access(fresh, F_OK), 0);
}

static void a_link_stays_a_link(void **state)
{
	struct keytab_key one = key("HTTP/a@R", 3, 18, 'a');
	char target[80], problem[KEYTAB_PROBLEM_BYTES];
	struct stat st;
	snprintf(target, sizeof(target), "%s/target", folder);
	unlink(path);
	FILE *f = fopen(target, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(symlink(target, path), 0);
	put(&one, 1);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	struct keytab_view *v = keytab_load(target, problem);
	assert_non_null(v);
	keytab_view_unref(v);
	unlink(path);
	unlink(target);
}

static void what_cannot_be_written_leaves_the_file(void **state)
{
	struct keytab_key good = key("HTTP/a@R", 3, 18, 'a'), bad = key("HTTP/a@R@R@@", 3, 18, 'b');
	char problem[KEYTAB_PROBLEM_BYTES] = "";
	put(&good, 1);
	assert_false(keytab_file_write(path, &bad, 1, problem));
	assert_true(*problem);
	assert_int_not_equal(access(fresh, F_OK), 0);
	struct keytab_view *v = stored();
	assert_int_equal(v->count, 1);
	keytab_view_unref(v);
	assert_false(keytab_file_write("/nowhere/at/all", &good, 1, problem));
	assert_non_null(strstr(problem, "/nowhere/at/all"));
}

static void a_fingerprint_is_of_the_keys_and_of_nothing_else(void **state)
{
	char a[KEYTAB_FINGERPRINT_BYTES], b[KEYTAB_FINGERPRINT_BYTES];
	struct keytab_key keys[] = {key("HTTP/a@R", 4, 18, 'a'), key("HTTP/a@R", 4, 17, 'b'),
	                            key("HTTP/a@R", 3, 18, 'c')};
	struct keytab_key turned[] = {keys[1], key("y@R", 4, 18, 'q'), keys[0]};
	struct keytab_view one = {.keys = keys, .count = 3}, two = {.keys = turned, .count = 3};
	assert_true(keytab_fingerprint(&one, "HTTP/a@R", 4, a));
	assert_true(keytab_fingerprint(&two, "HTTP/a@R", 4, b));
	assert_string_equal(a, b);
	assert_int_equal(strlen(a), 24);
	turned[0].secret[5] ^= 1;
	assert_true(keytab_fingerprint(&two, "HTTP/a@R", 4, b));
	assert_string_not_equal(a, b);
	assert_false(keytab_fingerprint(&one, "HTTP/a@R", 5, a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(keys_are_read_back_as_they_were_written),
	        cmocka_unit_test(new_keys_go_beside_the_old),
	        cmocka_unit_test(mode_stays_and_a_new_file_is_for_its_owner_only),
	        cmocka_unit_test(a_link_stays_a_link),
	        cmocka_unit_test(what_cannot_be_written_leaves_the_file),
	        cmocka_unit_test(a_fingerprint_is_of_the_keys_and_of_nothing_else),
	};
	setenv("KRB5_CONFIG", "/dev/null", 1);
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/keytab", folder);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(folder);
	return failed;
}
