/* Buffers of a PAC as a domain controller writes them, for tests: NDR with its markers, and where every pointer and count of it stands. */
#pragma once
#include "core/base/check.h"
#include "core/base/sid.h"

#include <stdlib.h>

enum { BUILT_MAX = 400 * 1024, BUILT_MARKS = 64, BUILT_WHOLE = 7 /* mandatory, by default, enabled */ };

struct built_group {
	uint32_t rid, attributes;
};

struct built_extra {
	const char *sid;
	uint32_t attributes;
};

struct built_account { /* what is to be written; zero is none */
	const char *account, *full_name, *domain, *domain_sid;
	uint32_t rid, primary;
	const struct built_group *groups;
	uint32_t group_count;
	const struct built_extra *extra;
	uint32_t extra_count;
	const char *resource_domain;
	const struct built_group *resource;
	uint32_t resource_count;
	uint32_t flags_off; /* taken out of the flags that belong to the lists */
};

struct built {
	char *at; /* owned */
	size_t len, used /* without the padding at the end */;
	size_t pointers[BUILT_MARKS], pointer_count; /* where they stand */
	size_t counts[BUILT_MARKS], count_count;     /* of lists, strings and SIDs */
};

static void built_put(struct built *b, uint64_t value, size_t bytes)
{
	for (; b->len % bytes; b->len++)
		b->at[b->len] = 0;
	CHECK(b->len + bytes <= BUILT_MAX);
	for (size_t i = 0; i < bytes; i++)
		b->at[b->len++] = (char)(value >> (8 * i));
}

static void built_pointer(struct built *b, bool there)
{
	if (b->pointer_count < BUILT_MARKS)
		b->pointers[b->pointer_count++] = b->len;
	built_put(b, there ? 0x20000 + 4 * b->len : 0, 4);
}

static void built_count(struct built *b, uint32_t n)
{
	b->len = (b->len + 3) & ~(size_t)3;
	if (b->count_count < BUILT_MARKS)
		b->counts[b->count_count++] = b->len;
	built_put(b, n, 4);
}

/* Like Windows: the room of some strings is two bytes more than they are long. */
static void built_text_head(struct built *b, const char *text, size_t more)
{
	size_t n = text ? 2 * strlen(text) : 0;
	built_put(b, n, 2);
	built_put(b, text ? n + more : 0, 2);
	built_pointer(b, text);
}

static void built_text(struct built *b, const char *text, size_t more)
{
	if (!text)
		return;
	built_count(b, (uint32_t)(strlen(text) + more / 2));
	built_count(b, 0);
	built_count(b, (uint32_t)strlen(text));
	for (; *text; text++)
		built_put(b, (uint8_t)*text, 2);
}

static struct sid built_sid_of(const char *text)
{
	struct sid s;
	CHECK(sid_parse(slice_str(text), &s));
	return s;
}

static void built_sid(struct built *b, const char *text)
{
	if (!text)
		return;
	struct sid s = built_sid_of(text);
	built_count(b, s.bytes[1]);
	memcpy(b->at + b->len, s.bytes, sid_bytes(&s));
	b->len += sid_bytes(&s);
}

static void built_rids(struct built *b, const struct built_group *groups, uint32_t n)
{
	if (!n)
		return;
	built_count(b, n);
	for (uint32_t i = 0; i < n; i++) {
		built_put(b, groups[i].rid, 4);
		built_put(b, groups[i].attributes, 4);
	}
}

static void built_extras(struct built *b, const struct built_extra *extra, uint32_t n)
{
	if (!n)
		return;
	built_count(b, n);
	for (uint32_t i = 0; i < n; i++) {
		built_pointer(b, true);
		built_put(b, extra[i].attributes, 4);
	}
	for (uint32_t i = 0; i < n; i++)
		built_sid(b, extra[i].sid);
}

static void built_fill(struct built *b, size_t words)
{
	while (words--)
		built_put(b, 0, 4);
}

/* KERB_VALIDATION_INFO; ended with free(b.at). */
static struct built build_logon(const struct built_account *a)
{
	struct built b = {.at = calloc(1, BUILT_MAX)};
	CHECK(b.at);
	memcpy(b.at, "\x01\x10\x08\x00\xcc\xcc\xcc\xcc", 8);
	b.len = 16;
	built_pointer(&b, true);
	for (int i = 0; i < 6; i++)
		built_put(&b, 0x01da0000u + (unsigned)i, 4), built_put(&b, 0x7fffffff, 4);
	built_text_head(&b, a->account, 2);
	built_text_head(&b, a->full_name, 0);
	for (int i = 0; i < 4; i++)
		built_text_head(&b, "", 0);
	built_put(&b, 12, 2);
	built_put(&b, 0, 2);
	built_put(&b, a->rid, 4);
	built_put(&b, a->primary, 4);
	built_count(&b, a->group_count);
	built_pointer(&b, a->group_count);
	uint32_t flags = (a->extra_count ? 0x20 : 0) | (a->resource_count ? 0x200 : 0);
	built_put(&b, flags & ~a->flags_off, 4);
	built_fill(&b, 4);
	built_text_head(&b, "DC1", 2);
	built_text_head(&b, a->domain, 2);
	built_pointer(&b, a->domain_sid);
	built_fill(&b, 2);
	built_put(&b, 0x10, 4);
	built_fill(&b, 7);
	built_count(&b, a->extra_count);
	built_pointer(&b, a->extra_count);
	built_pointer(&b, a->resource_domain);
	built_count(&b, a->resource_count);
	built_pointer(&b, a->resource_count);
	CHECK(b.len == 20 + 216);
	built_text(&b, a->account, 2);
	built_text(&b, a->full_name, 0);
	for (int i = 0; i < 4; i++)
		built_text(&b, "", 0);
	built_rids(&b, a->groups, a->group_count);
	built_text(&b, "DC1", 2);
	built_text(&b, a->domain, 2);
	built_sid(&b, a->domain_sid);
	built_extras(&b, a->extra, a->extra_count);
	built_sid(&b, a->resource_domain);
	built_rids(&b, a->resource, a->resource_count);
	b.used = b.len;
	built_fill(&b, b.len % 8 ? 1 : 0);
	b.at[8] = (char)(b.len - 16);
	b.at[9] = (char)((b.len - 16) >> 8);
	b.at[10] = (char)((b.len - 16) >> 16);
	return b;
}

/* UPN_DNS_INFO with a SID, unless that is NULL. out: 256 bytes. */
static struct slice build_upn(const char *sid, char out[static 256])
{
	struct built b = {.at = out};
	memset(out, 0, 256);
	built_put(&b, 12, 2), built_put(&b, 24, 2); /* the UPN */
	built_put(&b, 8, 2), built_put(&b, 36, 2);  /* the DNS domain */
	built_put(&b, sid ? 2 : 0, 4);
	built_put(&b, 4, 2), built_put(&b, 44, 2); /* the account */
	struct sid s = sid ? built_sid_of(sid) : (struct sid){0};
	built_put(&b, sid ? sid_bytes(&s) : 0, 2), built_put(&b, 48, 2);
	memcpy(out + 24, "a\0@\0c\0.\0t\0x\0c\0.\0t\0x\0a\0b\0", 24);
	memcpy(out + 48, s.bytes, sid ? sid_bytes(&s) : 0);
	return slice_of(out, 48 + (sid ? sid_bytes(&s) : 0));
}
