#include "bench/xrml.h"

#include <stdio.h>

#define SIGNATURE_DIGEST                                                     \
	"<SIGNATURE><DIGEST><ALGORITHM>SHA256</ALGORITHM>"                   \
	"<PARAMETER name=\"codingtype\"><VALUE encoding=\"string\">"         \
	"surface-coding</VALUE></PARAMETER><VALUE encoding=\"base64\" size=" \
	"\"256\">"
#define SIGNATURE_VALUE                                           \
	"</VALUE></DIGEST><ALGORITHM>RSA PKCS#1-V1.5</ALGORITHM>" \
	"<VALUE encoding=\"base64\" size=\"2048\">"
#define SIGNATURE_END "</VALUE></SIGNATURE>"

void xrml_sign(struct text *out, struct slice body, const struct crypto_key *key)
{
	uint8_t digest[CRYPTO_SHA256_BYTES], signature[CRYPTO_RSA_BYTES];
	crypto_sha256(body, digest);
	CHECK(crypto_key_sign(key, digest, signature));
	text_add_str(out, "<XrML xmlns=\"\" version=\"1.2\">");
	text_add(out, body);
	text_add_str(out, SIGNATURE_DIGEST);
	text_add_base64(out, digest, sizeof digest);
	text_add_str(out, SIGNATURE_VALUE);
	text_add_base64(out, signature, sizeof signature);
	text_add_str(out, SIGNATURE_END "</XrML>");
}

/* ---- finding ---- */

static size_t find(struct slice s, struct slice what)
{
	const char *hit = s.len ? memmem(s.at, s.len, what.at, what.len) : NULL;
	return hit ? (size_t)(hit - s.at) : s.len;
}

/* Start of an element's tag: "<NAME>" or "<NAME ...". */
static size_t find_tag(struct slice s, const char *name)
{
	size_t n = strlen(name);
	for (size_t at = 0; at < s.len; at++) {
		at += slice_find(slice_from(s, at), '<');
		struct slice rest = slice_from(s, at);
		if (rest.len > n + 1 && memcmp(rest.at + 1, name, n) == 0 && memchr(" >/\t\r\n", rest.at[n + 1], 6))
			return at;
	}
	return s.len;
}

/* The first element of that name, with its tags, and its content; nothing of the same name lies inside one in XrML but OBJECT in AUTHENTICATEDDATA,
 * which comes last. Empty: none. */
static struct slice element(struct slice s, const char *name, struct slice *content)
{
	char end[64];
	*content = SLICE("");
	struct slice from = slice_from(s, find_tag(s, name));
	size_t open = slice_find(from, '>');
	if (open >= from.len)
		return SLICE("");
	if (from.at[open - 1] == '/')
		return slice_until(from, open + 1);
	int n = snprintf(end, sizeof end, "</%s>", name);
	size_t close = find(from, slice_of(end, (size_t)n));
	if (close >= from.len || close < open)
		return SLICE("");
	*content = slice_of(from.at + open + 1, close - open - 1);
	return slice_until(from, close + (size_t)n);
}

static struct slice content_of(struct slice s, const char *name)
{
	struct slice content;
	element(s, name, &content);
	return content;
}

static struct slice attribute(struct slice element_text, const char *name)
{
	char what[40];
	struct slice tag = slice_until(element_text, slice_find(element_text, '>'));
	int n = snprintf(what, sizeof what, " %s=\"", name);
	struct slice value = slice_from(tag, find(tag, slice_of(what, (size_t)n)) + (size_t)n);
	return slice_until(value, slice_find(value, '"'));
}

static struct slice modulus_of(struct slice s)
{
	struct slice key = content_of(s, "PUBLICKEY");
	size_t at = find(key, SLICE("name=\"modulus\""));
	return content_of(slice_from(key, at), "VALUE");
}

static void look_inside(struct xrml *x)
{
	struct slice descriptor = content_of(x->body, "DESCRIPTOR"), object;
	struct slice object_whole = element(descriptor, "OBJECT", &object);
	x->type = attribute(object_whole, "type");
	if (!x->type.len)
		x->type = attribute(x->body, "type");
	x->guid = content_of(object, "ID");
	struct slice issuer = content_of(x->body, "ISSUER");
	x->issuer_name = content_of(issuer, "NAME");
	x->issuer_modulus = modulus_of(issuer);
	struct slice subject = content_of(x->body, "ISSUEDPRINCIPALS");
	x->subject_id = content_of(subject, "ID");
	x->subject_name = content_of(subject, "NAME");
	x->subject_modulus = modulus_of(subject);
	x->machine_guid = content_of(content_of(x->body, "FEDERATIONPRINCIPALS"), "ID");
	x->work_guid = content_of(content_of(x->body, "WORK"), "ID");
	x->until = content_of(content_of(x->body, "VALIDITYTIME"), "UNTIL");
	if (!x->until.len)
		x->until = content_of(content_of(x->body, "RANGETIME"), "UNTIL");
}

bool xrml_next(struct slice text, size_t *at, struct xrml *out)
{
	struct slice from = slice_from(text, *at), content;
	struct slice whole = element(from, "XrML", &content);
	*out = (struct xrml){.signature = SLICE("")};
	if (!whole.len) {
		*at = text.len;
		return false;
	}
	*at = (size_t)(whole.at - text.at) + whole.len;
	out->whole = whole;
	struct slice inner;
	out->body = element(content, "BODY", &inner);
	if (!inner.len) /* <BODY/> is no text that could be signed */
		out->body = SLICE("");
	/* Behind BODY: an offline licence may carry signatures inside its own data. */
	if (out->body.len)
		out->signature = element(slice_from(content, (size_t)(out->body.at - content.at) + out->body.len),
		                         "SIGNATURE", &inner);
	look_inside(out);
	return true;
}

