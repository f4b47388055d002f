#include "proto/ap_req.h"

#include "proto/spnego.h"

enum {
	TAG_INTEGER = 0x02,
	TAG_BITS = 0x03,
	TAG_OCTETS = 0x04,
	TAG_OID = 0x06,
	TAG_STRING = 0x1b,
	TAG_SEQUENCE = 0x30,
	TAG_GSSAPI = 0x60,
	TAG_TICKET = 0x61,
	TAG_AP_REQ = 0x6e,
	TAG_FIELD = 0xa0
};

/* One element of that tag off the beginning, its length as short as it can be. */
static bool take(struct slice *from, int tag, struct slice *contents)
{
	if (from->len < 2 || (uint8_t)from->at[0] != tag)
		return false;
	size_t head = 2, length = (uint8_t)from->at[1];
	if (length >= 0x80) {
		size_t digits = length & 0x7f;
		if (digits == 0 || digits > 3 || from->len < 2 + digits)
			return false;
		length = 0;
		for (size_t i = 0; i < digits; i++)
			length = length << 8 | (uint8_t)from->at[2 + i];
		if (length < 0x80 || (digits > 1 && length >> (8 * (digits - 1)) == 0))
			return false;
		head += digits;
	}
	if (length > from->len - head)
		return false;
	*contents = slice_of(from->at + head, length);
	*from = slice_from(*from, head + length);
	return true;
}

/* Field [number] that holds exactly one element of that tag. */
static bool take_field(struct slice *from, int number, int tag, struct slice *contents)
{
	struct slice field;
	return take(from, TAG_FIELD + number, &field) && take(&field, tag, contents) && field.len == 0;
}

static bool has_field(struct slice from, int number)
{
	return from.len && (uint8_t)from.at[0] == TAG_FIELD + number;
}

static bool take_number(struct slice *from, int number, int64_t *out)
{
	struct slice s;
	if (!take_field(from, number, TAG_INTEGER, &s) || s.len == 0 || s.len > 5)
		return false;
	if (s.len > 1 &&
	    ((s.at[0] == 0 && (uint8_t)s.at[1] < 0x80) || ((uint8_t)s.at[0] == 0xff && (uint8_t)s.at[1] >= 0x80)))
		return false;
	uint64_t value = (uint8_t)s.at[0] >= 0x80 ? UINT64_MAX : 0;
	for (size_t i = 0; i < s.len; i++)
		value = value << 8 | (uint8_t)s.at[i];
	*out = (int64_t)value;
	return true;
}

struct encrypted {
	bool has_kvno;
	int64_t enctype, kvno;
	struct slice cipher;
};

static bool take_encrypted(struct slice *from, int number, struct encrypted *out)
{
	struct slice s;
	*out = (struct encrypted){0};
	if (!take_field(from, number, TAG_SEQUENCE, &s) || !take_number(&s, 0, &out->enctype))
		return false;
	out->has_kvno = has_field(s, 1);
	if (out->has_kvno && !take_number(&s, 1, &out->kvno))
		return false;
	return take_field(&s, 2, TAG_OCTETS, &out->cipher) && s.len == 0;
}

static bool is_version(struct slice *from, int number, int64_t value)
{
	int64_t got;
	return take_number(from, number, &got) && got == value;
}

static bool read_service(struct slice name, struct ap_req *out)
{
	int64_t kind;
	struct slice names, one;
	if (!take_number(&name, 0, &kind) || !take_field(&name, 1, TAG_SEQUENCE, &names) || name.len)
		return false;
	while (names.len) {
		if (out->name_count == AP_REQ_NAMES_MAX || !take(&names, TAG_STRING, &one) ||
		    one.len > AP_REQ_NAME_BYTES)
			return false;
		out->names[out->name_count++] = one;
	}
	return out->name_count > 0;
}

static const char *read_ticket(struct slice ticket, struct ap_req *out)
{
	struct slice fields, name;
	struct encrypted part;
	if (!take(&ticket, TAG_TICKET, &fields) || ticket.len || !take(&fields, TAG_SEQUENCE, &ticket) || fields.len)
		return "the ticket is not valid";
	fields = ticket;
	if (!is_version(&fields, 0, 5) || !take_field(&fields, 1, TAG_STRING, &out->realm) ||
	    out->realm.len > AP_REQ_NAME_BYTES)
		return "the ticket's version or realm is not valid";
	if (!take_field(&fields, 2, TAG_SEQUENCE, &name) || !read_service(name, out))
		return "the ticket's service name is not valid";
	if (!take_encrypted(&fields, 3, &part) || fields.len || part.enctype != (int32_t)part.enctype ||
	    part.kvno != (int64_t)(uint32_t)part.kvno)
		return "the ticket's encrypted part is not valid";
	out->enctype = (int32_t)part.enctype;
	out->has_kvno = part.has_kvno;
	out->kvno = (uint32_t)part.kvno;
	return NULL;
}

const char *ap_req_read(struct slice token, struct ap_req *out)
{
	struct slice whole, oid, message, options, field;
	struct encrypted authenticator;
	*out = (struct ap_req){0};
	enum spnego_mech mech = spnego_mech_of(token);
	if ((mech != MECH_KERBEROS && mech != MECH_KERBEROS_MS) || !take(&token, TAG_GSSAPI, &whole) || token.len ||
	    !take(&whole, TAG_OID, &oid))
		return "the token is not Kerberos";
	if (!slice_starts_with(whole, slice_of("\x01\x00", 2)))
		return "the Kerberos token is no request";
	whole = slice_from(whole, 2);
	if (!take(&whole, TAG_AP_REQ, &message) || whole.len || !take(&message, TAG_SEQUENCE, &field) || message.len)
		return "the Kerberos request is not valid";
	message = field;
	if (!is_version(&message, 0, 5) || !is_version(&message, 1, 14) ||
	    !take_field(&message, 2, TAG_BITS, &options) || options.len != 5 || options.at[0] != 0)
		return "the Kerberos request's version or options are not valid";
	if (!take(&message, TAG_FIELD + 3, &field))
		return "the Kerberos request holds no ticket";
	const char *wrong = read_ticket(field, out);
	if (wrong)
		return wrong;
	if (!take_encrypted(&message, 4, &authenticator) || message.len)
		return "the Kerberos request's authenticator is not valid";
	out->authenticator = authenticator.cipher;
	return NULL;
}

size_t ap_req_service(const struct ap_req *a, char *out, size_t n)
{
	size_t used = 0;
	for (size_t i = 0; i <= a->name_count; i++) {
		struct slice part = i == a->name_count ? a->realm : a->names[i];
		if (i > 0 && used + 1 < n)
			out[used++] = i == a->name_count ? '@' : '/';
		for (size_t k = 0; k < part.len && used + 1 < n; k++)
			out[used++] = part.at[k] >= 0x21 && part.at[k] <= 0x7e ? part.at[k] : '?';
	}
	out[used] = 0;
	return used;
}
