#include "bench/xrml.h"

#include "bench/xrml_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct crypto_key *key, *other;

static int make_keys(void **state)
{
	return crypto_key_make(&key).code || crypto_key_make(&other).code ? -1 : 0;
}

static int free_keys(void **state)
{
	crypto_key_free(key);
	crypto_key_free(other);
	return 0;
}

static struct xrml_party party(const struct crypto_key *k, char modulus[static XRML_MODULUS_LEN + 1])
{
	xrml_modulus(k, modulus);
	return (struct xrml_party){.type = SLICE("MS-DRM-Server"),
	                           .id_type = SLICE("MS-GUID"),
	                           .id = SLICE("{96c0ffee-0001-4000-8000-000000000001}"),
	                           .name = SLICE("Contoso"),
	                           .address = SLICE("https://x.rms.na.aadrm.com/_wmcs"),
	                           .modulus = slice_of(modulus, XRML_MODULUS_LEN)};
}

static void make_licence(struct text *out, const struct crypto_key *signer, const struct crypto_key *named)
{
	char modulus[XRML_MODULUS_LEN + 1];
	struct xrml_party tenant = party(named, modulus);
	struct xrml_times times;
	xrml_times_make(&times, 1780000000ull * 1000000, 30);
	xrml_make_ul(out, &tenant, &tenant, SLICE("{23cf338e-e850-4f3f-89e1-c5951c9e951b}"), "OWNER", SLICE("seed"),
	             signer, &times);
}

static void what_was_signed_verifies(void **state)
{
	struct text t = {0};
	struct xrml x;
	size_t at = 0;
	make_licence(&t, key, key);
	assert_true(xrml_next(text_slice(&t), &at, &x));
	assert_int_equal(at, t.len);
	assert_int_equal(xrml_verify(&x, NULL), XRML_GOOD);
	assert_int_equal(xrml_verify(&x, key), XRML_GOOD);
	assert_int_equal(xrml_verify(&x, other), XRML_ISSUER_WRONG);
	assert_false(xrml_next(text_slice(&t), &at, &x));
	text_free(&t);
}

static void the_parts_of_a_licence_are_found(void **state)
{
	struct text t = {0};
	struct xrml x;
	size_t at = 0;
	make_licence(&t, key, key);
	assert_true(xrml_next(text_slice(&t), &at, &x));
	assert_true(slice_equal(x.type, SLICE("Content-License")));
	assert_true(slice_equal(x.work_guid, SLICE("{23cf338e-e850-4f3f-89e1-c5951c9e951b}")));
	assert_true(slice_equal(x.issuer_name, SLICE("Contoso")));
	assert_true(slice_equal(x.subject_id, SLICE("{96c0ffee-0001-4000-8000-000000000001}")));
	assert_int_equal(x.subject_modulus.len, XRML_MODULUS_LEN);
	assert_true(slice_equal(x.until, SLICE("2026-06-27T20:26")));
	struct crypto_key *subject;
	assert_true(xrml_subject_key(&x, &subject));
	crypto_key_free(subject);
	text_free(&t);
}

/* The oracle of every byte-exact relay test: no byte of a signed element may change unnoticed. */
static void every_changed_byte_is_noticed(void **state)
{
	struct text t = {0};
	make_licence(&t, key, key);
	size_t head = strlen("<XrML xmlns=\"\" version=\"1.2\">");
	for (size_t i = 0; i < t.len; i++) {
		size_t count, wrong;
		t.at[i] ^= 1;
		bool good = xrml_verify_all(text_slice(&t), key, &count, &wrong);
		/* Attributes of XrML itself are not signed; a broken tag shows because the element is gone. */
		if (i < 5 || (i >= head && i < t.len - 1))
			assert_false(good);
		t.at[i] ^= 1;
	}
	text_free(&t);
}

static void a_lost_or_doubled_byte_is_noticed(void **state)
{
	struct text t = {0}, cut = {0};
	make_licence(&t, key, key);
	for (size_t i = 40; i < t.len - 8; i += 97) {
		size_t count, wrong;
		text_clear(&cut);
		text_add(&cut, slice_of(t.at, i));
		text_add(&cut, slice_of(t.at + i + 1, t.len - i - 1));
		assert_false(xrml_verify_all(text_slice(&cut), key, &count, &wrong));
		text_clear(&cut);
		text_add(&cut, slice_of(t.at, i + 1));
		text_add(&cut, slice_of(t.at + i, t.len - i));
		assert_false(xrml_verify_all(text_slice(&cut), key, &count, &wrong));
	}
	text_free(&t);
	text_free(&cut);
}

static void a_licence_of_another_tenant_is_wrong(void **state)
{
	struct text t = {0};
	size_t count, wrong;
	make_licence(&t, other, other);
	assert_true(xrml_verify_all(text_slice(&t), NULL, &count, &wrong));
	assert_false(xrml_verify_all(text_slice(&t), key, &count, &wrong));
	assert_int_equal(count, 1);
	assert_int_equal(wrong, 1);
	text_clear(&t);
	make_licence(&t, other, key); /* names the tenant, but was signed by somebody else */
	assert_false(xrml_verify_all(text_slice(&t), NULL, &count, &wrong));
	assert_false(xrml_verify_all(text_slice(&t), key, &count, &wrong));
	text_free(&t);
}

