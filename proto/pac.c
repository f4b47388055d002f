#include "proto/pac.h"

/* NDR as [MS-PAC] 2.5 writes it: a fixed part with markers of pointers, then what they point at, in their order. Numbers little-endian, aligned to their
 * size from the start of the buffer; a pointer that is not null stands for exactly one thing behind the fixed part. */

enum {
	GROUPS_MAX = SID_SET_MAX,
	GROUP_ENABLED = 0x4,
	GROUP_DENY_ONLY = 0x10,
	EXTRA_SIDS = 0x20,
	RESOURCE_GROUPS = 0x200,
	UPN_HAS_SID = 0x2,
	PADDING = 8 /* what may follow the last field is shorter */
};

struct ndr {
	struct slice all;
	size_t at;
	bool broken; /* what is read then is zero */
};

static uint32_t get(struct ndr *n, size_t bytes)
{
	uint32_t value = 0;
	n->at += (bytes - n->at % bytes) % bytes;
	if (n->broken || n->at > n->all.len || n->all.len - n->at < bytes) {
		n->broken = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		value |= (uint32_t)(uint8_t)n->all.at[n->at + i] << (8 * i);
	n->at += bytes;
	return value;
}

static struct slice get_bytes(struct ndr *n, size_t bytes)
{
	if (n->broken || n->all.len - n->at < bytes) {
		n->broken = true;
		return slice_of(NULL, 0);
	}
	n->at += bytes;
	return slice_of(n->all.at + n->at - bytes, bytes);
}

struct text_head { /* RPC_UNICODE_STRING */
	uint32_t bytes, room, pointer;
};

static struct text_head get_text_head(struct ndr *n)
{
	struct text_head h;
	h.bytes = get(n, 2);
	h.room = get(n, 2);
	h.pointer = get(n, 4);
	if (h.bytes % 2 || h.bytes > h.room || (h.bytes && !h.pointer))
		n->broken = true;
	return h;
}

/* UTF-16LE to UTF-8 with a NUL; control characters and half surrogates are refused. false: not valid, or too long. */
static bool to_utf8(struct slice s, char out[static PAC_NAME_BYTES])
{
	size_t used = 0;
	for (size_t i = 0; i + 1 < s.len; i += 2) {
		uint32_t c = (uint8_t)s.at[i] | (uint32_t)(uint8_t)s.at[i + 1] << 8;
		if (c >= 0xd800 && c < 0xe000) {
			if (c >= 0xdc00 || i + 3 >= s.len)
				return false;
			uint32_t low = (uint8_t)s.at[i + 2] | (uint32_t)(uint8_t)s.at[i + 3] << 8;
			if (low < 0xdc00 || low >= 0xe000)
				return false;
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			i += 2;
		}
		if (c < 0x20 || (c >= 0x7f && c < 0xa0) || used + 5 > PAC_NAME_BYTES)
			return false;
		if (c < 0x80) {
			out[used++] = (char)c;
		} else if (c < 0x800) {
			out[used++] = (char)(0xc0 | c >> 6);
			out[used++] = (char)(0x80 | (c & 0x3f));
		} else if (c < 0x10000) {
			out[used++] = (char)(0xe0 | c >> 12);
			out[used++] = (char)(0x80 | (c >> 6 & 0x3f));
			out[used++] = (char)(0x80 | (c & 0x3f));
		} else {
			out[used++] = (char)(0xf0 | c >> 18);
			out[used++] = (char)(0x80 | (c >> 12 & 0x3f));
			out[used++] = (char)(0x80 | (c >> 6 & 0x3f));
			out[used++] = (char)(0x80 | (c & 0x3f));
		}
	}
	out[used] = 0;
	return true;
}

/* What a string's head points at; out NULL: only passed over. */
static void get_text(struct ndr *n, struct text_head h, char *out)
{
	if (out)
		*out = 0;
	if (!h.pointer)
		return;
	uint32_t max = get(n, 4), offset = get(n, 4), count = get(n, 4);
	if (max != h.room / 2 || offset || count != h.bytes / 2)
		n->broken = true;
	struct slice s = get_bytes(n, (size_t)count * 2);
	if (!n->broken && out && !to_utf8(s, out))
		n->broken = true;
}

static void get_sid(struct ndr *n, struct sid *out)
{
	*out = (struct sid){0};
	uint32_t subs = get(n, 4);
	if (subs > SID_SUBS_MAX) {
		n->broken = true;
		return;
	}
	struct slice s = get_bytes(n, 8 + 4 * (size_t)subs);
	if (!n->broken && (sid_read(s, out) != s.len))
		n->broken = true;
}

/* What the lists say of the groups: a group that any of them says not to count does not count, whatever the others say. */
struct memberships {
	struct sid_set in, not_in;
};

static bool counts(uint32_t attributes)
{
	return (attributes & GROUP_ENABLED) && !(attributes & GROUP_DENY_ONLY);
}

static enum pac_wrong add(struct sid_set *to, const struct sid *sid)
{
	if (sid_set_add(to, sid))
		return PAC_FINE;
	return to->count >= SID_SET_MAX ? PAC_TOO_MANY : PAC_NO_MEMORY;
}

static enum pac_wrong add_group(struct memberships *to, const struct sid *sid, uint32_t attributes)
{
	return add(counts(attributes) ? &to->in : &to->not_in, sid);
}

/* false: no domain, so no account or group of one either. */
static bool sid_in_domain(const struct sid *domain, uint32_t rid, struct sid *out)
{
	return sid_is_domain(domain) && sid_with_rid(domain, rid, out);
}

/* A list of numbers in one domain. */
static enum pac_wrong get_rids(struct ndr *n, uint32_t pointer, uint32_t count, const struct sid *domain,
                               struct memberships *into)
{
	enum pac_wrong wrong = PAC_FINE;
	struct sid sid;
	if (!pointer) {
		n->broken = n->broken || count;
		return PAC_FINE;
	}
	if (get(n, 4) != count)
		n->broken = true;
	for (uint32_t i = 0; i < count && !n->broken && !wrong; i++) {
		uint32_t rid = get(n, 4), attributes = get(n, 4);
		if (n->broken || !sid_in_domain(domain, rid, &sid))
			n->broken = true;
		else
			wrong = add_group(into, &sid, attributes);
	}
	return wrong;
}

/* A list of whole SIDs; the first one of all goes to *first. */
static enum pac_wrong get_extra(struct ndr *n, uint32_t pointer, uint32_t count, struct sid *first,
                                struct memberships *into)
{
	enum pac_wrong wrong = PAC_FINE;
	if (!pointer) {
		n->broken = n->broken || count;
		return PAC_FINE;
	}
	if (get(n, 4) != count)
		n->broken = true;
	struct ndr heads = *n;
	get_bytes(n, n->broken ? 0 : (size_t)count * 8);
	for (uint32_t i = 0; i < count && !n->broken && !wrong; i++) {
		struct sid sid;
		uint32_t at = get(&heads, 4), attributes = get(&heads, 4);
		n->broken = n->broken || heads.broken || !at;
		get_sid(n, &sid);
		if (n->broken)
			break;
		if (i == 0)
			*first = sid;
		wrong = add_group(into, &sid, attributes);
	}
	return wrong;
}

/* KERB_VALIDATION_INFO */
struct logon {
	struct text_head names[8]; /* the account's first; the last is the domain's */
	uint32_t rid, primary, group_count, groups, flags, domain, extra_count, extra, resource_domain, resource_count,
	        resource;
};

enum { NAME_ACCOUNT = 0, NAME_SERVER = 6, NAME_DOMAIN = 7 };

static void get_logon(struct ndr *n, struct logon *l)
{
	get_bytes(n, 6 * 8);
	for (int i = 0; i < NAME_SERVER; i++)
		l->names[i] = get_text_head(n);
	get_bytes(n, 4); /* how often it logged on, and failed to */
	l->rid = get(n, 4);
	l->primary = get(n, 4);
	l->group_count = get(n, 4);
	l->groups = get(n, 4);
	l->flags = get(n, 4);
	get_bytes(n, 16);
	l->names[NAME_SERVER] = get_text_head(n);
	l->names[NAME_DOMAIN] = get_text_head(n);
	l->domain = get(n, 4);
	get_bytes(n, 8 + 4 + 4 + 8 + 8 + 4 + 4);
	l->extra_count = get(n, 4);
	l->extra = get(n, 4);
	l->resource_domain = get(n, 4);
	l->resource_count = get(n, 4);
	l->resource = get(n, 4);
	/* As readers in use do: SIDs stand there without their flag only when there are none. */
	if ((l->extra_count && !(l->flags & EXTRA_SIDS)) || (l->resource_count && !(l->flags & RESOURCE_GROUPS)))
		n->broken = true;
}

/* The header of [MS-RPCE] 2.2.6 and the pointer to the whole. */
static bool get_header(struct ndr *n)
{
	struct slice common = get_bytes(n, 8);
	if (n->broken || memcmp(common.at, "\x01\x10\x08\x00\xcc\xcc\xcc\xcc", 8) != 0)
		return false;
	uint32_t length = get(n, 4);
	get_bytes(n, 4);
	if (n->broken || length > n->all.len - n->at)
		return false;
	n->all = slice_until(n->all, n->at + length);
	return get(n, 4) != 0 && !n->broken;
}

/* What the pointers point at, in their order, which the buffer ends with. */
static enum pac_wrong get_deferred(struct ndr *n, const struct logon *l, struct pac_account *out,
                                   struct sid *first_extra, struct memberships *into)
{
	struct sid resource_domain = {0};
	for (int i = 0; i < NAME_SERVER; i++)
		get_text(n, l->names[i], i == NAME_ACCOUNT ? out->name : NULL);
	/* The groups stand before the SID of their domain. */
	struct ndr groups = *n;
	if (l->groups) {
		get(n, 4);
		get_bytes(n, 8 * (size_t)l->group_count);
	}
	get_text(n, l->names[NAME_SERVER], NULL);
	get_text(n, l->names[NAME_DOMAIN], out->domain);
	if (n->broken || !l->domain)
		return PAC_NOT_VALID;
	get_sid(n, &out->domain_sid);
	if (n->broken)
		return PAC_NOT_VALID;
	enum pac_wrong wrong = get_rids(&groups, l->groups, l->group_count, &out->domain_sid, into);
	if (!wrong)
		wrong = get_extra(n, l->extra, l->extra_count, first_extra, into);
	if (!wrong && l->resource_domain)
		get_sid(n, &resource_domain);
	if (!wrong && !n->broken)
		wrong = get_rids(n, l->resource, l->resource_count, &resource_domain, into);
	if (!wrong && (n->broken || groups.broken || n->all.len - n->at >= PADDING))
		return PAC_NOT_VALID;
	return wrong;
}

/* The account's own SID and its primary group, which the lists may or may not repeat. */
static enum pac_wrong add_account(const struct logon *l, const struct sid *first_extra, struct pac_account *out,
                                  struct memberships *into)
{
	struct sid primary;
	enum pac_wrong wrong = PAC_FINE;
	if (l->rid == 0) /* an account of elsewhere: its SID is the first of the extra ones */
		out->sid = *first_extra;
	else if (!sid_in_domain(&out->domain_sid, l->rid, &out->sid))
		return PAC_NOT_VALID;
	if (sid_is_none(&out->sid) || !out->name[0] || !out->domain[0])
		return PAC_NOT_VALID;
	if (l->primary) {
		if (!sid_in_domain(&out->domain_sid, l->primary, &primary))
			return PAC_NOT_VALID;
		wrong = add(&into->in, &primary);
	}
	return wrong ? wrong : add(&into->in, &out->sid);
}

/* in without not_in, sealed, is the account's; false: the account itself does not count. */
static bool settle(struct memberships *m, struct pac_account *out)
{
	uint32_t kept = 0;
	sid_set_seal(&m->in);
	sid_set_seal(&m->not_in);
	for (uint32_t i = 0; i < m->in.count; i++)
		if (!sid_set_has(&m->not_in, &m->in.at[i]))
			m->in.at[kept++] = m->in.at[i];
	m->in.count = kept;
	out->groups = m->in;
	m->in = (struct sid_set){0};
	return sid_set_has(&out->groups, &out->sid);
}

static enum pac_wrong read_logon(struct slice bytes, struct pac_account *out, const char **why)
{
	struct ndr n = {.all = bytes};
	struct logon l = {0};
	struct sid first_extra = {0};
	struct memberships m = {0};
	*why = "its account data is not framed as it should be";
	if (!get_header(&n))
		return PAC_NOT_VALID;
	get_logon(&n, &l);
	if (n.broken)
		return PAC_NOT_VALID;
	if (l.group_count > GROUPS_MAX || l.extra_count > GROUPS_MAX || l.resource_count > GROUPS_MAX)
		return PAC_TOO_MANY;
	*why = "its account data contradicts itself";
	enum pac_wrong wrong = get_deferred(&n, &l, out, &first_extra, &m);
	if (!wrong)
		wrong = add_account(&l, &first_extra, out, &m);
	if (!wrong && !settle(&m, out))
		wrong = PAC_NOT_VALID;
	sid_set_done(&m.in);
	sid_set_done(&m.not_in);
	return wrong;
}

/* UPN_DNS_INFO with its extension of 2021: two more pairs of length and offset, the second for the account's SID. */
static bool read_upn(struct slice b, struct pac_account *out)
{
	struct ndr n = {.all = b};
	struct sid sid;
	get(&n, 4); /* length and offset of the UPN */
	get(&n, 4); /* of the DNS domain */
	uint32_t flags = get(&n, 4);
	if (n.broken || !(flags & UPN_HAS_SID))
		return !n.broken;
	get(&n, 4); /* of the account's name */
	uint32_t length = get(&n, 2), offset = get(&n, 2);
	if (n.broken || offset > b.len || length > b.len - offset)
		return false;
	struct slice bytes = slice_of(b.at + offset, length);
	if (length == 0 || sid_read(bytes, &sid) != length)
		return false;
	out->requestor_differs = out->requestor_differs || sid_compare(&sid, &out->sid) != 0;
	return true;
}

static bool read_requestor(struct slice b, struct pac_account *out)
{
	struct sid sid;
	size_t n = sid_read(b, &sid);
	if (n == 0 || b.len - n >= PADDING)
		return false;
	out->requestor_differs = out->requestor_differs || sid_compare(&sid, &out->sid) != 0;
	return true;
}

/* false: it is there for the second time. */
static bool take_buffer(struct slice bytes, struct slice *to, bool *has)
{
	bool first = !*has;
	*to = bytes;
	*has = true;
	return first;
}

/* PACTYPE, [MS-PAC] 2.3 and 2.4 */
bool pac_split(struct slice whole, struct pac_buffers *out, bool *has_logon)
{
	enum { HEAD = 8, ROW = 16, ROWS_MAX = 64, LOGON = 1, UPN = 12, REQUESTOR = 18 };
	struct ndr n = {.all = whole};
	uint32_t count = get(&n, 4), version = get(&n, 4);
	bool fine = true;
	*out = (struct pac_buffers){0};
	*has_logon = false;
	if (n.broken || version != 0 || count > ROWS_MAX || whole.len < HEAD + (size_t)count * ROW)
		return false;
	for (uint32_t i = 0; i < count && fine; i++) {
		uint32_t kind = get(&n, 4), length = get(&n, 4), offset = get(&n, 4), high = get(&n, 4);
		if (high || offset < HEAD + count * ROW || offset > whole.len || length > whole.len - offset)
			return false;
		struct slice bytes = slice_of(whole.at + offset, length);
		if (kind == LOGON)
			fine = take_buffer(bytes, &out->logon, has_logon);
		else if (kind == UPN)
			fine = take_buffer(bytes, &out->upn, &out->has_upn);
		else if (kind == REQUESTOR)
			fine = take_buffer(bytes, &out->requestor, &out->has_requestor);
	}
	return fine;
}

enum pac_wrong pac_read(const struct pac_buffers *b, struct pac_account *out, const char **why)
{
	*out = (struct pac_account){0};
	enum pac_wrong wrong = read_logon(b->logon, out, why);
	if (wrong)
		return wrong;
	*why = "its DNS data is not valid";
	if (b->has_upn && !read_upn(b->upn, out))
		return PAC_NOT_VALID;
	*why = "its requestor is not valid";
	if (b->has_requestor && !read_requestor(b->requestor, out))
		return PAC_NOT_VALID;
	return PAC_FINE;
}

void pac_account_done(struct pac_account *a)
{
	sid_set_done(&a->groups);
}
