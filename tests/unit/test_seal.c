/* B04: sealed files, and the secrets in them. */
#include "core/cloud/secret.h"
#include "core/cloud/secret_key.h"
#include "core/cloud/token_roles.h"
#include "core/crypto/crypto.h"
#include "core/crypto/seal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static uint8_t file[SEAL_FILE_MAX], plain[SEAL_PLAIN_MAX];
static struct seal_seen seen;
static size_t len;

static struct seal_key key_of(uint8_t byte)
{
	struct seal_key k;
	memset(k.bytes, byte, sizeof(k.bytes));
	seal_key_name(&k);
	return k;
}

static enum seal_result open_it(const struct seal_key *k, const char *label, const void *bytes, size_t n)
{
	return seal_open(k, slice_str(label), slice_of(bytes, n), plain, &len, &seen);
}

static void any_bytes_come_back(void **state)
{
	struct seal_key k = key_of(1);
	char secret[256];
	for (int i = 0; i < 256; i++)
		secret[i] = (char)i;
	size_t n = seal_make(&k, SLICE("a.b"), slice_of(secret, sizeof(secret)), file);
	assert_int_equal(n, 8 + 1 + 1 + 3 + 8 + 12 + 256 + 16);
	assert_int_equal(open_it(&k, "a.b", file, n), SEAL_OPENED);
	assert_int_equal(len, 256);
	assert_memory_equal(plain, secret, 256);
	assert_null(memmem(file, n, secret + 32, 8));
	/* Twice the same secret is not the same file. */
	uint8_t again[SEAL_FILE_MAX];
	assert_int_equal(seal_make(&k, SLICE("a.b"), slice_of(secret, sizeof(secret)), again), n);
	assert_memory_not_equal(file, again, n);
}

static void each_way_to_be_wrong_has_its_own_result(void **state)
{
	struct seal_key k = key_of(1), other = key_of(2);
	size_t n = seal_make(&k, SLICE("credentials.a.secret_file"), SLICE("secret"), file);
	assert_int_equal(open_it(&other, "credentials.a.secret_file", file, n), SEAL_OTHER_KEY);
	assert_int_equal(open_it(&k, "credentials.b.secret_file", file, n), SEAL_OTHER_LABEL);
	assert_string_equal(seen.label, "credentials.a.secret_file");
	assert_int_equal(open_it(&k, "credentials.a.secret_file", file, 20), SEAL_CUT);
	uint8_t newer[SEAL_FILE_MAX];
	memcpy(newer, file, n);
	newer[8] = 2;
	assert_int_equal(open_it(&k, "credentials.a.secret_file", newer, n), SEAL_VERSION);
	/* A name that was changed in the file, so that it fits here. */
	memcpy(newer, file, n);
	newer[10 + 12] = 'b';
	assert_int_equal(open_it(&k, "credentials.b.secret_file", newer, n), SEAL_DAMAGED);
}

