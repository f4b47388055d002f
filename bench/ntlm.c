#include "bench/ntlm.h"

#include "core/base/clock.h"
#include "core/base/utf8.h"
#include "core/crypto/crypto.h"

#include <stdio.h>

enum { /* [MS-NLMP] 2.2.2.5 */
       UNICODE = 0x1,
       REQUEST_TARGET = 0x4,
       SIGN = 0x10,
       NTLM = 0x200,
       ALWAYS_SIGN = 0x8000,
       EXTENDED_SESSION_SECURITY = 0x80000,
       TARGET_INFO = 0x800000,
       VERSION = 0x2000000,
       KEY_128 = 0x20000000,
       KEY_EXCHANGE = 0x40000000,
};

enum { /* 2.2.2.1 */
       AV_END = 0,
       AV_FLAGS = 6,
       AV_TIMESTAMP = 7,
       AV_TARGET_NAME = 9,
       AV_CHANNEL_BINDINGS = 10,
       AV_FLAG_MIC = 2,
};

enum {
	CHALLENGE_BYTES = 48, /* what every server sends that knows version 2 */
	AUTHENTICATE_BYTES = 88,
	MIC_AT = 72,
	MIC_BYTES = 16,
	UNIX_EPOCH_S = 11644473600, /* since 1601 */
};

static const char signature[8] = "NTLMSSP";
static const uint8_t version[8] = {10, 0, 0x63, 0x45, 0, 0, 0, 15}; /* Windows Server 2019, NTLM revision 15 */

/* ---- little-endian, and UTF-16 ---- */

static void add_number(struct text *out, uint64_t n, size_t bytes)
{
	char *to = text_grow(out, bytes);
	for (size_t i = 0; i < bytes; i++)
		to[i] = (char)(n >> (8 * i));
}

static uint32_t number_at(const char *at, size_t bytes)
{
	uint32_t n = 0;
	for (size_t i = bytes; i-- > 0;)
		n = n << 8 | (uint8_t)at[i];
	return n;
}

static void add_unit(struct text *out, uint32_t unit)
{
	add_number(out, unit, 2);
}

/* false: not UTF-8. */
static bool add_utf16(struct text *out, struct slice s, bool capitals)
{
	for (size_t i = 0; i < s.len;) {
		uint32_t code = 0;
		size_t n = utf8_sequence((const unsigned char *)s.at + i, s.len - i, &code);
		if (n == 0)
			return false;
		i += n;
		if (capitals && code >= 'a' && code <= 'z')
			code -= 'a' - 'A';
		if (code >= 0x10000) {
			add_unit(out, 0xd800 + ((code - 0x10000) >> 10));
			code = 0xdc00 + ((code - 0x10000) & 0x3ff);
		}
		add_unit(out, code);
	}
	return true;
}

static void hmac(const uint8_t key[static NTLM_KEY_BYTES], struct slice a, struct slice b, struct slice c,
                 uint8_t out[static NTLM_KEY_BYTES])
{
	struct slice parts[] = {a, b, c};
	crypto_hmac_md5(key, parts, 3, out);
}

static struct slice bytes_of(const uint8_t *at, size_t n)
{
	return slice_of((const char *)at, n);
}

/* ---- the account ---- */

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || (unsigned char)*s > '~')
			return false;
	return true;
}

const char *ntlm_account_make(struct ntlm_account *a, const char *who, struct slice password)
{
	*a = (struct ntlm_account){0};
	const char *backslash = strchr(who, '\\');
	if (!backslash || backslash == who || !backslash[1])
		return "an account for NTLM is DOMAIN\\NAME";
	if (!is_ascii(who) || strlen(who) >= NTLM_NAME_MAX)
		return "an account for NTLM is short and in ASCII: its capitals matter";
	snprintf(a->domain, sizeof(a->domain), "%.*s", (int)(backslash - who), who);
	snprintf(a->user, sizeof(a->user), "%s", backslash + 1);
	snprintf(a->workstation, sizeof(a->workstation), "RMS-LOAD");
	/* NTOWFv2: HMAC-MD5 under the MD4 of the password, over the user in capitals and the domain as it is */
	struct text wide = {0};
	uint8_t md4[NTLM_KEY_BYTES];
	bool fine = add_utf16(&wide, password, false);
	crypto_md4(text_slice(&wide), md4);
	if (wide.len)
		explicit_bzero(wide.at, wide.len);
	text_clear(&wide);
	fine = fine && add_utf16(&wide, slice_str(a->user), true) && add_utf16(&wide, slice_str(a->domain), false);
	hmac(md4, text_slice(&wide), SLICE(""), SLICE(""), a->key);
	explicit_bzero(md4, sizeof(md4));
	text_free(&wide);
	return fine ? NULL : "the password is not UTF-8";
}

