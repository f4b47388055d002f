#include "store/directory_record.h"

#include <endian.h>
#include <stdlib.h>

/* ---- writing ---- */

static size_t bytes_of(const struct directory_record *r)
{
	size_t n = 4 + 4;
	for (size_t i = 0; i < r->group_count; i++)
		n += sid_bytes(&r->groups[i].sid) + 8 + 4 + sid_set_bytes(&r->groups[i].members);
	for (size_t i = 0; i < r->account_count; i++)
		n += sid_bytes(&r->accounts[i].sid) + 8 + 1;
	return n;
}

static void put(char **at, const void *bytes, size_t n)
{
	memcpy(*at, bytes, n);
	*at += n;
}

static void put_u32(char **at, size_t value)
{
	uint32_t little = htole32((uint32_t)value);
	put(at, &little, sizeof(little));
}

static void put_sid(char **at, const struct sid *s, uint64_t told_s)
{
	uint64_t little = htole64(told_s);
	put(at, s->bytes, sid_bytes(s));
	put(at, &little, sizeof(little));
}

char *directory_record_write(const struct directory_record *r, size_t *len)
{
	*len = bytes_of(r);
	char *out = *len <= DIRECTORY_RECORD_BYTES_MAX ? malloc(*len) : NULL, *at = out;
	if (!out)
		return NULL;
	put_u32(&at, r->group_count);
	for (size_t i = 0; i < r->group_count; i++) {
		const struct directory_group *g = &r->groups[i];
		put_sid(&at, &g->sid, g->told_s);
		put_u32(&at, g->members.count);
		sid_set_write(&g->members, at);
		at += sid_set_bytes(&g->members);
	}
	put_u32(&at, r->account_count);
	for (size_t i = 0; i < r->account_count; i++) {
		put_sid(&at, &r->accounts[i].sid, r->accounts[i].told_s);
		*at++ = (char)r->accounts[i].state;
	}
	return out;
}

/* ---- reading ---- */

struct reader {
	struct slice left;
	bool broken;
};

static void take(struct reader *r, void *out, size_t n)
{
	if (r->broken || r->left.len < n) {
		r->broken = true;
		memset(out, 0, n);
		return;
	}
	memcpy(out, r->left.at, n);
	r->left = slice_from(r->left, n);
}

static uint32_t take_u32(struct reader *r)
{
	uint32_t little;
	take(r, &little, sizeof(little));
	return le32toh(little);
}

static uint64_t take_u64(struct reader *r)
{
	uint64_t little;
	take(r, &little, sizeof(little));
	return le64toh(little);
}

/* The next one must be larger than the one before. */
static void take_sid(struct reader *r, const struct sid *before, struct sid *out)
{
	size_t n = r->broken ? 0 : sid_read(r->left, out);
	r->left = slice_from(r->left, n);
	if (n == 0 || (before && sid_compare(before, out) >= 0))
		r->broken = true;
}

static void take_members(struct reader *r, struct sid_set *out, size_t *all)
{
	uint32_t count = take_u32(r);
	struct sid one = {0}, before = {0};
	*all += count;
	if (*all > AUTHLIST_MEMBERS_MAX)
		r->broken = true;
	for (uint32_t i = 0; i < count && !r->broken; i++, before = one) {
		take_sid(r, i ? &before : NULL, &one);
		if (!r->broken && !sid_set_add_up_to(out, &one, AUTHLIST_MEMBERS_MAX))
			r->broken = true;
	}
}

/* Room for as many as there can be in what is left, so that a wrong count costs nothing. */
static uint32_t take_count(struct reader *r, uint32_t max, size_t least_bytes)
{
	uint32_t count = take_u32(r);
	if (count > max || count > r->left.len / least_bytes)
		r->broken = true;
	return r->broken ? 0 : count;
}

bool directory_record_read(struct slice bytes, struct directory_record *out)
{
	enum { SID_LEAST = 8, GROUP_LEAST = SID_LEAST + 8 + 4, ACCOUNT_LEAST = SID_LEAST + 8 + 1 };
	struct reader r = {.left = bytes};
	size_t members = 0;
	*out = (struct directory_record){0};
	uint32_t groups = take_count(&r, DIRECTORY_GROUPS_MAX, GROUP_LEAST);
	out->groups = calloc((size_t)groups + 1, sizeof(*out->groups));
	for (uint32_t i = 0; i < groups && out->groups && !r.broken; i++) {
		struct directory_group *g = &out->groups[out->group_count++];
		take_sid(&r, i ? &g[-1].sid : NULL, &g->sid);
		g->told_s = take_u64(&r);
		take_members(&r, &g->members, &members);
	}
	uint32_t accounts = take_count(&r, STANDINGS_MAX, ACCOUNT_LEAST);
	out->accounts = calloc((size_t)accounts + 1, sizeof(*out->accounts));
	for (uint32_t i = 0; i < accounts && out->accounts && !r.broken; i++) {
		struct directory_account *a = &out->accounts[out->account_count++];
		uint8_t state;
		take_sid(&r, i ? &a[-1].sid : NULL, &a->sid);
		a->told_s = take_u64(&r);
		take(&r, &state, sizeof(state));
		if (state != STANDING_DISABLED && state != STANDING_GONE)
			r.broken = true;
		a->state = (enum standing_state)state;
	}
	if (out->groups && out->accounts && !r.broken && r.left.len == 0)
		return true;
	directory_record_done(out);
	return false;
}

void directory_record_done(struct directory_record *r)
{
	for (size_t i = 0; r->groups && i < r->group_count; i++)
		sid_set_done(&r->groups[i].members);
	free(r->groups);
	free(r->accounts);
	*r = (struct directory_record){0};
}
