#include "proto/ntlm_names.h"

enum {
	TYPE_AT = 8,
	FLAGS_1_AT = 12,
	DOMAIN_1_AT = 16,
	WORKSTATION_1_AT = 24,
	HEAD_1_BYTES = 32,
	DOMAIN_3_AT = 28,
	ACCOUNT_3_AT = 36,
	WORKSTATION_3_AT = 44,
	FLAGS_3_AT = 60,
	HEAD_3_BYTES = 64,
	FLAG_UNICODE = 1,
	FLAG_DOMAIN = 0x1000,
	FLAG_WORKSTATION = 0x2000,
};

static uint32_t number(struct slice s, size_t at, size_t bytes)
{
	uint32_t value = 0;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint32_t)(uint8_t)s.at[at + i] << (8 * i);
	return value;
}

/* wide: UTF-16, little-endian. */
static void copy(struct slice token, size_t field, bool wide, char out[static NTLM_NAME_BYTES])
{
	size_t len = number(token, field, 2), from = number(token, field + 4, 4), step = wide ? 2 : 1, n = 0;
	if (from > token.len || len > token.len - from)
		return;
	for (size_t at = 0; at + step <= len && n < NTLM_NAME_BYTES - 1; at += step) {
		uint32_t c = number(token, from + at, step);
		out[n++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	out[n] = 0;
}

void ntlm_names_read(struct slice token, struct ntlm_names *out)
{
	*out = (struct ntlm_names){.domain = ""};
	if (token.len < HEAD_1_BYTES || !slice_starts_with(token, SLICE("NTLMSSP\0")))
		return;
	uint32_t type = number(token, TYPE_AT, 4);
	if (type == 1) {
		uint32_t flags = number(token, FLAGS_1_AT, 4);
		if (flags & FLAG_DOMAIN)
			copy(token, DOMAIN_1_AT, false, out->domain);
		if (flags & FLAG_WORKSTATION)
			copy(token, WORKSTATION_1_AT, false, out->workstation);
	} else if (type == 3 && token.len >= HEAD_3_BYTES) {
		bool wide = number(token, FLAGS_3_AT, 4) & FLAG_UNICODE;
		copy(token, DOMAIN_3_AT, wide, out->domain);
		copy(token, ACCOUNT_3_AT, wide, out->account);
		copy(token, WORKSTATION_3_AT, wide, out->workstation);
	}
}