/* ---- verifying ---- */

const char *xrml_verdict_text(enum xrml_verdict v)
{
	static const char *const texts[] = {
	        [XRML_GOOD] = "good",
	        [XRML_MALFORMED] = "not a signed XrML element",
	        [XRML_DIGEST_WRONG] = "its text is not the text that was signed",
	        [XRML_SIGNATURE_WRONG] = "its signature does not verify with its issuer's key",
	        [XRML_ISSUER_WRONG] = "it was not issued by this tenant",
	};
	return texts[v];
}

static bool key_from_base64(struct slice modulus, struct crypto_key **out)
{
	uint8_t bytes[CRYPTO_RSA_BYTES + 1];
	size_t n;
	return crypto_base64_decode(modulus, bytes, sizeof bytes, &n) && n == CRYPTO_RSA_BYTES &&
	       crypto_key_public(bytes, 65537, out);
}

bool xrml_subject_key(const struct xrml *x, struct crypto_key **out)
{
	return key_from_base64(x->subject_modulus, out);
}

static bool same_key(struct slice modulus, const struct crypto_key *key)
{
	uint8_t bytes[CRYPTO_RSA_BYTES];
	char text[(CRYPTO_RSA_BYTES + 2) / 3 * 4 + 1];
	crypto_key_modulus(key, bytes);
	return slice_equal(modulus, slice_of(text, crypto_base64_encode(bytes, sizeof bytes, text)));
}

enum xrml_verdict xrml_verify(const struct xrml *x, const struct crypto_key *issuer)
{
	uint8_t digest[CRYPTO_SHA256_BYTES], said[CRYPTO_SHA256_BYTES], signature[CRYPTO_RSA_BYTES];
	size_t said_len, signature_len;
	struct slice digest_part, value;
	struct slice digest_element = element(x->signature, "DIGEST", &digest_part);
	if (!x->body.len || !digest_element.len)
		return XRML_MALFORMED;
	/* The whole frame is compared with what we write: a byte changed between the values is a change too. */
	size_t at = find(x->signature, SLICE(SIGNATURE_VALUE));
	if (!slice_starts_with(x->signature, SLICE(SIGNATURE_DIGEST)) || at >= x->signature.len)
		return XRML_MALFORMED;
	value = slice_of(x->signature.at + sizeof SIGNATURE_DIGEST - 1, at - (sizeof SIGNATURE_DIGEST - 1));
	if (!crypto_base64_decode(value, said, sizeof said, &said_len) || said_len != sizeof said)
		return XRML_MALFORMED;
	value = slice_from(x->signature, at + sizeof SIGNATURE_VALUE - 1);
	if (value.len < sizeof SIGNATURE_END - 1)
		return XRML_MALFORMED;
	if (!slice_equal(slice_from(value, value.len - (sizeof SIGNATURE_END - 1)), SLICE(SIGNATURE_END)))
		return XRML_MALFORMED;
	value.len -= sizeof SIGNATURE_END - 1;
	if (!crypto_base64_decode(value, signature, sizeof signature, &signature_len) ||
	    signature_len != sizeof signature)
		return XRML_MALFORMED;
	crypto_sha256(x->body, digest);
	if (memcmp(digest, said, sizeof digest) != 0)
		return XRML_DIGEST_WRONG;
	if (issuer && !same_key(x->issuer_modulus, issuer))
		return XRML_ISSUER_WRONG;
	struct crypto_key *named = NULL;
	if (!issuer && !key_from_base64(x->issuer_modulus, &named))
		return XRML_MALFORMED;
	bool good = crypto_key_verify(issuer ? issuer : named, digest, signature, signature_len);
	crypto_key_free(named);
	return good ? XRML_GOOD : XRML_SIGNATURE_WRONG;
}

static bool issued_by_tenant(const struct xrml *x)
{
	return slice_equal(x->type, SLICE("Group-Identity-Credential")) ||
	       slice_equal(x->type, SLICE("Client-Licensor-Certificate")) ||
	       slice_equal(x->type, SLICE("Content-License")) ||
	       slice_equal(x->type, SLICE("Microsoft Official Rights Template"));
}

static void verify_in(struct slice text, const struct crypto_key *slc, size_t *count, size_t *wrong)
{
	struct xrml x;
	for (size_t at = 0; xrml_next(text, &at, &x);) {
		(*count)++;
		if (xrml_verify(&x, slc && issued_by_tenant(&x) ? slc : NULL) != XRML_GOOD)
			(*wrong)++;
	}
}

bool xrml_verify_all(struct slice answer, const struct crypto_key *slc, size_t *count, size_t *wrong)
{
	struct text plain = {0};
	*count = *wrong = 0;
	verify_in(answer, slc, count, wrong);
	for (struct slice rest = answer, content;;) {
		struct slice t = element(rest, "Template", &content);
		if (!t.len)
			break;
		text_clear(&plain);
		text_add_unescaped(&plain, content);
		size_t before = *count;
		verify_in(text_slice(&plain), slc, count, wrong);
		if (*count == before) { /* something stands there, but no XrML any more */
			++*count;
			++*wrong;
		}
		rest = slice_from(rest, (size_t)(t.at - rest.at) + t.len);
	}
	text_free(&plain);
	return *count > 0 && *wrong == 0;
}
