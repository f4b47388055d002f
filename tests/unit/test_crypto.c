#include "core/crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct crypto_key *key; /* made once: it takes a while */

static int make_key(void **state)
{
	return crypto_key_make(&key).code ? -1 : 0;
}

static int free_key(void **state)
{
	crypto_key_free(key);
	return 0;
}

static void sha256_matches_the_published_vectors(void **state)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
	        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t digest[CRYPTO_SHA256_BYTES];
		char hex[2 * CRYPTO_SHA256_BYTES + 1];
		crypto_sha256(slice_str(cases[i].text), digest);
		crypto_hex(digest, sizeof digest, hex);
		assert_string_equal(hex, cases[i].hex);
		struct crypto_sha256 running;
		crypto_sha256_start(&running);
		for (const char *c = cases[i].text; *c; c++)
			crypto_sha256_add(&running, c, 1);
		crypto_sha256_end(&running, digest);
		crypto_hex(digest, sizeof digest, hex);
		assert_string_equal(hex, cases[i].hex);
	}
}

static void random_bytes_differ_each_time(void **state)
{
	uint8_t a[32] = {0}, b[32] = {0};
	crypto_random(a, sizeof a);
	crypto_random(b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
}

static void base64_round_trips_and_is_strict(void **state)
{
	static const struct {
		const char *plain, *text;
	} good[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char text[16];
		uint8_t back[16];
		size_t n = strlen(good[i].plain), back_len = 99;
		assert_int_equal(crypto_base64_encode(good[i].plain, n, text), crypto_base64_len(n));
		assert_string_equal(text, good[i].text);
		assert_true(crypto_base64_decode(slice_str(text), back, sizeof back, &back_len));
		assert_int_equal(back_len, n);
		assert_memory_equal(back, good[i].plain, n);
	}
	static const char *bad[] = {"Z", "Zg", "Zg=", "Zg==\n", " Zg==", "Z===", "Zh==", "Zm9v!AAA", "Zg==Zg=="};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		uint8_t back[16];
		size_t back_len;
		assert_false(crypto_base64_decode(slice_str(bad[i]), back, sizeof back, &back_len));
	}
	uint8_t small[2];
	size_t n;
	assert_false(crypto_base64_decode(SLICE("Zm9v"), small, sizeof small, &n));
}

static void base64_decodes_into_exactly_the_room_it_needs(void **state)
{
	uint8_t digest[CRYPTO_SHA256_BYTES] = {1, 2, 3}, back[CRYPTO_SHA256_BYTES];
	char text[64];
	size_t n;
	crypto_base64_encode(digest, sizeof digest, text);
	assert_true(crypto_base64_decode(slice_str(text), back, sizeof back, &n));
	assert_int_equal(n, sizeof back);
	assert_memory_equal(back, digest, sizeof back);
}

static void a_signature_verifies_and_a_changed_bit_does_not(void **state)
{
	uint8_t digest[CRYPTO_SHA256_BYTES], signature[CRYPTO_RSA_BYTES];
	crypto_sha256(SLICE("text"), digest);
	assert_true(crypto_key_sign(key, digest, signature));
	assert_true(crypto_key_verify(key, digest, signature, sizeof signature));
	digest[31] ^= 1;
	assert_false(crypto_key_verify(key, digest, signature, sizeof signature));
	digest[31] ^= 1;
	signature[128] ^= 4;
	assert_false(crypto_key_verify(key, digest, signature, sizeof signature));
	signature[128] ^= 4;
	assert_false(crypto_key_verify(key, digest, signature, sizeof signature - 1));
}

static void the_public_half_verifies_but_cannot_sign(void **state)
{
	uint8_t modulus[CRYPTO_RSA_BYTES], digest[CRYPTO_SHA256_BYTES] = {7}, signature[CRYPTO_RSA_BYTES];
	struct crypto_key *public;
	crypto_key_modulus(key, modulus);
	assert_true(crypto_key_public(modulus, crypto_key_exponent(key), &public));
	assert_true(crypto_key_sign(key, digest, signature));
	assert_true(crypto_key_verify(public, digest, signature, sizeof signature));
	assert_false(crypto_key_sign(public, digest, signature));
	crypto_key_free(public);
	memset(modulus, 0, sizeof modulus);
	assert_false(crypto_key_public(modulus, 65537, &public));
}

static void a_saved_key_loads_and_is_private(void **state)
{
	char folder[] = "/tmp/test_crypto_XXXXXX", file[64];
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof file, "%s/key.pem", folder);
	assert_int_equal(crypto_key_save(key, file).code, ERR_NONE);
	struct stat st;
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	struct crypto_key *again;
	assert_int_equal(crypto_key_load(file, &again).code, ERR_NONE);
	uint8_t digest[CRYPTO_SHA256_BYTES] = {9}, signature[CRYPTO_RSA_BYTES];
	assert_true(crypto_key_sign(again, digest, signature));
	assert_true(crypto_key_verify(key, digest, signature, sizeof signature));
	crypto_key_free(again);
	struct err e = crypto_key_save(key, file);
	assert_int_equal(e.code, ERR_FILE);
	assert_non_null(strstr(e.what, file));
	unlink(file);
	rmdir(folder);
}

static void a_file_without_a_usable_key_is_refused_by_name(void **state)
{
	char file[] = "/tmp/test_crypto_XXXXXX";
	int fd = mkstemp(file);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "junk\n", 5), 5);
	close(fd);
	struct crypto_key *none = NULL;
	struct err e = crypto_key_load(file, &none);
	assert_int_equal(e.code, ERR_FILE);
	assert_non_null(strstr(e.what, file));
	unlink(file);
	e = crypto_key_load(file, &none);
	assert_int_equal(e.code, ERR_FILE);
	assert_non_null(strstr(e.what, "No such file"));
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(sha256_matches_the_published_vectors),
	        cmocka_unit_test(random_bytes_differ_each_time),
	        cmocka_unit_test(base64_round_trips_and_is_strict),
	        cmocka_unit_test(base64_decodes_into_exactly_the_room_it_needs),
	        cmocka_unit_test(a_signature_verifies_and_a_changed_bit_does_not),
	        cmocka_unit_test(the_public_half_verifies_but_cannot_sign),
	        cmocka_unit_test(a_saved_key_loads_and_is_private),
	        cmocka_unit_test(a_file_without_a_usable_key_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, make_key, free_key);
}