static void no_bit_can_be_changed_and_no_byte_left_out(void **state)
{
	struct seal_key k = key_of(7);
	size_t n = seal_make(&k, SLICE("x"), SLICE("a secret of some length"), file);
	for (size_t i = 0; i < n * 8; i++) {
		file[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_not_equal(open_it(&k, "x", file, n), SEAL_OPENED);
		assert_int_equal(len, 0);
		file[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(open_it(&k, "x", file, i), SEAL_OPENED);
	assert_int_equal(open_it(&k, "x", file, n), SEAL_OPENED);
}

static void what_cannot_be_sealed_is_not(void **state)
{
	struct seal_key k = key_of(7);
	static char large[SEAL_PLAIN_MAX + 1], name[SEAL_LABEL_MAX + 1];
	memset(name, 'n', sizeof(name));
	assert_int_equal(seal_make(&k, SLICE(""), SLICE("a"), file), 0);
	assert_int_equal(seal_make(&k, SLICE("a b"), SLICE("a"), file), 0);
	assert_int_equal(seal_make(&k, slice_of(name, sizeof(name)), SLICE("a"), file), 0);
	assert_int_equal(seal_make(&k, SLICE("a"), SLICE(""), file), 0);
	assert_int_equal(seal_make(&k, SLICE("a"), slice_of(large, sizeof(large)), file), 0);
	assert_int_equal(seal_make(&k, slice_of(name, SEAL_LABEL_MAX), slice_of(large, SEAL_PLAIN_MAX), file),
	                 SEAL_FILE_MAX);
}

/* ---- files ---- */

static char tenant[] = "tenant", another[] = "other";

struct here {
	char folder[64], path[128], key[128];
	struct settings *settings;
	struct credential_settings credential;
	struct secret_place place;
};

static int make_here(void **state)
{
	struct here *h = calloc(1, sizeof(*h));
	snprintf(h->folder, sizeof(h->folder), "/tmp/rms-seal-XXXXXX");
	assert_non_null(mkdtemp(h->folder));
	snprintf(h->path, sizeof(h->path), "%s/secret", h->folder);
	snprintf(h->key, sizeof(h->key), "%s/secrets.key", h->folder);
	h->settings = settings_new();
	assert_true(settings_set_text(h->settings, SETTING_node_state_directory, h->folder, strlen(h->folder)));
	h->credential =
	        (struct credential_settings){.name = tenant, .kind = CREDENTIAL_OAUTH2_SECRET, .secret_file = h->path};
	h->place = secret_place(h->settings, &h->credential);
	unsetenv("CREDENTIALS_DIRECTORY");
	*state = h;
	return 0;
}

static int end_here(void **state)
{
	struct here *h = *state;
	unlink(h->path);
	unlink(h->key);
	rmdir(h->folder);
	settings_free(h->settings);
	free(h);
	return 0;
}

static void put(const char *path, const void *bytes, size_t n, mode_t mode)
{
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	close(fd);
}

static void refused(struct here *h, enum err_code code, const char *words)
{
	struct secret s = {0};
	struct err e = secret_read(&h->place, &s);
	assert_int_equal(e.code, code);
	assert_null(s.bytes);
	if (!strstr(e.what, words) || !strstr(e.what, h->folder))
		fail_msg("\"%s\" does not say \"%s\"", e.what, words);
}

static void a_secret_is_sealed_with_a_key_that_is_made_for_it(void **state)
{
	struct here *h = *state;
	struct secret s;
	struct stat st;
	bool made = false;
	refused(h, ERR_SECRET_GONE, "upstream credential set tenant");
	assert_int_equal(secret_write(&h->place, SLICE("with\0any\r\n"), &made).code, ERR_NONE);
	assert_true(made);
	assert_true(stat(h->key, &st) == 0 && (st.st_mode & 0777) == 0600 && st.st_size == 32);
	assert_true(stat(h->path, &st) == 0 && (st.st_mode & 0777) == 0600);
	assert_int_equal(secret_read(&h->place, &s).code, ERR_NONE);
	assert_true(s.sealed && slice_equal(secret_slice(&s), SLICE("with\0any\r\n")));
	secret_done(&s);
	assert_int_equal(secret_write(&h->place, SLICE("second"), &made).code, ERR_NONE);
	assert_false(made);
	assert_int_equal(secret_read(&h->place, &s).code, ERR_NONE);
	assert_true(slice_equal(secret_slice(&s), SLICE("second")));
	secret_done(&s);
}

static void a_key_that_is_gone_or_no_key_is_told(void **state)
{
	struct here *h = *state;
	bool made;
	char zeros[40] = {0};
	assert_int_equal(secret_write(&h->place, SLICE("a"), &made).code, ERR_NONE);
	unlink(h->key);
	refused(h, ERR_SECRET_GONE, "the key of this node's sealed secrets is not there");
	put(h->key, zeros, 32, 0600);
	refused(h, ERR_SECRET_GONE, "sealed with another key");
	put(h->key, zeros, 31, 0600);
	refused(h, ERR_SECRET_GONE, "shorter than the 32 bytes");
	put(h->key, zeros, 33, 0600);
	refused(h, ERR_SECRET_GONE, "longer than the 32 bytes");
	put(h->key, zeros, 32, 0604);
	refused(h, ERR_SECRET_GONE, "everybody may read this key");
}

static void another_credentials_file_and_a_damaged_one_are_told(void **state)
{
	struct here *h = *state;
	struct credential_settings other = h->credential;
	other.name = another;
	struct secret_place elsewhere = secret_place(h->settings, &other);
	bool made;
	assert_int_equal(secret_write(&elsewhere, SLICE("a"), &made).code, ERR_NONE);
	refused(h, ERR_SECRET_GONE, "sealed as credentials.other.secret_file");
	assert_int_equal(secret_write(&h->place, SLICE("a"), &made).code, ERR_NONE);
	assert_int_equal(truncate(h->path, 30), 0);
	refused(h, ERR_SECRET_GONE, "the end of this sealed file is missing");
	assert_int_equal(secret_write(&h->place, SLICE("a"), &made).code, ERR_NONE);
	int fd = open(h->path, O_WRONLY | O_CLOEXEC);
	assert_true(lseek(fd, -1, SEEK_END) > 0 && write(fd, "", 1) == 1);
	close(fd);
	struct secret s;
	if (secret_read(&h->place, &s).code == ERR_NONE) /* it ended with that byte by chance, once in 256 runs */
		secret_done(&s);
	else
		refused(h, ERR_SECRET_GONE, "damaged");
}

static void where_the_key_comes_from_has_an_order(void **state)
{
	struct here *h = *state;
	char path[SECRET_KEY_PATH_BYTES], mounted[128], systemd[128];
	snprintf(mounted, sizeof(mounted), "%s/mounted", h->folder);
	snprintf(systemd, sizeof(systemd), "%s/rms-connector-key", h->folder);
	assert_true(secret_key_path(h->settings, path));
	assert_string_equal(path, h->key);
	setenv("CREDENTIALS_DIRECTORY", h->folder, 1);
	assert_true(secret_key_path(h->settings, path));
	assert_string_equal(path, h->key);
	put(systemd, "0123456789abcdef0123456789abcdef", 32, 0400);
	assert_true(secret_key_path(h->settings, path));
	assert_string_equal(path, systemd);
	assert_true(settings_set_text(h->settings, SETTING_node_secrets_key_file, mounted, strlen(mounted)));
	assert_true(secret_key_path(h->settings, path));
	assert_string_equal(path, mounted);
	unlink(systemd);
	assert_true(settings_set_text(h->settings, SETTING_node_secrets_key_file, "", 0));
	assert_true(settings_set_text(h->settings, SETTING_node_state_directory, "", 0));
	assert_false(secret_key_path(h->settings, path));
}

static void a_plain_secret_is_read_as_it_always_was(void **state)
{
	struct here *h = *state;
	struct secret s;
	put(h->path, "a b\xff\r\n", 6, 0600);
	assert_int_equal(secret_read(&h->place, &s).code, ERR_NONE);
	assert_true(!s.sealed && slice_equal(secret_slice(&s), SLICE("a b\xff")));
	secret_done(&s);
	put(h->path, "\n", 1, 0600);
	refused(h, ERR_FILE, "empty");
	put(h->path, "a", 1, 0604);
	refused(h, ERR_FILE, "everybody may read");
	static char large[SECRET_BYTES_MAX + 200];
	memset(large, 'x', sizeof(large));
	put(h->path, large, sizeof(large), 0600);
	refused(h, ERR_FILE, "longer than a secret can be");
}

/* ---- what a token may do ---- */

static void excess(const char *claims, bool only_exchange, const char *want)
{
	char token[1200], middle[800], out[TOKEN_EXCESS_BYTES];
	size_t n = crypto_base64_encode(claims, strlen(claims), middle);
	while (n && middle[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		middle[i] = middle[i] == '+' ? '-' : middle[i] == '/' ? '_' : middle[i];
	snprintf(token, sizeof(token), "e30.%.*s.c2ln", (int)n, middle);
	token_excess(token, only_exchange, out);
	assert_string_equal(out, want);
}

/* B08 */
static void permissions_beyond_need_are_named(void **state)
{
	char out[TOKEN_EXCESS_BYTES];
	excess("{\"roles\":[\"Content.Writer\"]}", false, "");
	excess("{\"roles\":[\"Content.SuperUser\",\"Content.Writer\"]}", true, "");
	excess("{\"roles\":[\"Content.SuperUser\",\"Content.Writer\"]}", false, "Content.SuperUser");
	excess("{\"roles\":[\"Directory.ReadWrite.All\",\"User.Read\\u0007\"]}", true,
	       "Directory.ReadWrite.All, User.Read?");
	excess("{\"roles\":\"Content.SuperUser\"}", false, "");
	excess("{\"roles\":[7,null,[]]}", false, "");
	excess("[]", false, "");
	excess("not JSON ~~~???", false, "");
	static const char *const opaque[] = {"", "token-1", "a.b", "a..b", "a.*.b", "....", "a.eyJ.b"};
	for (size_t i = 0; i < sizeof(opaque) / sizeof(opaque[0]); i++) {
		token_excess(opaque[i], false, out);
		assert_string_equal(out, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(any_bytes_come_back),
	        cmocka_unit_test(each_way_to_be_wrong_has_its_own_result),
	        cmocka_unit_test(no_bit_can_be_changed_and_no_byte_left_out),
	        cmocka_unit_test(what_cannot_be_sealed_is_not),
	        cmocka_unit_test_setup_teardown(a_secret_is_sealed_with_a_key_that_is_made_for_it, make_here, end_here),
	        cmocka_unit_test_setup_teardown(a_key_that_is_gone_or_no_key_is_told, make_here, end_here),
	        cmocka_unit_test_setup_teardown(another_credentials_file_and_a_damaged_one_are_told, make_here,
	                                        end_here),
	        cmocka_unit_test_setup_teardown(where_the_key_comes_from_has_an_order, make_here, end_here),
	        cmocka_unit_test_setup_teardown(a_plain_secret_is_read_as_it_always_was, make_here, end_here),
	        cmocka_unit_test(permissions_beyond_need_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