static void escaped_templates_are_verified_too(void **state)
{
	struct text t = {0}, answer = {0};
	char modulus[XRML_MODULUS_LEN + 1];
	struct xrml_party tenant = party(key, modulus);
	struct xrml_times times;
	size_t count, wrong;
	xrml_times_make(&times, 1780000000ull * 1000000, 30);
	xrml_make_template(&t, &tenant, SLICE("{23cf338e-e850-4f3f-89e1-c5951c9e951b}"), "Staff", key, &times);
	text_add_str(&answer, "<GuidTemplate><Template>");
	text_add_escaped(&answer, text_slice(&t));
	text_add_str(&answer, "</Template></GuidTemplate><GuidTemplate><Template>");
	text_add_escaped(&answer, text_slice(&t));
	text_add_str(&answer, "</Template></GuidTemplate>");
	assert_true(xrml_verify_all(text_slice(&answer), key, &count, &wrong));
	assert_int_equal(count, 2);
	char *name = memmem(answer.at + answer.len / 2, answer.len / 2, "Staff", 5);
	assert_non_null(name);
	*name = 's';
	assert_false(xrml_verify_all(text_slice(&answer), key, &count, &wrong));
	assert_int_equal(wrong, 1);
	text_free(&t);
	text_free(&answer);
}

static void junk_is_no_signed_element(void **state)
{
	static const char *const cases[] = {
	        "",
	        "<",
	        "<XrML",
	        "<XrML>",
	        "<XrML/>",
	        "<XrML></XrML>",
	        "<XrML><BODY></BODY></XrML>",
	        "<XrML><BODY type=\"x></BODY><SIGNATURE></SIGNATURE></XrML>",
	        "<XrML><BODY><ISSUER><PUBLICKEY>name=\"modulus\"><VALUE></PUBLICKEY></BODY></XrML>",
	        "<Template></Template>",
	        "<Template>&lt;XrML&gt;</Template>",
	        "<Template>&lt;XrML&#0;&#x;&#999999999999;&</Template>",
	        "</XrML><XrML>",
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t count, wrong;
		assert_false(xrml_verify_all(slice_str(cases[i]), key, &count, &wrong));
	}
}

static void an_issuer_is_put_in_and_nothing_else_changes(void **state)
{
	static const char *const bodies[] = {
	        "<BODY type=\"Microsoft Rights Label\" "
	        "version=\"3.0\"><ISSUEDTIME>2026-01-01T00:00</ISSUEDTIME><WORK/> "
	        "text</BODY>",
	        "<BODY><ISSUEDTIME>2026-01-01T00:00</ISSUEDTIME><ISSUER><OBJECT/></ISSUER><WORK/></BODY>",
	        "<BODY><WORK/></BODY>",
	};
	char modulus[XRML_MODULUS_LEN + 1];
	struct xrml_party tenant = party(key, modulus);
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct text t = {0};
		struct xrml x;
		size_t at = 0;
		xrml_sign_issued(&t, slice_str(bodies[i]), &tenant, key);
		assert_true(xrml_next(text_slice(&t), &at, &x));
		assert_int_equal(xrml_verify(&x, key), XRML_GOOD);
		const char *work = strstr(bodies[i], "<WORK/>");
		assert_non_null(memmem(x.body.at, x.body.len, work, strlen(work)));
		text_free(&t);
	}
}

static void derived_names_are_stable_and_distinct(void **state)
{
	char a[XRML_GUID_LEN + 1], b[XRML_GUID_LEN + 1], sid[64], again[64];
	xrml_guid(a, "label", SLICE("one"));
	xrml_guid(b, "label", SLICE("two"));
	assert_int_equal(strlen(a), XRML_GUID_LEN);
	assert_string_not_equal(a, b);
	xrml_guid(b, "label", SLICE("one"));
	assert_string_equal(a, b);
	xrml_sid(sid, SLICE("account"));
	xrml_sid(again, SLICE("account"));
	assert_string_equal(sid, again);
	assert_memory_equal(sid, "S-1-5-21-", 9);
	struct text t = {0};
	xrml_sealed(&t, "x", SLICE("seed"), 6201);
	assert_int_equal(t.len, 8268);
	assert_null(memchr(t.at, '=', t.len));
	text_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_was_signed_verifies),
	        cmocka_unit_test(the_parts_of_a_licence_are_found),
	        cmocka_unit_test(every_changed_byte_is_noticed),
	        cmocka_unit_test(a_lost_or_doubled_byte_is_noticed),
	        cmocka_unit_test(a_licence_of_another_tenant_is_wrong),
	        cmocka_unit_test(escaped_templates_are_verified_too),
	        cmocka_unit_test(junk_is_no_signed_element),
	        cmocka_unit_test(an_issuer_is_put_in_and_nothing_else_changes),
	        cmocka_unit_test(derived_names_are_stable_and_distinct),
	};
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
