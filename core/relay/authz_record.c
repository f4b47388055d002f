#include "core/relay/authz_record.h"

#include "core/crypto/crypto.h"

#include <stdio.h>

static bool is_the_same(const struct decision *a, const struct decision *b)
{
	return a->reason == b->reason && a->entry == b->entry && a->denial == b->denial &&
	       a->generation == b->generation && memcmp(a->hash, b->hash, sizeof(a->hash)) == 0;
}

static uint32_t age_s(int64_t at)
{
	int64_t now = (int64_t)clock_now(), age = at == AUTHLIST_NEVER || at > now ? 0 : (now - at) / 1000000;
	return at == AUTHLIST_NEVER ? UINT32_MAX : age < UINT32_MAX ? (uint32_t)age : UINT32_MAX - 1;
}

static void name_row(const struct authlist_object *o, char out[static DECISION_TEXT_BYTES])
{
	char id[AUTHLIST_ID_BYTES];
	snprintf(out, DECISION_TEXT_BYTES, "%s", authlist_object_id(o, id));
}

static void fill_from_list(struct decision_record *d, const struct authlist *l, const struct principal *who)
{
	const struct authlist_rows *rows = authlist_rows_of(l);
	const struct standing *standing = standings_find(authlist_standings(l), &who->sid);
	d->list_age_s = (uint32_t)(authlist_age(l, clock_now()) / 1000000);
	if (who->decision.entry != AUTHLIST_NO_ROW)
		name_row(&rows->entries[who->decision.entry].object, d->entry);
	if (who->decision.denial != AUTHLIST_NO_ROW)
		name_row(&rows->denials[who->decision.denial].object, d->denial);
	if (d->reason == DECIDED_ALLOWED_MEMBER)
		d->members_age_s = age_s(authlist_members_at(l, false, who->decision.entry));
	if (d->reason == DECIDED_DENIED_MEMBER)
		d->members_age_s = age_s(authlist_members_at(l, true, who->decision.denial));
	if (standing)
		d->standing_age_s = age_s(standing->at);
}

static void hash_sids(const struct principal *who, uint8_t out[static 16])
{
	uint8_t digest[CRYPTO_SHA256_BYTES];
	struct crypto_sha256 sum;
	crypto_sha256_start(&sum);
	crypto_sha256_add(&sum, &who->sid, sizeof(who->sid));
	if (who->groups.count)
		crypto_sha256_add(&sum, who->groups.at, who->groups.count * sizeof(*who->groups.at));
	crypto_sha256_add(&sum, who->principal, strlen(who->principal));
	crypto_sha256_end(&sum, digest);
	memcpy(out, digest, 16);
}

void authz_record(struct exchange *x, struct principal *who, const struct decision *before)
{
	struct relay *r = x->relay;
	msec_t now = loop_now(r->loop);
	uint32_t good_s = who->decision.verdict == VERDICT_YES ? DECISION_YES_S : DECISION_NO_S;
	if (!r->decisions || (who->decision_id && is_the_same(before, &who->decision) && now < who->record_until))
		return;
	struct decision_record d = {.at_s = clock_wall() / 1000000,
	                            .reason = who->decision.reason,
	                            .role = who->decision.role,
	                            .sid = who->sid,
	                            .group_count = who->groups.count,
	                            .generation = who->decision.generation,
	                            .members_age_s = UINT32_MAX,
	                            .standing_age_s = UINT32_MAX};
	if (++r->decision_id == 0)
		r->decision_id = 1;
	d.id = who->decision_id = r->decision_id;
	d.until_s = d.at_s + good_s;
	who->record_until = now + good_s * 1000ull;
	memcpy(d.hash, who->decision.hash, sizeof(d.hash));
	snprintf(d.account, sizeof(d.account), "%.*s", (int)sizeof(d.account) - 1, who->account);
	client_conn_address(x->client, d.address);
	hash_sids(who, d.sids);
	if (r->list)
		fill_from_list(&d, r->list, who);
	decisions_note(r->decisions, &d);
}
