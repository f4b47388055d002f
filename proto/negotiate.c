#include "proto/negotiate.h"

#include "proto/base64.h"
#include "proto/spnego.h"

static const struct slice ntlm_signature = {"NTLMSSP\0", 8};
static const struct slice words[] = {[SCHEME_NEGOTIATE] = {"Negotiate", 9}, [SCHEME_NTLM] = {"NTLM", 4}};

/* 1, 2 or 3; 0 when it is no NTLM message. */
static uint32_t ntlm_type_of(struct slice token)
{
	if (token.len < 12 || !slice_starts_with(token, ntlm_signature))
		return 0;
	uint8_t type = (uint8_t)token.at[8];
	return type >= 1 && type <= 3 && token.at[9] == 0 && token.at[10] == 0 && token.at[11] == 0 ? type : 0;
}

static enum negotiate_kind kind_of_mech(enum spnego_mech mech)
{
	switch (mech) {
	case MECH_KERBEROS:
	case MECH_KERBEROS_MS:
		return TOKEN_KERBEROS;
	case MECH_NTLM:
		return TOKEN_SPNEGO_NTLM;
	default:
		return TOKEN_SPNEGO_OTHER;
	}
}

static void look_inside(struct negotiate_offer *offer)
{
	struct spnego inside;
	offer->ntlm_type = ntlm_type_of(offer->token);
	if (offer->ntlm_type) {
		offer->kind = TOKEN_NTLM;
	} else if (offer->scheme == SCHEME_NTLM) {
		offer->kind = TOKEN_UNKNOWN; /* under this word there is nothing else */
	} else if (!spnego_read(offer->token, &inside)) {
		offer->kind = inside.begins ? kind_of_mech(inside.mech) : TOKEN_SPNEGO_NEXT;
		offer->ntlm_type = ntlm_type_of(inside.token);
	} else {
		enum spnego_mech mech = spnego_mech_of(offer->token);
		offer->kind = mech == MECH_KERBEROS || mech == MECH_KERBEROS_MS ? TOKEN_KERBEROS : TOKEN_UNKNOWN;
	}
}

const char *negotiate_read(struct slice value, char *room, struct negotiate_offer *out)
{
	*out = (struct negotiate_offer){0};
	size_t space = slice_find(value, ' ');
	struct slice word = slice_until(value, space), text = slice_from(value, space);
	if (word.len == 0)
		return "the Authorization header names no scheme";
	if (slice_equal_nocase(word, words[SCHEME_NEGOTIATE]))
		out->scheme = SCHEME_NEGOTIATE;
	else if (slice_equal_nocase(word, words[SCHEME_NTLM]))
		out->scheme = SCHEME_NTLM;
	else
		return NULL;
	while (text.len && text.at[0] == ' ') /* RFC 9110 11.4: one or more spaces */
		text = slice_from(text, 1);
	if (text.len == 0)
		return NULL;
	if (text.len > base64_len(NEGOTIATE_TOKEN_BYTES))
		return "the token in the Authorization header is longer than 64 KiB";
	size_t n = 0;
	if (!base64_decode(text, room, &n))
		return "the token in the Authorization header is not valid base64";
	out->token = slice_of(room, n);
	if (n > NEGOTIATE_TOKEN_BYTES)
		return "the token in the Authorization header is longer than 64 KiB";
	look_inside(out);
	return NULL;
}

size_t negotiate_answer(enum negotiate_scheme scheme, struct slice token, char *out)
{
	struct slice word = words[scheme == SCHEME_NTLM ? SCHEME_NTLM : SCHEME_NEGOTIATE];
	memcpy(out, word.at, word.len);
	if (token.len == 0)
		return word.len;
	out[word.len] = ' ';
	return word.len + 1 + base64_encode(token, out + word.len + 1);
}
