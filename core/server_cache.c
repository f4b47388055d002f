#include "core/server_cache.h"

#include "core/base/log.h"

#include <errno.h>
#include <stdlib.h>

struct err server_cache_open(struct server *s)
{
	static char problem[DB_PROBLEM_BYTES];
	const struct settings *set = s->settings;
	if (!set->cache_enabled)
		return OK;
	/* Without a state this process has no lock that says that the directory is its own. */
	const char *directory = s->kept ? set->node_state_directory : NULL;
	TRY(cache_open(directory, set->cache_size_bytes, clock_wall() / 1000000, &s->cache, problem));
	struct cache_facts f = cache_facts(s->cache);
	if (*problem)
		event_log(f.on_disk ? EVENT_CACHE_REBUILT : EVENT_CACHE_FAILED, "%s", problem);
	else if (f.damaged)
		event_log(EVENT_CACHE_REBUILT, "%llu records of node.state_directory/cache were dropped, %llu are good",
		          (unsigned long long)f.damaged, (unsigned long long)f.loaded);
	return OK;
}

static void publish(void *context, struct cache_index *index)
{
	struct server *s = context;
	for (uint32_t i = 0; i < s->worker_count; i++)
		worker_offer_cache(&s->workers[i], index);
}

struct remembered {
	struct server *server;
	struct cached *answer;
	uint64_t purges;
};

static void on_remembered_here(void *told)
{
	struct remembered *r = told;
	if (r->server->cache_keeper)
		cache_keeper_take(r->server->cache_keeper, r->answer, r->purges);
	else
		cached_unref(r->answer);
	free(r);
}

/* In the worker's thread. Losing one costs a question to the cloud. */
static void on_remembered(struct relay *relay, struct cached *answer, uint64_t purges)
{
	struct worker *w = relay->owner;
	struct server *s = w->owner;
	struct remembered *r = malloc(sizeof(*r));
	if (r) {
		*r = (struct remembered){s, answer, purges};
		if (loop_post(&s->loop, on_remembered_here, r))
			return;
	}
	free(r);
	cached_unref(answer);
}

struct err server_cache_start(struct server *s)
{
	if (!s->cache)
		return OK;
	for (uint32_t i = 0; i < s->worker_count; i++)
		s->workers[i].relay.on_remembered = on_remembered;
	struct cache_keeper_options o = {.loop = &s->loop, .cache = s->cache, .publish = publish, .context = s};
	return cache_keeper_open(&o, &s->cache_keeper);
}

void server_cache_list(struct server *s, const struct authlist *list)
{
	if (s->cache_keeper)
		cache_keeper_list(s->cache_keeper, list);
}

void server_cache_stop(struct server *s)
{
	cache_keeper_close(s->cache_keeper);
	s->cache_keeper = NULL;
}

void server_cache_close(struct server *s)
{
	cache_close(s->cache);
	s->cache = NULL;
}
