#include "core/relay/upstream.h"

#include <stdlib.h>

struct err upstreams_open(struct upstreams *all, struct loop *loop, const struct settings *settings,
                          struct metric_block *metrics, const struct upstream_endpoint *endpoint)
{
	all->list = calloc(settings->credential_count + 1, sizeof(*all->list));
	if (!all->list)
		return ERR_OF(NO_MEMORY);
	for (size_t i = 0; i < settings->credential_count; i++) {
		struct upstream *u = &all->list[i];
		u->credential = &settings->credentials[i];
		u->renews = u->credential->kind == CREDENTIAL_OAUTH2_SECRET ||
		            u->credential->kind == CREDENTIAL_OAUTH2_CERTIFICATE ||
		            u->credential->kind == CREDENTIAL_EXEC;
		list_init(&u->awaiting);
		all->count++;
		TRY(upstream_pool_open(&u->pool, loop, settings, metrics, endpoint, u->credential));
	}
	return OK;
}

void upstreams_close(struct upstreams *all)
{
	for (size_t i = 0; i < all->count; i++)
		upstream_pool_close(&all->list[i].pool);
}

void upstreams_done(struct upstreams *all)
{
	for (size_t i = 0; i < all->count; i++) {
		struct upstream *u = &all->list[i];
		upstream_pool_done(&u->pool);
		credential_words_unref(u->words);
		credential_words_unref(u->offered);
	}
	free(all->list);
	*all = (struct upstreams){0};
}

struct upstream *upstreams_find(struct upstreams *all, enum authlist_role role, const struct sid *entry)
{
	struct upstream *found = NULL;
	for (size_t i = 0; i < all->count; i++) {
		const struct credential_settings *c = all->list[i].credential;
		for (size_t k = 0; entry && k < c->entry_count; k++)
			if (sid_compare(&c->entries[k], entry) == 0)
				return &all->list[i];
		if (c->roles & 1u << role)
			found = &all->list[i];
	}
	return found;
}

void upstreams_offer(struct upstreams *all, size_t index, struct credential_words *words)
{
	struct credential_words **slot = &all->list[index].offered;
	credential_words_unref(__atomic_exchange_n(slot, credential_words_ref(words), __ATOMIC_ACQ_REL));
}

bool upstreams_take(struct upstreams *all)
{
	bool taken = false;
	for (size_t i = 0; i < all->count; i++) {
		struct upstream *u = &all->list[i];
		struct credential_words *w = __atomic_exchange_n(&u->offered, NULL, __ATOMIC_ACQ_REL);
		if (!w)
			continue;
		credential_words_unref(u->words);
		u->words = w;
		taken = true;
	}
	return taken;
}

bool upstream_refused(struct upstream *u, uint32_t serial, msec_t now)
{
	if (!u->renews)
		return false;
	if (serial == u->refused_serial || serial != u->words->serial)
		return true; /* those who asked with it at the same time; newer ones are here already */
	if (u->refused_serial && now - u->refused_at < UPSTREAM_REFUSED_PAUSE_MS)
		return false;
	u->refused_serial = serial;
	u->refused_at = now;
	__atomic_store_n(&u->refusal, serial, __ATOMIC_RELEASE);
	return true;
}

uint32_t upstream_refusal(struct upstream *u)
{
	return __atomic_exchange_n(&u->refusal, 0, __ATOMIC_ACQ_REL);
}
