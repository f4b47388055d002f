#include "core/relay/cache_keeper.h"

#include "core/base/log.h"

#include <stdlib.h>

/* A snapshot, and the search for what the disk does not have, cost as much as there are answers, however few came. So what comes together goes
 * together; the worker that remembered an answer has it at once. */
enum { PUBLISH_MS = 20, PUBLISH_EACH_MS = 250 };

struct cache_keeper {
	struct cache_keeper_options o;
	uv_timer_t publish;
	msec_t published;
	uv_work_t work;
	struct cache_batch *batch; /* under way */
	struct err failed;         /* of the last write; written by the thread of the pool */
	bool again;                /* and then the next */
	bool failing, closing, timer_closed, unpublished;
	uint8_t list[AUTHLIST_HASH_BYTES]; /* the last one that was looked at */
};

/* ---- to the workers ---- */

static void publish(struct cache_keeper *k)
{
	struct cache_index *index = cache_snapshot(k->o.cache);
	k->published = loop_now(k->o.loop);
	k->unpublished = index == NULL;
	if (!index)
		return; /* the next second tries again */
	k->o.publish(k->o.context, index);
	cache_index_unref(index);
}

static void on_publish(uv_timer_t *timer)
{
	publish(timer->data);
}

static void publish_soon(struct cache_keeper *k)
{
	msec_t since = loop_now(k->o.loop) - k->published;
	k->unpublished = true;
	if (!uv_is_active((uv_handle_t *)&k->publish))
		uv_timer_start(&k->publish, on_publish,
		               since + PUBLISH_MS < PUBLISH_EACH_MS ? PUBLISH_EACH_MS - since : PUBLISH_MS, 0);
}

void cache_keeper_take(struct cache_keeper *k, struct cached *answer, uint64_t purges)
{
	if (!k->closing && purges == cache_purges(k->o.cache) && cache_put(k->o.cache, answer))
		publish_soon(k);
	cached_unref(answer);
}

/* ---- to the disk ---- */

static void on_work(uv_work_t *work)
{
	struct cache_keeper *k = container_of(work, struct cache_keeper, work);
	k->failed = cache_batch_write(k->o.cache, k->batch);
}

static void note(struct cache_keeper *k, struct err failed)
{
	if (failed.code && !k->failing)
		event_log(EVENT_CACHE_FAILED,
		          "%s%s%s; answers are remembered in memory, and are fetched anew after a restart: free the "
		          "disk, or let the node write node.state_directory",
		          err_text(failed), failed.sys ? ": " : "", failed.sys ? db_strerror(failed.sys) : "");
	else if (!failed.code && k->failing)
		event_log(EVENT_CACHE_RECOVERED, "answers are kept over a restart");
	k->failing = failed.code != ERR_NONE;
}

static void end_if_over(struct cache_keeper *k)
{
	if (k->closing && k->timer_closed && !k->batch)
		free(k);
}

static void write_next(struct cache_keeper *k);

static void on_work_over(uv_work_t *work, int status)
{
	struct cache_keeper *k = container_of(work, struct cache_keeper, work);
	if (status == 0)
		note(k, k->failed);
	bool more = cache_batch_is_full(k->batch) || k->again;
	cache_batch_over(k->o.cache, k->batch, status == 0 && !k->failed.code);
	k->batch = NULL;
	if (more && status == 0 && !k->failing) /* else the next second goes on, or tries again */
		write_next(k);
	end_if_over(k);
}

static void write_next(struct cache_keeper *k)
{
	k->again = k->batch;
	if (k->batch)
		return;
	k->batch = cache_batch_take(k->o.cache);
	if (!k->batch || uv_queue_work(&k->o.loop->uv, &k->work, on_work, on_work_over) == 0)
		return;
	cache_batch_over(k->o.cache, k->batch, false);
	k->batch = NULL;
}

/* ---- what goes ---- */

static bool is_of_nobody(const struct cached *row, void *list)
{
	static const uint8_t none[CACHED_SCOPE_BYTES];
	_Static_assert((int)CACHED_SCOPE_BYTES == (int)AUTHLIST_ENTRY_ID_BYTES, "an entry's id as it stands");
	if (memcmp(row->facts.entry, none, sizeof(none)) == 0)
		return false;
	const struct authlist *l = list;
	for (uint32_t i = 0; i < authlist_rows_of(l)->entry_count; i++)
		if (memcmp(authlist_entry_id_of(l, i)->bytes, row->facts.entry, sizeof(none)) == 0)
			return false;
	return true;
}

void cache_keeper_list(struct cache_keeper *k, const struct authlist *list)
{
	if (memcmp(k->list, authlist_hash(list), sizeof(k->list)) == 0)
		return;
	memcpy(k->list, authlist_hash(list), sizeof(k->list));
	cache_purge(k->o.cache, is_of_nobody, (void *)(uintptr_t)list);
	publish(k);
}

static bool is_of_operation(const struct cached *row, void *operation)
{
	return !operation || strcmp(row->facts.operation, operation) == 0;
}

size_t cache_keeper_invalidate(struct cache_keeper *k, const char *operation)
{
	size_t gone = cache_purge(k->o.cache, is_of_operation, (void *)(uintptr_t)operation);
	publish(k);
	write_next(k);
	return gone;
}

void cache_keeper_tick(struct cache_keeper *k)
{
	if (cache_expire(k->o.cache, clock_wall() / 1000000) || k->unpublished)
		publish_soon(k);
	write_next(k);
}

const struct cache *cache_keeper_cache(const struct cache_keeper *k)
{
	return k->o.cache;
}

/* ---- beginning and end ---- */

struct err cache_keeper_open(const struct cache_keeper_options *o, struct cache_keeper **out)
{
	struct cache_keeper *k = calloc(1, sizeof(*k));
	if (!k)
		return ERR_OF(NO_MEMORY);
	k->o = *o;
	uv_timer_init(&o->loop->uv, &k->publish);
	k->publish.data = k;
	publish(k);
	*out = k;
	return OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct cache_keeper *k = handle->data;
	k->timer_closed = true;
	end_if_over(k);
}

void cache_keeper_close(struct cache_keeper *k)
{
	if (!k)
		return;
	k->closing = true;
	if (!k->failing)
		write_next(k);
	uv_close((uv_handle_t *)&k->publish, on_timer_closed);
}
