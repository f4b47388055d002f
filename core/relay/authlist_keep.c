#include "core/relay/authlist_keep.h"

#include "core/base/log.h"

#include <stdlib.h>

static void on_work(uv_work_t *work)
{
	struct authlist_keep *k = container_of(work, struct authlist_keep, work);
	k->failed = state_keep_list(k->state, &(struct state_list){.confirmed_s = k->confirmed_s,
	                                                           .document = slice_of(k->writing, k->writing_len)});
}

static void note_failure(struct authlist_keep *k, struct err failed)
{
	if (failed.code && !k->failing)
		event_log(EVENT_STATE_FAILED,
		          "%s%s%s; the node goes on, but if the source of the list is away at its next start, it then "
		          "has an older list or none: free the disk, or let the node write node.state_directory",
		          err_text(failed), failed.sys ? ": " : "", failed.sys ? db_strerror(failed.sys) : "");
	else if (!failed.code && k->failing)
		event_log(EVENT_STATE_RECOVERED, "the last good list of authorized servers is kept again");
	k->failing = failed.code != ERR_NONE;
}

static void begin(struct authlist_keep *k);

static void on_work_over(uv_work_t *work, int status)
{
	struct authlist_keep *k = container_of(work, struct authlist_keep, work);
	free(k->writing);
	k->writing = NULL;
	k->busy = false;
	if (status == 0)
		note_failure(k, k->failed);
	begin(k);
	if (!k->busy)
		k->on_idle(k);
}

static void begin(struct authlist_keep *k)
{
	if (k->busy || !k->next)
		return;
	k->writing = k->next;
	k->writing_len = k->next_len;
	k->confirmed_s = k->next_confirmed_s;
	k->next = NULL;
	k->busy = uv_queue_work(&k->loop->uv, &k->work, on_work, on_work_over) == 0;
	if (!k->busy) {
		free(k->writing);
		k->writing = NULL;
	}
}

void authlist_keep_put(struct authlist_keep *k, char *document, size_t len)
{
	if (!k->state) {
		free(document);
		return;
	}
	free(k->next);
	k->next = document;
	k->next_len = len;
	k->next_confirmed_s = clock_wall() / 1000000;
	begin(k);
}
