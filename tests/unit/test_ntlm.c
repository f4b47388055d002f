/* NTLMv2 against the published values of [MS-NLMP] 4.2.4, and challenges that are none. */
#include "bench/ntlm.h"
#include "core/base/check.h"
#include "core/crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define NONCE "\x01\x23\x45\x67\x89\xab\xcd\xef"
#define PAIRS                            \
	"\x02\0\x0c\0D\0o\0m\0a\0i\0n\0" \
	"\x01\0\x0c\0S\0e\0r\0v\0e\0r\0"
#define END  "\0\0\0\0"
#define TIME "\x07\0\x08\0\1\2\3\4\5\6\7\1"

static struct slice make_challenge(char out[512], struct slice info)
{
	memset(out, 0, 512);
	memcpy(out, "NTLMSSP\0\2\0\0\0", 12);
	memcpy(out + 20, "\x33\x82\x8a\xe2", 4);
	memcpy(out + 24, NONCE, 8);
	out[40] = out[42] = (char)info.len;
	out[44] = 56;
	memcpy(out + 56, info.at, info.len);
	return slice_of(out, 56 + info.len);
}

static struct slice field(struct text *m, size_t at)
{
	const uint8_t *f = (const uint8_t *)m->at + at;
	size_t len = f[0] | (size_t)f[1] << 8, from = f[4] | (size_t)f[5] << 8;
	assert_true(from + len <= m->len);
	return slice_of(m->at + from, len);
}

static void assert_hex(const void *bytes, size_t n, const char *wanted)
{
	char hex[129];
	crypto_hex(bytes, n, hex);
	assert_string_equal(hex, wanted);
}

static struct ntlm_account user(void)
{
	struct ntlm_account a;
	assert_null(ntlm_account_make(&a, "Domain\\User", SLICE("Password")));
	return a;
}

static void published_values_come_out(void **state)
{
	struct ntlm_account a = user();
	assert_hex(a.key, 16, "0c868a403bfd7a93a3001ef22ef02e3f"); /* 4.2.4.1.1 NTOWFv2 */
	char room[512];
	struct ntlm_challenge c;
	struct slice m = make_challenge(room, SLICE(PAIRS END));
	assert_null(ntlm_challenge_read(m, &c));
	struct ntlm_answer how = {.challenge = m};
	memset(how.nonce, 0xaa, sizeof(how.nonce));
	memset(how.session_key, 0x55, sizeof(how.session_key));
	struct text out = {0};
	assert_null(ntlm_authenticate(&a, &c, &how, &out));
	struct slice lm = field(&out, 12), nt = field(&out, 20), key = field(&out, 52);
	assert_hex(lm.at, lm.len, "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"); /* 4.2.4.2.1 */
	assert_hex(nt.at, 16, "68cd0ab851e51c96aabc927bebef6a1c");                     /* 4.2.4.2.2 */
	assert_int_equal(nt.len, 84);
	assert_hex(key.at, key.len, "c5dad2544fc9799094ce1ce90bc9d03e"); /* 4.2.4.2.3 */
	assert_true(slice_equal(field(&out, 36), SLICE("U\0s\0e\0r\0")));
	text_free(&out);
}

static void a_server_that_names_its_time_gets_a_mic_over_all_messages(void **state)
{
	struct ntlm_account a = user();
	char room[512];
	struct ntlm_challenge c;
	struct slice m = make_challenge(room, SLICE(PAIRS TIME END));
	assert_null(ntlm_challenge_read(m, &c));
	struct text hello = {0}, out = {0};
	ntlm_negotiate(&hello);
	struct ntlm_answer how = {
	        .hello = text_slice(&hello), .challenge = m, .spn = "HTTP/a", .end_point = SLICE("hash")};
	memset(how.session_key, 0x55, sizeof(how.session_key));
	assert_null(ntlm_authenticate(&a, &c, &how, &out));
	struct slice nt = field(&out, 20);
	assert_non_null(memmem(nt.at, nt.len, "\x06\0\4\0\2\0\0\0\x0a\0\x10\0", 12));
	assert_non_null(memmem(nt.at, nt.len, "\x09\0\x0c\0H\0T\0T\0P\0/\0a\0\0\0\0\0", 20));
	struct slice lm = field(&out, 12);
	for (size_t i = 0; i < lm.len; i++)
		assert_int_equal(lm.at[i], 0);
	uint8_t mic[16], wanted[16];
	memcpy(mic, out.at + 72, 16);
	memset(out.at + 72, 0, 16);
	struct slice parts[] = {text_slice(&hello), m, text_slice(&out)};
	crypto_hmac_md5(how.session_key, parts, 3, wanted);
	assert_memory_equal(mic, wanted, 16);
	text_free(&hello);
	text_free(&out);
}

static void what_is_no_challenge_is_refused(void **state)
{
	char room[512];
	struct ntlm_challenge c;
	struct slice m = make_challenge(room, SLICE(PAIRS TIME END));
	for (size_t n = 0; n < m.len; n++)
		assert_non_null(ntlm_challenge_read(slice_until(m, n), &c));
	static const struct slice bad[] = {SLICE(PAIRS), SLICE(PAIRS TIME TIME END), SLICE("\x02\0\xff\0x" END),
	                                   SLICE("\x07\0\4\0abcd" END), SLICE(END "more")};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_non_null(ntlm_challenge_read(make_challenge(room, bad[i]), &c));
	m = make_challenge(room, SLICE(PAIRS END));
	room[8] = 3;
	assert_non_null(ntlm_challenge_read(m, &c));
	room[8] = 2;
	room[22] = 0; /* no attributes: version 1 */
	assert_non_null(ntlm_challenge_read(m, &c));
}

static void accounts_have_a_domain(void **state)
{
	struct ntlm_account a;
	assert_non_null(ntlm_account_make(&a, "User", SLICE("x")));
	assert_non_null(ntlm_account_make(&a, "\\User", SLICE("x")));
	assert_non_null(ntlm_account_make(&a, "D\\", SLICE("x")));
	assert_non_null(ntlm_account_make(&a, "D\\M\xc3\xbcller", SLICE("x")));
	assert_non_null(ntlm_account_make(&a, "D\\User", SLICE("\xff")));
	assert_null(ntlm_account_make(&a, "D\\User", SLICE("M\xc3\xbcller")));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	        cmocka_unit_test(published_values_come_out),
	        cmocka_unit_test(a_server_that_names_its_time_gets_a_mic_over_all_messages),
	        cmocka_unit_test(what_is_no_challenge_is_refused),
	        cmocka_unit_test(accounts_have_a_domain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
