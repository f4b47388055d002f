#include "core/base/sid.h"

#include "core/base/check.h"

#include <stdio.h>
#include <stdlib.h>

static const char hex_digits[] = "0123456789ABCDEF";

/* Of the SID at the beginning; 0: there is none. */
static size_t length_of(struct slice bytes)
{
	if (bytes.len < 8 || bytes.at[0] != 1)
		return 0;
	uint8_t subs = (uint8_t)bytes.at[1];
	size_t n = 8 + 4 * (size_t)subs;
	return subs == 0 || subs > SID_SUBS_MAX || bytes.len < n ? 0 : n;
}

size_t sid_read(struct slice bytes, struct sid *out)
{
	size_t n = length_of(bytes);
	if (n == 0)
		return 0;
	*out = (struct sid){0};
	memcpy(out->bytes, bytes.at, n);
	return n;
}

static uint64_t authority_of(const struct sid *s)
{
	uint64_t value = 0;
	for (int i = 2; i < 8; i++)
		value = value << 8 | s->bytes[i];
	return value;
}

static uint32_t sub_of(const struct sid *s, size_t i)
{
	const uint8_t *at = s->bytes + 8 + 4 * i;
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void set_sub(struct sid *s, size_t i, uint32_t value)
{
	for (int k = 0; k < 4; k++)
		s->bytes[8 + 4 * i + (size_t)k] = (uint8_t)(value >> (8 * k));
}

/* A decimal number below 2^32 without needless zeros, cut off the beginning of the text. */
static bool take_number(struct slice *text, uint64_t *out)
{
	size_t n = 0;
	uint64_t value = 0;
	for (; n < text->len && text->at[n] >= '0' && text->at[n] <= '9'; n++) {
		if (n == 10)
			return false;
		value = value * 10 + (uint64_t)(text->at[n] - '0');
	}
	if (n == 0 || (n > 1 && text->at[0] == '0') || value > UINT32_MAX)
		return false;
	*text = slice_from(*text, n);
	*out = value;
	return true;
}

/* 0x and twelve digits: Windows writes authorities that way when they do not fit 32 bits. */
static bool take_wide_authority(struct slice *text, uint64_t *out)
{
	if (text->len < 14)
		return false;
	uint64_t value = 0;
	for (size_t i = 2; i < 14; i++) {
		char c = text->at[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
		            : c >= 'A' && c <= 'F' ? c - 'A' + 10
		            : c >= 'a' && c <= 'f' ? c - 'a' + 10
		                                   : -1;
		if (digit < 0)
			return false;
		value = value << 4 | (uint64_t)digit;
	}
	*text = slice_from(*text, 14);
	*out = value;
	return value > UINT32_MAX;
}

bool sid_parse(struct slice text, struct sid *out)
{
	struct sid s = {.bytes = {1}};
	if (text.len < 4 || (text.at[0] != 'S' && text.at[0] != 's') || memcmp(text.at + 1, "-1-", 3) != 0)
		return false;
	text = slice_from(text, 4);
	uint64_t authority;
	if (!(slice_starts_with(text, SLICE("0x")) ? take_wide_authority(&text, &authority)
	                                           : take_number(&text, &authority)))
		return false;
	for (int i = 7; i >= 2; i--, authority >>= 8)
		s.bytes[i] = (uint8_t)authority;
	for (; text.len; s.bytes[1]++) {
		uint64_t sub;
		if (s.bytes[1] == SID_SUBS_MAX || text.at[0] != '-')
			return false;
		text = slice_from(text, 1);
		if (!take_number(&text, &sub))
			return false;
		set_sub(&s, s.bytes[1], (uint32_t)sub);
	}
	if (s.bytes[1] == 0)
		return false;
	*out = s;
	return true;
}

size_t sid_print(const struct sid *s, char *out)
{
	char *at = out;
	*at = 0;
	if (sid_is_none(s))
		return 0;
	uint64_t authority = authority_of(s);
	at += sprintf(at, "S-1-");
	if (authority <= UINT32_MAX) {
		at += sprintf(at, "%lu", (unsigned long)authority);
	} else {
		*at++ = '0';
		*at++ = 'x';
		for (int shift = 44; shift >= 0; shift -= 4)
			*at++ = hex_digits[authority >> shift & 15];
	}
	for (size_t i = 0; i < s->bytes[1]; i++)
		at += sprintf(at, "-%lu", (unsigned long)sub_of(s, i));
	return (size_t)(at - out);
}

int sid_compare(const struct sid *a, const struct sid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool sid_with_rid(const struct sid *domain, uint32_t rid, struct sid *out)
{
	if (sid_is_none(domain) || domain->bytes[1] >= SID_SUBS_MAX)
		return false;
	*out = *domain;
	set_sub(out, out->bytes[1]++, rid);
	return true;
}

static bool begins_as_domain(const struct sid *s)
{
	return s->bytes[0] == 1 && authority_of(s) == 5 && sub_of(s, 0) == 21;
}

bool sid_is_domain(const struct sid *s)
{
	return s->bytes[1] == 4 && begins_as_domain(s);
}

bool sid_is_domain_object(const struct sid *s)
{
	return s->bytes[1] == 5 && begins_as_domain(s);
}

bool sid_is_of_domain(const struct sid *s, const struct sid *domain)
{
	if (sid_is_none(s) || sid_is_none(domain) || s->bytes[1] != domain->bytes[1] + 1)
		return false;
	return memcmp(s->bytes + 2, domain->bytes + 2, sid_bytes(domain) - 2) == 0;
}

/* ---- sets ---- */

bool sid_set_add_up_to(struct sid_set *set, const struct sid *s, uint32_t limit)
{
	if (set->count >= limit || sid_is_none(s))
		return false;
	if (set->count == set->room) {
		uint32_t room = set->room ? set->room * 2 : 32;
		struct sid *at = realloc(set->at, room * sizeof(*at));
		if (!at)
			return false;
		set->at = at;
		set->room = room;
	}
	set->at[set->count++] = *s;
	return true;
}

bool sid_set_add(struct sid_set *set, const struct sid *s)
{
	return sid_set_add_up_to(set, s, SID_SET_MAX);
}

bool sid_set_copy(const struct sid_set *set, struct sid_set *out)
{
	*out = (struct sid_set){0};
	if (set->count == 0)
		return true;
	out->at = malloc(set->count * sizeof(*out->at));
	if (!out->at)
		return false;
	memcpy(out->at, set->at, set->count * sizeof(*out->at));
	out->count = out->room = set->count;
	return true;
}

bool sid_set_equal(const struct sid_set *a, const struct sid_set *b)
{
	return a->count == b->count && (a->count == 0 || memcmp(a->at, b->at, a->count * sizeof(*a->at)) == 0);
}

static int compare_members(const void *a, const void *b)
{
	return sid_compare(a, b);
}

static bool is_rising(const struct sid_set *set)
{
	for (uint32_t i = 1; i < set->count; i++)
		if (sid_compare(&set->at[i - 1], &set->at[i]) >= 0)
			return false;
	return true;
}

void sid_set_seal(struct sid_set *set)
{
	if (is_rising(set))
		return;
	qsort(set->at, set->count, sizeof(*set->at), compare_members);
	uint32_t kept = 1;
	for (uint32_t i = 1; i < set->count; i++)
		if (sid_compare(&set->at[i], &set->at[kept - 1]) != 0)
			set->at[kept++] = set->at[i];
	set->count = kept;
}

bool sid_set_has(const struct sid_set *set, const struct sid *s)
{
	return set->count && bsearch(s, set->at, set->count, sizeof(*set->at), compare_members);
}

void sid_set_done(struct sid_set *set)
{
	free(set->at);
	*set = (struct sid_set){0};
}

size_t sid_set_bytes(const struct sid_set *set)
{
	size_t n = 0;
	for (uint32_t i = 0; i < set->count; i++)
		n += sid_bytes(&set->at[i]);
	return n;
}

void sid_set_write(const struct sid_set *set, char *out)
{
	for (uint32_t i = 0; i < set->count; i++) {
		size_t n = sid_bytes(&set->at[i]);
		memcpy(out, set->at[i].bytes, n);
		out += n;
	}
}

/* They are compared where they stand: two of different length differ before the shorter one ends, in their second byte. */
bool sid_set_is_valid(struct slice bytes, uint32_t count)
{
	const char *last = NULL;
	if (count > SID_SET_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		size_t n = length_of(bytes);
		if (n == 0 || (last && memcmp(last, bytes.at, n) >= 0))
			return false;
		last = bytes.at;
		bytes = slice_from(bytes, n);
	}
	return bytes.len == 0;
}

bool sid_set_read(struct slice bytes, uint32_t count, struct sid_set *out)
{
	sid_set_done(out);
	if (!sid_set_is_valid(bytes, count))
		return false;
	if (count == 0)
		return true;
	out->at = calloc(count, sizeof(*out->at));
	if (!out->at)
		return false;
	out->room = count;
	for (; out->count < count; out->count++) {
		size_t n = length_of(bytes);
		memcpy(out->at[out->count].bytes, bytes.at, n);
		bytes = slice_from(bytes, n);
	}
	return true;
}
