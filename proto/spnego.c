#include "proto/spnego.h"

enum { MECHS_MAX = 16, OID_BYTES = 32 };
/* DER tags that stand in these tokens */
enum { TAG_OCTETS = 0x04, TAG_OID = 0x06, TAG_ENUM = 0x0a, TAG_SEQUENCE = 0x30, TAG_GSSAPI = 0x60, TAG_FIELD = 0xa0 };

static const struct {
	struct slice oid;
	enum spnego_mech mech;
} mechs[] = {
        {{"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02", 9}, MECH_KERBEROS},    /* 1.2.840.113554.1.2.2 */
        {{"\x2a\x86\x48\x82\xf7\x12\x01\x02\x02", 9}, MECH_KERBEROS_MS}, /* 1.2.840.48018.1.2.2 */
        {{"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a", 10}, MECH_NTLM},   /* 1.3.6.1.4.1.311.2.2.10 */
        {{"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e", 10}, MECH_NEGOEX}, /* 1.3.6.1.4.1.311.2.2.30 */
};
static const struct slice spnego_oid = {"\x2b\x06\x01\x05\x05\x02", 6}; /* 1.3.6.1.5.5.2 */

static enum spnego_mech mech_of(struct slice oid)
{
	for (size_t i = 0; i < sizeof(mechs) / sizeof(mechs[0]); i++)
		if (slice_equal(mechs[i].oid, oid))
			return mechs[i].mech;
	return MECH_OTHER;
}

/* One DER element of that tag off the beginning; false: another tag, or a length that is not DER or not there. */
static bool take(struct slice *from, uint8_t tag, struct slice *contents)
{
	if (from->len < 2 || (uint8_t)from->at[0] != tag)
		return false;
	uint8_t first = (uint8_t)from->at[1];
	size_t head = 2, length = first;
	if (first >= 0x80) {
		size_t digits = first & 0x7f;
		if (digits == 0 || digits > 3 || from->len < 2 + digits)
			return false;
		length = 0;
		for (size_t i = 0; i < digits; i++)
			length = length << 8 | (uint8_t)from->at[2 + i];
		head += digits;
		/* Windows writes some lengths longer than DER allows, so a leading zero is no reason to refuse */
	}
	if (length > from->len - head)
		return false;
	*contents = slice_of(from->at + head, length);
	*from = slice_from(*from, head + length);
	return true;
}

static const char *read_mech_list(struct slice list, struct spnego *out)
{
	struct slice oid;
	for (int i = 0; list.len; i++) {
		if (i == MECHS_MAX || !take(&list, TAG_OID, &oid) || oid.len == 0 || oid.len > OID_BYTES)
			return "the list of mechanisms is not valid";
		enum spnego_mech mech = mech_of(oid);
		if (i == 0) {
			out->mech = mech;
			out->mech_oid = oid;
		}
		out->offers_kerberos = out->offers_kerberos || mech == MECH_KERBEROS || mech == MECH_KERBEROS_MS;
	}
	return out->mech_oid.len ? NULL : "the list of mechanisms is empty";
}

/* Fields are [0], [1], ... in rising order, each at most once. */
static const char *read_fields(struct slice fields, uint8_t last, struct spnego *out)
{
	int before = -1;
	while (fields.len) {
		uint8_t tag = (uint8_t)fields.at[0];
		struct slice field, inner;
		if (tag < TAG_FIELD || tag > TAG_FIELD + last || tag - TAG_FIELD <= before ||
		    !take(&fields, tag, &field))
			return "a field of the SPNEGO token is not valid";
		before = tag - TAG_FIELD;
		if (before == 0 && out->begins) {
			if (!take(&field, TAG_SEQUENCE, &inner) || field.len)
				return "the list of mechanisms is not valid";
			const char *wrong = read_mech_list(inner, out);
			if (wrong)
				return wrong;
		} else if (before == 2) {
			if (!take(&field, TAG_OCTETS, &out->token) || field.len)
				return "the token inside the SPNEGO token is not valid";
		}
	}
	return out->begins && out->mech_oid.len == 0 ? "the SPNEGO token names no mechanism" : NULL;
}

const char *spnego_read(struct slice token, struct spnego *out)
{
	struct slice whole, oid, choice, fields;
	*out = (struct spnego){0};
	if (take(&token, TAG_GSSAPI, &whole)) {
		out->begins = true;
		if (token.len || !take(&whole, TAG_OID, &oid) || !slice_equal(oid, spnego_oid))
			return "the token is not SPNEGO";
		if (!take(&whole, TAG_FIELD, &choice) || whole.len)
			return "the SPNEGO token does not begin a negotiation";
	} else if (!take(&token, TAG_FIELD + 1, &choice) || token.len) {
		return "the token is not SPNEGO";
	}
	if (!take(&choice, TAG_SEQUENCE, &fields) || choice.len)
		return "the SPNEGO token is not valid";
	return read_fields(fields, out->begins ? 4 : 3, out);
}

enum spnego_mech spnego_mech_of(struct slice token)
{
	struct slice whole, oid;
	if (!take(&token, TAG_GSSAPI, &whole) || token.len || !take(&whole, TAG_OID, &oid))
		return MECH_OTHER;
	return mech_of(oid);
}

/* ---- our answer ---- */

static size_t length_bytes(size_t n)
{
	return n < 0x80 ? 1 : n < 0x100 ? 2 : n < 0x10000 ? 3 : 4;
}

static char *put_head(char *at, uint8_t tag, size_t length)
{
	size_t digits = length_bytes(length) - 1;
	*at++ = (char)tag;
	if (digits == 0) {
		*at++ = (char)length;
		return at;
	}
	*at++ = (char)(0x80 | digits);
	while (digits--)
		*at++ = (char)(length >> (8 * digits));
	return at;
}

static size_t element_bytes(size_t contents)
{
	return 1 + length_bytes(contents) + contents;
}

static size_t answer(char state, struct slice mech_oid, struct slice token, char *out)
{
	const char negotiation[] = {(char)TAG_FIELD, 3, TAG_ENUM, 1, state};
	size_t oid = element_bytes(mech_oid.len), octets = element_bytes(token.len);
	size_t fields = sizeof(negotiation) + element_bytes(oid) + (token.len ? element_bytes(octets) : 0);
	char *at = put_head(out, TAG_FIELD + 1, element_bytes(fields));
	at = put_head(at, TAG_SEQUENCE, fields);
	memcpy(at, negotiation, sizeof(negotiation));
	at = put_head(at + sizeof(negotiation), TAG_FIELD + 1, oid);
	at = put_head(at, TAG_OID, mech_oid.len);
	memcpy(at, mech_oid.at, mech_oid.len);
	at += mech_oid.len;
	if (token.len) {
		at = put_head(at, TAG_FIELD + 2, octets);
		at = put_head(at, TAG_OCTETS, token.len);
		memcpy(at, token.at, token.len);
		at += token.len;
	}
	return (size_t)(at - out);
}

size_t spnego_accepted(struct slice mech_oid, struct slice token, char *out)
{
	return answer(0, mech_oid, token, out);
}

size_t spnego_incomplete(struct slice mech_oid, struct slice token, char *out)
{
	return answer(1, mech_oid, token, out);
}
