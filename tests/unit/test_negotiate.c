/* Authorization values to scheme, kind and token (E01, E05): what SPNEGO wraps, and what it may not be. */
#include "core/base/check.h"
#include "proto/base64.h"
#include "proto/negotiate.h"
#include "proto/spnego.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define SPNEGO_OID "\x06\x06\x2b\x06\x01\x05\x05\x02"
#define KRB5       "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
#define MS_KRB5    "\x06\x09\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"
#define NTLM       "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"
#define NEGOEX     "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e"
#define NTLM_1     "NTLMSSP\0\1\0\0\0"

/* An element around the first n bytes of out, in place. */
static size_t wrap(char *out, int tag, size_t n)
{
	size_t head = n < 128 ? 2 : 4;
	memmove(out + head, out, n);
	out[0] = (char)tag;
	out[1] = n < 128 ? (char)n : (char)0x82;
	if (n >= 128) {
		out[2] = (char)(n >> 8);
		out[3] = (char)n;
	}
	return head + n;
}

/* NegTokenInit with these mechanisms and token. */
static size_t make_init(struct slice mechs, struct slice token, char *out)
{
	char fields[512];
	memcpy(fields, mechs.at, mechs.len);
	size_t n = wrap(fields, 0xa0, wrap(fields, 0x30, mechs.len));
	if (token.len) {
		memcpy(fields + n, token.at, token.len);
		n += wrap(fields + n, 0xa2, wrap(fields + n, 0x04, token.len));
	}
	n = wrap(fields, 0xa0, wrap(fields, 0x30, n));
	memcpy(out, SPNEGO_OID, 8);
	memcpy(out + 8, fields, n);
	return wrap(out, 0x60, 8 + n);
}

static const char *read_token(const char *word, struct slice token, struct negotiate_offer *offer)
{
	static char value[2048];
	size_t n = (size_t)sprintf(value, "%s ", word);
	n += base64_encode(token, value + n);
	return negotiate_read(slice_of(value, n), value, offer); /* in place */
}

static void tokens_are_told_apart(void **state)
{
	static const struct {
		const char *name, *word;
		struct slice mechs, token; /* no mechs: the token as it is */
		enum negotiate_kind kind;
		uint32_t ntlm_type;
	} cases[] = {
	        {"Windows", "Negotiate", SLICE(MS_KRB5 KRB5 NEGOEX NTLM), SLICE("ap-req"), TOKEN_KERBEROS, 0},
	        {"curl", "Negotiate", SLICE(KRB5), SLICE("ap-req"), TOKEN_KERBEROS, 0},
	        {"any case", "nEGOTIATE", SLICE(KRB5), SLICE("ap-req"), TOKEN_KERBEROS, 0},
	        {"Kerberos bare", "Negotiate", SLICE(""), SLICE("\x60\x0d" KRB5 "\1\0"), TOKEN_KERBEROS, 0},
	        {"NTLM in SPNEGO", "Negotiate", SLICE(NTLM), SLICE(NTLM_1), TOKEN_SPNEGO_NTLM, 1},
	        {"NTLM first of two", "Negotiate", SLICE(NTLM KRB5), SLICE(NTLM_1), TOKEN_SPNEGO_NTLM, 1},
	        {"NEGOEX first", "Negotiate", SLICE(NEGOEX NTLM), SLICE("NEGOEXTS"), TOKEN_SPNEGO_OTHER, 0},
	        {"NTLM under Negotiate", "Negotiate", SLICE(""), SLICE(NTLM_1), TOKEN_NTLM, 1},
	        {"NTLM", "NTLM", SLICE(""), SLICE("NTLMSSP\0\3\0\0\0 rest"), TOKEN_NTLM, 3},
	        {"NTLM of no type", "NTLM", SLICE(""), SLICE("NTLMSSP\0\4\0\0\0"), TOKEN_UNKNOWN, 0},
	        {"SPNEGO under NTLM", "NTLM", SLICE(KRB5), SLICE("ap-req"), TOKEN_UNKNOWN, 0},
	        {"later leg", "Negotiate", SLICE(""), SLICE("\xa1\x12\x30\x10\xa2\x0e\x04\x0cNTLMSSP\0\3\0\0\0"),
	         TOKEN_SPNEGO_NEXT, 3},
	        {"garbage", "Negotiate", SLICE(""), SLICE("\x60\x03\x06\x01"), TOKEN_UNKNOWN, 0},
	        {"a letter", "Negotiate", SLICE(""), SLICE("x"), TOKEN_UNKNOWN, 0},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char made[512];
		struct slice token = cases[i].token;
		struct negotiate_offer offer;
		if (cases[i].mechs.len)
			token = slice_of(made, make_init(cases[i].mechs, cases[i].token, made));
		const char *wrong = read_token(cases[i].word, token, &offer);
		if (wrong || offer.kind != cases[i].kind || offer.ntlm_type != cases[i].ntlm_type ||
		    !slice_equal(offer.token, token))
			fail_msg("%s: %s, kind %d, type %u", cases[i].name, wrong ? wrong : "read", (int)offer.kind,
			         offer.ntlm_type);
		assert_int_equal(offer.scheme, strcmp(cases[i].word, "NTLM") ? SCHEME_NEGOTIATE : SCHEME_NTLM);
	}
}

