/* The next password of the connector account: whose keys are meant, the keys themselves, and the file between the steps. */
#include "core/authd/rotation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct keytab_key key(const char *principal, uint32_t kvno, int32_t enctype, char fill)
{
	struct keytab_key k = {.principal = (char *)(uintptr_t)principal,
	                       .realm = strrchr(principal, '@') + 1,
	                       .kvno = kvno,
	                       .enctype = enctype,
	                       .secret_len = 16};
	memset(k.secret, fill, k.secret_len);
	return k;
}

static void names_of_one_account_have_one_key(void **state)
{
	struct keytab_key keys[] = {key("HTTP/a@R", 3, 18, 'o'),    key("HTTP/a@R", 4, 17, 'x'),
	                            key("HTTP/a@R", 4, 18, 'a'),    key("HTTP/b@R", 4, 18, 'a'),
	                            key("svc@R", 4, 18, 'a'),       key("HTTP/c@R", 4, 18, 'c'),
	                            key("HTTP/a@OTHER", 4, 18, 'a')};
	struct keytab_view v = {.keys = keys, .count = 7};
	struct rotation_names names;
	rotation_names_of(&v, "HTTP/a@R", &names);
	assert_int_equal(names.count, 3);
	assert_string_equal(names.at[0], "HTTP/a@R");
	assert_string_equal(names.at[2], "svc@R");
	assert_ptr_equal(rotation_newest(&v, "HTTP/a@R"), &keys[2]);
	assert_null(rotation_newest(&v, "nobody@R"));
}

static void a_service_must_be_clear(void **state)
{
	struct keytab_key keys[] = {key("svc@R", 4, 18, 'a'), key("HTTP/a@R", 4, 18, 'a'), key("HTTP/b@R", 4, 18, 'a'),
	                            key("HTTP/c@R", 1, 18, 'c')};
	struct keytab_view v = {.keys = keys, .count = 3};
	char problem[KEYTAB_PROBLEM_BYTES];
	assert_string_equal(rotation_service(&v, NULL, problem), "HTTP/a@R");
	assert_string_equal(rotation_service(&v, "http/B", problem), "HTTP/b@R");
	assert_null(rotation_service(&v, "HTTP/", problem));
	v.count = 4;
	assert_null(rotation_service(&v, NULL, problem));
	assert_non_null(strstr(problem, "--service"));
	assert_string_equal(rotation_service(&v, "HTTP/c@R", problem), "HTTP/c@R");
	v.count = 1;
	assert_null(rotation_service(&v, NULL, problem));
	assert_non_null(strstr(problem, "no key of HTTP/NAME"));
}

/* As RFC 3962, appendix B, says it; computed with another library, which gives that document's own keys for its fewer rounds. */
static void keys_are_those_that_a_controller_makes(void **state)
{
	static const uint8_t aes256[] = {0x01, 0xb8, 0x97, 0x12, 0x1d, 0x93, 0x3a, 0xb4, 0x4b, 0x47, 0xeb,
	                                 0x54, 0x94, 0xdb, 0x15, 0xe5, 0x0e, 0xb7, 0x45, 0x30, 0xdb, 0xda,
	                                 0xe9, 0xb6, 0x34, 0xd6, 0x50, 0x20, 0xff, 0x5d, 0x88, 0xc1};
	static const uint8_t aes128[] = {0xfc, 0xa8, 0x22, 0x95, 0x18, 0x13, 0xfb, 0x25,
	                                 0x21, 0x54, 0xc8, 0x83, 0xf5, 0xee, 0x1c, 0xf4};
	/* MD4 of the password in UTF-16, and no salt: [MS-NLMP] NTOWFv1. */
	static const uint8_t rc4[] = {0x88, 0x46, 0xf7, 0xea, 0xee, 0x8f, 0xb1, 0x17,
	                              0xad, 0x06, 0xbd, 0xd8, 0x30, 0xb7, 0x58, 0x6c};
	static const int32_t kinds[] = {18, 17, 23};
	struct kdc_salt salts[2] = {
	        {.salt = "ATHENA.MIT.EDUraeburn", .parameters = {0, 0, 0x10, 0}, .has_parameters = true},
	        {.salt = "OTHER"}};
	struct rotation_names names = {.at = {"HTTP/a@R", "svc@R"}, .count = 2};
	struct keytab_key *out = calloc(ROTATION_KEYS_MAX, sizeof(*out));
	char problem[KEYTAB_PROBLEM_BYTES];
	assert_non_null(out);
	size_t count = rotation_keys(&names, 7, "password", salts, 1, kinds, 3, out, problem);
	if (!count)
		fail_msg("%s", problem);
	assert_int_equal(count, 6);
	assert_int_equal(out[0].kvno, 7);
	assert_string_equal(out[1].principal, "svc@R");
	assert_memory_equal(out[1].secret, aes256, 32);
	assert_memory_equal(out[2].secret, aes128, 16);
	assert_memory_equal(out[4].secret, rc4, 16);
	assert_int_equal(rotation_keys(&names, 7, "password", salts, 2, kinds, 3, out, problem), 12);
	assert_memory_not_equal(out[6].secret, aes256, 32);
	free(out);
}

static void passwords_are_long_mixed_and_different(void **state)
{
	char one[KDC_PASSWORD_BYTES], two[KDC_PASSWORD_BYTES];
	assert_true(rotation_password(one) && rotation_password(two));
	assert_string_not_equal(one, two);
	assert_int_equal(strlen(one), 64);
	assert_int_equal(strcspn(one, "0123456789") < 64, 1);
	assert_int_equal(strcspn(one, "abcdefghijklmnopqrstuvwxyz") < 64, 1);
	assert_int_equal(strcspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") < 64, 1);
}

static void the_file_between_the_steps_is_strict(void **state)
{
	char keytab[] = "/tmp/test_rotation_XXXXXX", path[4200], problem[KEYTAB_PROBLEM_BYTES];
	int fd = mkstemp(keytab);
	assert_true(fd >= 0);
	close(fd);
	rotation_path(keytab, path);
	struct rotation r = {.account = "svc@R",
	                     .service = "HTTP/a@R",
	                     .kvno = 9,
	                     .fingerprint = "abc",
	                     .password = "geheim"},
	                got;
	struct stat st;
	assert_false(rotation_read(keytab, &got, problem));
	assert_string_equal(problem, "");
	assert_true(rotation_write(keytab, &r, problem));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(rotation_read(keytab, &got, problem));
	assert_string_equal(got.password, "geheim");
	assert_int_equal(got.kvno, 9);
	assert_false(got.verified);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("{\"version\": 1, \"account\": \"svc@R\", \"kvno\": 9}", f);
	fclose(f);
	assert_false(rotation_read(keytab, &got, problem));
	assert_non_null(strstr(problem, "cannot be read"));
	rotation_remove(keytab);
	assert_int_not_equal(access(path, F_OK), 0);
	unlink(keytab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_of_one_account_have_one_key),
	        cmocka_unit_test(a_service_must_be_clear),
	        cmocka_unit_test(keys_are_those_that_a_controller_makes),
	        cmocka_unit_test(passwords_are_long_mixed_and_different),
	        cmocka_unit_test(the_file_between_the_steps_is_strict),
	};
	setenv("KRB5_CONFIG", "/dev/null", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
