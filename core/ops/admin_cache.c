/* cache stats, cache show, cache invalidate: the answers of the cloud that are remembered. */
#include "core/crypto/crypto.h"
#include "core/ops/admin_call.h"
#include "core/relay/cache_keeper.h"
#include "proto/rms_op.h"

#include <strings.h>

/* NULL: the call has ended. */
static struct cache_keeper *keeper(struct admin_call *c)
{
	struct cache_keeper *found = c->source->cache;
	if (!found)
		admin_fail(c, EX_CONFIG, "set cache.enabled: true in the configuration, and restart the node",
		           "nothing is remembered: cache.enabled is false");
	return found;
}

/* --operation: *out is its name as the rows have it, or NULL when it is not given. False: the call has ended. */
static bool operation(struct admin_call *c, const char **out)
{
	const char *given = admin_text(c, "operation");
	*out = NULL;
	for (unsigned i = 0; given && i < OP_NONE; i++)
		if (rms_ops[i].cache != CACHE_NEVER && strcasecmp(rms_ops[i].name.at, given) == 0)
			*out = rms_ops[i].name.at;
	if (!given || *out)
		return true;
	admin_fail(c, EX_USAGE, "rms-connectorctl cache stats names those that are",
	           "%s is no operation whose answers are remembered", given);
	return false;
}

static json_t *operations_json(const struct stats_source *s)
{
	static const struct {
		const char *key;
		enum metric_id metric;
	} columns[] = {{"hits", METRIC_cache_hits},
	               {"misses", METRIC_cache_misses},
	               {"shared", METRIC_cache_shared},
	               {"old", METRIC_cache_stale},
	               {"stored", METRIC_cache_stored}};
	json_t *all = json_array();
	for (unsigned i = 0; i < OP_NONE; i++) {
		if (rms_ops[i].cache == CACHE_NEVER)
			continue;
		json_t *o = json_object();
		admin_set(o, "operation", json_string(rms_ops[i].name.at));
		for (size_t k = 0; k < ARRAY_COUNT(columns); k++)
			admin_set(o, columns[k].key,
			          json_integer(metric_sum(s->blocks, s->block_count, columns[k].metric, i, 0)));
		json_array_append_new(all, o);
	}
	return all;
}

void admin_run_cache_stats(struct admin_call *c)
{
	struct cache_keeper *k = keeper(c);
	if (!k)
		return;
	struct cache_facts f = cache_facts(cache_keeper_cache(k));
	json_t *o = json_object();
	admin_set(o, "answers", json_integer((json_int_t)f.count));
	admin_set(o, "bytes", json_integer((json_int_t)f.bytes));
	admin_set(o, "bytes_max", json_integer((json_int_t)f.bytes_max));
	admin_set(o, "on_disk", json_boolean(f.on_disk));
	admin_set(o, "templates", json_boolean(c->source->settings->cache_templates));
	admin_set(o, "loaded", json_integer((json_int_t)f.loaded));
	admin_set(o, "damaged", json_integer((json_int_t)f.damaged));
	admin_set(o, "evicted", json_integer((json_int_t)f.evicted));
	admin_set(o, "expired", json_integer((json_int_t)f.expired));
	admin_set(o, "removed", json_integer((json_int_t)f.purged));
	admin_set(o, "operations", operations_json(c->source->stats));
	admin_done(c, o);
}

static json_t *answer_json(const struct cached *a)
{
	static const uint8_t everybody[CACHED_SCOPE_BYTES];
	const struct cached_facts *f = &a->facts;
	char key[2 * CACHED_KEY_BYTES + 1], entry[2 * CACHED_SCOPE_BYTES + 1];
	json_t *o = json_object();
	crypto_hex(f->key, 8, key);
	crypto_hex(f->entry, CACHED_SCOPE_BYTES, entry);
	admin_set(o, "operation", json_string(f->operation));
	admin_set(o, "key", json_string(key));
	admin_set(o, "entry", memcmp(f->entry, everybody, sizeof(everybody)) ? json_string(entry) : json_null());
	admin_set(o, "bytes", json_integer((json_int_t)a->body.len));
	admin_set(o, "from", admin_time((int64_t)f->born_s));
	admin_set(o, "until", admin_time((int64_t)f->fresh_until_s));
	admin_set(o, "if_away_until", admin_time((int64_t)f->stale_until_s));
	return o;
}

void admin_run_cache_show(struct admin_call *c)
{
	enum { SHOWN = 200, SHOWN_MAX = 4096 };
	const struct cached *a;
	const char *only;
	uint32_t limit, shown = 0;
	struct cache_keeper *k = keeper(c);
	if (!k || !operation(c, &only) || !admin_number(c, "limit", SHOWN, 1, SHOWN_MAX, &limit))
		return;
	json_t *o = json_object(), *all = json_array();
	for (size_t i = 0; (a = cache_row(cache_keeper_cache(k), i)) && shown < limit; i++) {
		if (only && strcmp(only, a->facts.operation))
			continue;
		json_array_append_new(all, answer_json(a));
		shown++;
	}
	admin_set(o, "answers", all);
	admin_done(c, o);
}

void admin_run_cache_invalidate(struct admin_call *c)
{
	const char *only;
	struct cache_keeper *k = keeper(c);
	if (!k || !operation(c, &only))
		return;
	size_t gone = cache_keeper_invalidate(k, only);
	json_t *o = json_object();
	admin_set(o, "removed", json_integer((json_int_t)gone));
	admin_say(c, "%zu remembered answers%s%s are gone; the cloud is asked again", gone, only ? " of " : "",
	          only ? only : "");
	admin_done(c, o);
}
