#include "core/relay/principal.h"

#include <stdlib.h>

void principals_open(struct principals *all, struct metric_block *metrics)
{
	for (size_t i = 0; i < PRINCIPAL_BUCKETS; i++)
		list_init(&all->buckets[i]);
	list_init(&all->unused);
	all->metrics = metrics;
}

static void destroy(struct principals *all, struct principal *p)
{
	list_remove(&p->in_bucket);
	all->count--;
	metric_set(all->metrics, METRIC_principals, 0, 0, all->count);
	sid_set_done(&p->groups);
	free(p->account);
	free(p->principal);
	free(p);
}

static void drop_oldest_unused(struct principals *all)
{
	struct principal *p = container_of(list_first(&all->unused), struct principal, unused);
	list_remove(&p->unused);
	all->unused_count--;
	destroy(all, p);
}

void principals_close(struct principals *all)
{
	while (all->unused_count)
		drop_oldest_unused(all);
	CHECK(all->count == 0);
}

/* As FNV-1a, but eight bytes at a time, because an account's SIDs are some kilobytes: what goes in was proven by a domain controller's signature, so
 * nobody steers it. */
static uint32_t mix(uint32_t hash, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;
	uint64_t wide = hash, word;
	for (; n >= sizeof(word); b += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, b, sizeof(word));
		wide = (wide ^ word) * 1099511628211u;
		wide ^= wide >> 32; /* what is in the upper half counts too */
	}
	for (; n; b++, n--)
		wide = (wide ^ *b) * 1099511628211u;
	return (uint32_t)(wide ^ wide >> 32);
}

/* Rounded down to a sixteenth of the longest time: an identity never outlives its time, and the connections of some minutes share one. */
static uint64_t end_of(uint64_t ticket_s, uint32_t max_age_s, uint64_t wall_s)
{
	uint64_t step = max_age_s / 16 ? max_age_s / 16 : 1, own = (wall_s + max_age_s) / step * step;
	return ticket_s < own ? ticket_s : own;
}

static bool is_same(const struct principal *p, const struct authd_reply *r, uint64_t until_s,
                    const struct sid_set *groups)
{
	return p->how == r->mechanism && p->until_s == until_s && sid_compare(&p->sid, &r->sid) == 0 &&
	       slice_equal(slice_str(p->account), r->account) && slice_equal(slice_str(p->principal), r->principal) &&
	       p->groups.count == groups->count &&
	       (groups->count == 0 || memcmp(p->groups.at, groups->at, groups->count * sizeof(*groups->at)) == 0);
}

static struct principal *make(const struct authd_reply *r, uint64_t until_s, struct sid_set *groups)
{
	struct principal *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	list_init(&p->in_bucket);
	list_init(&p->unused);
	p->how = r->mechanism;
	p->sid = r->sid;
	p->until_s = until_s;
	p->account = strndup(r->account.at, r->account.len);
	p->principal = strndup(r->principal.len ? r->principal.at : "", r->principal.len);
	if (!p->account || !p->principal) {
		free(p->account);
		free(p->principal);
		free(p);
		return NULL;
	}
	p->groups = *groups;
	*groups = (struct sid_set){0};
	sid_print(&p->sid, p->sid_text);
	return p;
}

struct principal *principal_intern(struct principals *all, const struct authd_reply *r, uint32_t max_age_s, msec_t now,
                                   uint64_t wall_s)
{
	struct sid_set groups = {0};
	uint64_t until_s = end_of(r->until_s, max_age_s, wall_s);
	if (r->sid_count && !sid_set_read(r->sids, r->sid_count, &groups))
		return NULL;
	uint32_t hash = mix(2166136261u, r->sid.bytes, sizeof(r->sid.bytes));
	hash = mix(hash, r->account.at, r->account.len);
	hash = mix(hash, r->sids.at, r->sids.len);
	hash = mix(hash, &until_s, sizeof(until_s));
	struct list *bucket = &all->buckets[hash % PRINCIPAL_BUCKETS];
	list_for_each (link, bucket) {
		struct principal *p = container_of(link, struct principal, in_bucket);
		if (p->hash == hash && is_same(p, r, until_s, &groups)) {
			sid_set_done(&groups);
			principal_ref(all, p);
			return p;
		}
	}
	struct principal *p = make(r, until_s, &groups);
	if (!p) {
		sid_set_done(&groups);
		return NULL;
	}
	p->refs = 1;
	p->hash = hash;
	p->until = now + (until_s > wall_s ? (until_s - wall_s) * 1000 : 0);
	list_push_back(bucket, &p->in_bucket);
	all->count++;
	metric_set(all->metrics, METRIC_principals, 0, 0, all->count);
	return p;
}

void principal_ref(struct principals *all, struct principal *p)
{
	if (p->refs++ == 0) {
		list_remove(&p->unused);
		all->unused_count--;
	}
}

void principal_unref(struct principals *all, struct principal *p)
{
	if (!p || --p->refs > 0)
		return;
	list_push_back(&all->unused, &p->unused);
	all->unused_count++;
	if (all->unused_count > PRINCIPALS_UNUSED_MAX)
		drop_oldest_unused(all);
}

uint32_t principal_account_hash(const struct principal *p)
{
	uint32_t hash = mix(2166136261u, p->sid.bytes, sizeof(p->sid.bytes));
	if (sid_is_none(&p->sid))
		hash = mix(hash, p->account, strlen(p->account));
	return hash ? hash : 1; /* 0 says that nobody was proven yet */
}