static void values_without_a_token_and_other_schemes_are_no_errors(void **state)
{
	static const struct {
		const char *value;
		enum negotiate_scheme scheme;
	} cases[] = {
	        {"Negotiate", SCHEME_NEGOTIATE},   {"NTLM", SCHEME_NTLM},        {"Negotiate  ", SCHEME_NEGOTIATE},
	        {"Basic dTpw", SCHEME_OTHER},      {"Bearer x.y", SCHEME_OTHER}, {"Negotiated x", SCHEME_OTHER},
	        {"Negotiate\tTlRM", SCHEME_OTHER},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct negotiate_offer offer;
		char room[64];
		assert_null(negotiate_read(slice_str(cases[i].value), room, &offer));
		assert_int_equal(offer.scheme, cases[i].scheme);
		assert_int_equal(offer.kind, TOKEN_NONE);
		assert_int_equal(offer.token.len, 0);
	}
}

static void values_that_are_not_base64_are_refused(void **state)
{
	static const char *const bad[] = {"",
	                                  " Negotiate",
	                                  "Negotiate x",
	                                  "Negotiate TlRM TlRM",
	                                  "Negotiate TlRM, NTLM TlRM",
	                                  "Negotiate TlR=x",
	                                  "Negotiate TlRM=",
	                                  "NTLM TlRM\n",
	                                  "Negotiate token=TlRM"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct negotiate_offer offer;
		char room[64];
		if (!negotiate_read(slice_str(bad[i]), room, &offer))
			fail_msg("'%s' was accepted", bad[i]);
	}
}

/* E11: 48,000 bytes are what Windows allows itself; 64 KiB are our bound. */
static void tokens_have_a_bound(void **state)
{
	static const struct {
		size_t bytes;
		bool good;
	} cases[] = {{48000, true},
	             {NEGOTIATE_TOKEN_BYTES, true},
	             {NEGOTIATE_TOKEN_BYTES + 1, false},
	             {NEGOTIATE_TOKEN_BYTES + 9, false}};
	char *big = calloc(1, NEGOTIATE_TOKEN_BYTES + 9),
	     *value = malloc(negotiate_answer_len(NEGOTIATE_TOKEN_BYTES + 9));
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct negotiate_offer offer;
		size_t n = negotiate_answer(SCHEME_NEGOTIATE, slice_of(big, cases[i].bytes), value);
		assert_int_equal(n, negotiate_answer_len(cases[i].bytes));
		assert_int_equal(!negotiate_read(slice_of(value, n), value, &offer), cases[i].good);
	}
	free(big);
	free(value);
}

static void answers_are_a_word_and_a_token(void **state)
{
	char out[64];
	size_t n = negotiate_answer(SCHEME_NEGOTIATE, SLICE("foo"), out);
	assert_true(slice_equal(slice_of(out, n), SLICE("Negotiate Zm9v")));
	n = negotiate_answer(SCHEME_NTLM, SLICE(""), out);
	assert_true(slice_equal(slice_of(out, n), SLICE("NTLM")));
}

