/* A keytab file is taken whole or not at all: cut off anywhere, with bytes behind it, or with a key that is just being written. */
#include "core/authd/keytab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Version 2, and a key of HTTP/a@R: length 63, two names, realm and names, kind of name, time, version 3, AES-256 with its key, version 3. */
#define HEAD "\5\2"
#define KEY(version)                                                                \
	"\0\0\0\x3f\0\2\0\1R\0\4HTTP\0\1a\0\0\0\1\x65\0\0\0" version "\0\x12\0\x20" \
	"0123456789abcdef0123456789abcdef\0\0\0" version

static char path[] = "/tmp/test_keytab_XXXXXX";

static size_t keys_in(const char *bytes, size_t n, const char *words)
{
	char problem[KEYTAB_PROBLEM_BYTES];
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	struct keytab_view *v = keytab_load(path, problem);
	if (!v) {
		assert_non_null(strstr(problem, words));
		return 0;
	}
	assert_string_equal(problem, "");
	size_t count = v->count;
	assert_string_equal(v->keys[0].principal, "HTTP/a@R");
	assert_string_equal(v->keys[0].realm, "R");
	assert_int_equal(v->keys[0].enctype, 18);
	keytab_view_unref(v);
	return count;
}

static void whole_files_are_read(void **state)
{
	static const char two[] = HEAD KEY("\3") KEY("\4");
	static const char hole[] = HEAD "\xff\xff\xff\xfb"
	                                "12345" KEY("\3");
	static const char zeros[] = HEAD KEY("\3") "\0\0\0\0\0\0";
	assert_int_equal(keys_in(two, sizeof(two) - 1, ""), 2);
	assert_int_equal(keys_in(hole, sizeof(hole) - 1, ""), 1);
	assert_int_equal(keys_in(zeros, sizeof(zeros) - 1, ""), 1);
}

static void a_file_that_is_cut_off_is_refused(void **state)
{
	static const char two[] = HEAD KEY("\3") KEY("\4");
	size_t one = sizeof(HEAD KEY("\3")) - 1;
	assert_int_equal(keys_in(two, 0, "is empty"), 0);
	for (size_t n = 2; n < 6; n++)
		assert_int_equal(keys_in(two, n, "holds no key"), 0);
	for (size_t n = 6; n < sizeof(two) - 1; n++)
		if (n != one && (n < one + 1 || n > one + 3)) /* up to three zeros are no beginning of anything */
			assert_int_equal(keys_in(two, n, "only a part of one"), 0);
}

static void what_is_no_keytab_is_refused(void **state)
{
	static const char writing[] = HEAD KEY("\3") "\0\0\0\0\0\2\0\1R";
	static const char huge[] = HEAD "\x7f\xff\xff\xff"
	                                "abc",
	                  least[] = HEAD "\x80\0\0\0"
	                                 "abc",
	                  old[] = "\5\1" KEY("\3");
	assert_int_equal(keys_in(writing, sizeof(writing) - 1, "only a part of one"), 0);
	assert_int_equal(keys_in(huge, sizeof(huge) - 1, "only a part of one"), 0);
	assert_int_equal(keys_in(least, sizeof(least) - 1, "only a part of one"), 0);
	assert_int_equal(keys_in(old, sizeof(old) - 1, "not a valid keytab"), 0);
	assert_int_equal(keys_in("hello", 5, "not a valid keytab"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(whole_files_are_read),
	        cmocka_unit_test(a_file_that_is_cut_off_is_refused),
	        cmocka_unit_test(what_is_no_keytab_is_refused),
	};
	int fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	setenv("KRB5_CONFIG", "/dev/null", 1);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