/* ---- NEGOTIATE ---- */

void ntlm_negotiate(struct text *out)
{
	text_add(out, slice_of(signature, sizeof(signature)));
	add_number(out, 1, 4);
	add_number(out,
	           UNICODE | REQUEST_TARGET | SIGN | NTLM | ALWAYS_SIGN | EXTENDED_SESSION_SECURITY | VERSION |
	                   KEY_128 | KEY_EXCHANGE,
	           4);
	for (int i = 0; i < 2; i++) { /* neither domain nor workstation: as Windows does on a network it knows */
		add_number(out, 0, 4);
		add_number(out, 0, 4);
	}
	text_add(out, bytes_of(version, sizeof(version)));
}

/* ---- CHALLENGE ---- */

/* The next AV pair; false at the one that ends them, or when there is none. */
static bool next_pair(struct slice *pairs, uint32_t *id, struct slice *value)
{
	if (pairs->len < 4)
		return false;
	*id = number_at(pairs->at, 2);
	size_t len = number_at(pairs->at + 2, 2);
	if (*id == AV_END || pairs->len - 4 < len)
		return false;
	*value = slice_of(pairs->at + 4, len);
	*pairs = slice_from(*pairs, 4 + len);
	return true;
}

const char *ntlm_challenge_read(struct slice m, struct ntlm_challenge *out)
{
	*out = (struct ntlm_challenge){0};
	if (m.len < CHALLENGE_BYTES || memcmp(m.at, signature, sizeof(signature)) != 0 || number_at(m.at + 8, 4) != 2)
		return "the challenge is no CHALLENGE message of NTLM";
	out->flags = number_at(m.at + 20, 4);
	out->nonce = (const uint8_t *)m.at + 24;
	size_t len = number_at(m.at + 40, 2), at = number_at(m.at + 44, 4);
	if (!(out->flags & UNICODE) || !(out->flags & TARGET_INFO) || !len)
		return "the challenge is for version 1 of NTLM, which this tool does not speak";
	if (at > m.len || m.len - at < len)
		return "the challenge names bytes behind its end";
	out->target_info = slice_of(m.at + at, len);
	struct slice pairs = out->target_info, value;
	uint32_t id;
	while (next_pair(&pairs, &id, &value)) {
		if (id != AV_TIMESTAMP)
			continue;
		if (value.len != 8 || out->timestamp)
			return "the time in the challenge is not one time";
		out->timestamp = (const uint8_t *)value.at;
	}
	if (pairs.len != 4 || number_at(pairs.at, 4) != AV_END)
		return "the list of attributes in the challenge has no end";
	return NULL;
}

/* ---- AUTHENTICATE ---- */

void ntlm_answer_fill(struct ntlm_answer *how)
{
	crypto_random(how->nonce, sizeof(how->nonce));
	crypto_random(how->session_key, sizeof(how->session_key));
	how->filetime = clock_wall() * 10 + (uint64_t)UNIX_EPOCH_S * 10000000;
}

/* RFC 5929 4.1 in the form of [MS-NLMP] 2.2.2.1: MD5 over a gss_channel_bindings_struct without addresses. */
static void add_channel_binding(struct text *out, struct slice end_point)
{
	struct text bindings = {0};
	uint8_t md5[NTLM_KEY_BYTES] = {0}; /* none: zeros */
	if (end_point.len) {
		static const char prefix[] = "tls-server-end-point:";
		for (int i = 0; i < 4; i++)
			add_number(&bindings, 0, 4);
		add_number(&bindings, sizeof(prefix) - 1 + end_point.len, 4);
		text_add_str(&bindings, prefix);
		text_add(&bindings, end_point);
		crypto_md5(text_slice(&bindings), md5);
	}
	add_number(out, AV_CHANNEL_BINDINGS, 2);
	add_number(out, sizeof(md5), 2);
	text_add(out, bytes_of(md5, sizeof(md5)));
	text_free(&bindings);
}

/* What the server said about itself, and what only a caller can add: that there is a MIC, over which channel, to whom it believes to speak. A server
 * of before 2009 names no time; it gets back what it said, nothing more ([MS-NLMP] 3.1.5.1.2). */
static void add_target_info(struct text *out, const struct ntlm_challenge *c, const struct ntlm_answer *how)
{
	if (!c->timestamp) {
		text_add(out, c->target_info);
		return;
	}
	struct slice pairs = c->target_info, value;
	uint32_t id;
	while (next_pair(&pairs, &id, &value)) {
		if (id == AV_FLAGS || id == AV_CHANNEL_BINDINGS || id == AV_TARGET_NAME)
			continue;
		add_number(out, id, 2);
		add_number(out, value.len, 2);
		text_add(out, value);
	}
	add_number(out, AV_FLAGS, 2);
	add_number(out, 4, 2);
	add_number(out, AV_FLAG_MIC, 4);
	add_channel_binding(out, how->end_point);
	if (how->spn) {
		struct text wide = {0};
		add_utf16(&wide, slice_str(how->spn), false);
		add_number(out, AV_TARGET_NAME, 2);
		add_number(out, wide.len, 2);
		text_add(out, text_slice(&wide));
		text_free(&wide);
	}
	add_number(out, AV_END, 4);
}