static void spnego_names_its_first_mechanism(void **state)
{
	char token[512];
	struct spnego inside;
	size_t n = make_init(SLICE(NTLM MS_KRB5), SLICE("inner"), token);
	assert_null(spnego_read(slice_of(token, n), &inside));
	assert_true(inside.begins && inside.mech == MECH_NTLM && inside.offers_kerberos);
	assert_true(slice_equal(inside.token, SLICE("inner")));
	n = make_init(SLICE(NTLM NEGOEX), SLICE(""), token);
	assert_null(spnego_read(slice_of(token, n), &inside));
	assert_true(!inside.offers_kerberos && inside.token.len == 0);
}

static void spnego_is_read_within_its_frame(void **state)
{
	char token[512], copy[512];
	struct spnego inside;
	size_t n = make_init(SLICE(MS_KRB5 KRB5), SLICE("inner"), token);
	for (size_t i = 0; i < n; i++)
		assert_non_null(spnego_read(slice_of(token, i), &inside)); /* cut */
	token[n] = 0;
	assert_non_null(spnego_read(slice_of(token, n + 1), &inside)); /* something behind it */
	for (size_t i = 0; i < n; i++) {                               /* every length longer than what follows */
		memcpy(copy, token, n);
		copy[i] = (char)0xff;
		(void)spnego_read(slice_of(copy, n), &inside);
		assert_true(inside.token.len == 0 ||
		            (inside.token.at >= copy && inside.token.at + inside.token.len <= copy + n));
	}
	char many[17 * 11];
	for (int i = 0; i < 17; i++)
		memcpy(many + i * 11, KRB5, 11);
	n = make_init(slice_of(many, sizeof(many)), SLICE(""), token);
	assert_non_null(spnego_read(slice_of(token, n), &inside));
	n = make_init(SLICE(""), SLICE("inner"), token);
	assert_non_null(spnego_read(slice_of(token, n), &inside)); /* an empty list */
	static const struct slice bad[] = {
	        {"\xa1\x80\x30\x00", 4},                              /* a length without an end */
	        {"\xa1\x84\0\0\0\2\x30\x00", 8},                      /* four bytes of length */
	        {"\xa1\x0a\x30\x08\xa2\x02\x04\0\xa2\x02\x04\0", 12}, /* a field twice */
	        {"\xa1\x06\x30\x04\xa4\x02\x04\0", 8},                /* a field too high */
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		assert_non_null(spnego_read(bad[i], &inside));
}

static void our_last_answer_is_spnego(void **state)
{
	static char token[70000], out[sizeof(token) + SPNEGO_ANSWER_EXTRA];
	static const size_t lengths[] = {0, 1, 100, 127, 128, 200, 255, 256, 300, 65535, 65536, 70000};
	struct slice oid = slice_from(SLICE(KRB5), 2);
	struct spnego inside;
	for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
		size_t n = spnego_accepted(oid, slice_of(token, lengths[i]), out);
		assert_true(n <= lengths[i] + SPNEGO_ANSWER_EXTRA);
		assert_null(spnego_read(slice_of(out, n), &inside));
		assert_false(inside.begins);
		assert_int_equal(inside.token.len, lengths[i]);
	}
	size_t n = spnego_accepted(oid, SLICE("x"), out);
	static const char whole[] = "\xa1\x19\x30\x17\xa0\3\x0a\1\0\xa1\x0b" KRB5 "\xa2\3\4\1x";
	assert_int_equal(n, sizeof(whole) - 1);
	assert_memory_equal(out, whole, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(tokens_are_told_apart),
	        cmocka_unit_test(values_without_a_token_and_other_schemes_are_no_errors),
	        cmocka_unit_test(values_that_are_not_base64_are_refused),
	        cmocka_unit_test(tokens_have_a_bound),
	        cmocka_unit_test(answers_are_a_word_and_a_token),
	        cmocka_unit_test(spnego_names_its_first_mechanism),
	        cmocka_unit_test(spnego_is_read_within_its_frame),
	        cmocka_unit_test(our_last_answer_is_spnego),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
