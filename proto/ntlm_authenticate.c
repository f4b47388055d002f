#include "proto/ntlm_authenticate.h"

enum {
	TYPE_AT = 8,
	NT_RESPONSE_AT = 20,
	USER_AT = 36,
	HEAD_BYTES = 64,
	/* an NTLMv2 response: proof, then versions, zeros, time, challenge and zeros before its pairs */
	V1_BYTES = 24,
	PROOF_BYTES = 16,
	PAIRS_AT = PROOF_BYTES + 28,
	PAIR_HEAD = 4,
	AV_END = 0,
	AV_CHANNEL_BINDINGS = 10,
};

static uint32_t number(struct slice s, size_t at, size_t bytes)
{
	uint32_t value = 0;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint32_t)(uint8_t)s.at[at + i] << (8 * i);
	return value;
}

/* length, room, offset: 2, 2 and 4 bytes. false: it lies outside. */
static bool field(struct slice token, size_t at, struct slice *out)
{
	size_t len = number(token, at, 2), from = number(token, at + 4, 4);
	if (from > token.len || len > token.len - from)
		return false;
	*out = slice_of(token.at + from, len);
	return true;
}

/* A pair that is there twice could be read in two ways. */
static const char *read_pairs(struct slice response, struct ntlm_authenticate *out)
{
	bool seen = false;
	for (size_t at = PAIRS_AT;;) {
		if (response.len - at < PAIR_HEAD)
			return "the pairs of its NTLM response have no end";
		uint32_t id = number(response, at, 2);
		size_t len = number(response, at + 2, 2);
		at += PAIR_HEAD;
		if (len > response.len - at)
			return "a pair of its NTLM response is cut off";
		if (id == AV_END)
			return len ? "the end of the pairs of its NTLM response is not empty" : NULL;
		if (id == AV_CHANNEL_BINDINGS) {
			static const uint8_t none[NTLM_BINDING_BYTES];
			if (seen || len != NTLM_BINDING_BYTES)
				return "the channel binding of its NTLM response is there twice, or not 16 bytes long";
			seen = true;
			memcpy(out->binding, response.at + at, NTLM_BINDING_BYTES);
			out->bound = memcmp(out->binding, none, NTLM_BINDING_BYTES) != 0;
		}
		at += len;
	}
}

const char *ntlm_authenticate_read(struct slice token, struct ntlm_authenticate *out)
{
	struct slice user, response;
	*out = (struct ntlm_authenticate){0};
	if (token.len < HEAD_BYTES || !slice_starts_with(token, SLICE("NTLMSSP\0")) || number(token, TYPE_AT, 4) != 3)
		return "the token is not the third message of NTLM";
	if (!field(token, USER_AT, &user) || !field(token, NT_RESPONSE_AT, &response))
		return "a field of the third message of NTLM lies outside of it";
	out->anonymous = user.len == 0;
	if (response.len <= V1_BYTES)
		return NULL;
	out->v2 = true;
	if (response.len < PAIRS_AT)
		return "its NTLM response is cut off";
	return read_pairs(response, out);
}