/* NTProofStr and what it is computed over ([MS-NLMP] 3.3.2); the session's key follows from it. */
static void add_response(struct text *out, const struct ntlm_account *a, const struct ntlm_challenge *c,
                         const struct ntlm_answer *how, uint8_t session_base[static NTLM_KEY_BYTES])
{
	struct text temp = {0};
	uint8_t proof[NTLM_KEY_BYTES];
	add_number(&temp, 0x0101, 8);
	if (c->timestamp)
		text_add(&temp, bytes_of(c->timestamp, 8));
	else
		add_number(&temp, how->filetime, 8);
	text_add(&temp, bytes_of(how->nonce, sizeof(how->nonce)));
	add_number(&temp, 0, 4);
	add_target_info(&temp, c, how);
	add_number(&temp, 0, 4);
	hmac(a->key, bytes_of(c->nonce, NTLM_NONCE_BYTES), text_slice(&temp), SLICE(""), proof);
	hmac(a->key, bytes_of(proof, sizeof(proof)), SLICE(""), SLICE(""), session_base);
	text_add(out, bytes_of(proof, sizeof(proof)));
	text_add(out, text_slice(&temp));
	text_free(&temp);
}

/* LMv2, which servers that name a time do not want to see any more: zeros then. */
static void add_lm_response(struct text *out, const struct ntlm_account *a, const struct ntlm_challenge *c,
                            const struct ntlm_answer *how)
{
	uint8_t proof[NTLM_KEY_BYTES] = {0}, nonce[NTLM_NONCE_BYTES] = {0};
	if (!c->timestamp) {
		memcpy(nonce, how->nonce, sizeof(nonce));
		hmac(a->key, bytes_of(c->nonce, NTLM_NONCE_BYTES), bytes_of(nonce, sizeof(nonce)), SLICE(""), proof);
	}
	text_add(out, bytes_of(proof, sizeof(proof)));
	text_add(out, bytes_of(nonce, sizeof(nonce)));
}

const char *ntlm_authenticate(const struct ntlm_account *a, const struct ntlm_challenge *c,
                              const struct ntlm_answer *how, struct text *out)
{
	enum { LM, NT, DOMAIN, USER, WORKSTATION, KEY, FIELDS };
	struct text fields[FIELDS] = {0};
	uint8_t session_base[NTLM_KEY_BYTES], exported[NTLM_KEY_BYTES], sealed[NTLM_KEY_BYTES], mic[MIC_BYTES];
	add_lm_response(&fields[LM], a, c, how);
	add_response(&fields[NT], a, c, how, session_base);
	add_utf16(&fields[DOMAIN], slice_str(a->domain), false);
	add_utf16(&fields[USER], slice_str(a->user), false);
	add_utf16(&fields[WORKSTATION], slice_str(a->workstation), false);
	bool exchange = c->flags & KEY_EXCHANGE;
	memcpy(exported, exchange ? how->session_key : session_base, sizeof(exported));
	if (exchange) {
		crypto_rc4(session_base, exported, sealed, sizeof(sealed));
		text_add(&fields[KEY], bytes_of(sealed, sizeof(sealed)));
	}
	bool too_long = fields[NT].len > UINT16_MAX;

	size_t start = out->len, at = AUTHENTICATE_BYTES;
	text_add(out, slice_of(signature, sizeof(signature)));
	add_number(out, 3, 4);
	for (size_t i = 0; i < FIELDS; i++) {
		add_number(out, fields[i].len, 2);
		add_number(out, fields[i].len, 2);
		add_number(out, at, 4);
		at += fields[i].len;
	}
	add_number(out, c->flags, 4);
	text_add(out, bytes_of(version, sizeof(version)));
	memset(text_grow(out, MIC_BYTES), 0, MIC_BYTES);
	for (size_t i = 0; i < FIELDS; i++) {
		text_add(out, text_slice(&fields[i]));
		text_free(&fields[i]);
	}
	if (c->timestamp) { /* else nobody was told of a MIC */
		hmac(exported, how->hello, how->challenge, slice_from(text_slice(out), start), mic);
		memcpy(out->at + start + MIC_AT, mic, sizeof(mic));
	}
	return too_long ? "the challenge is too long to be answered" : NULL;
}
