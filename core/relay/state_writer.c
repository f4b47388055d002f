#include "core/relay/state_writer.h"

#include "core/base/log.h"

#include <stdlib.h>

static void on_work(uv_work_t *work)
{
	struct state_writer *w = container_of(work, struct state_writer, work);
	struct state_record r = {.confirmed_s = w->now.confirmed_s, .document = slice_of(w->now.document, w->now.len)};
	w->failed = state_keep(w->state, w->kind, &r);
}

static void note_failure(struct state_writer *w, struct err failed)
{
	if (failed.code && !w->failing)
		event_log(EVENT_STATE_FAILED,
		          "%s%s%s; the node goes on, but if the source of the list is away at its next start, it then "
		          "has an older list or none: free the disk, or let the node write node.state_directory",
		          err_text(failed), failed.sys ? ": " : "", failed.sys ? db_strerror(failed.sys) : "");
	else if (!failed.code && w->failing)
		event_log(EVENT_STATE_RECOVERED, "the last good list of authorized servers is kept again");
	w->failing = failed.code != ERR_NONE;
}

static void begin(struct state_writer *w);

static void on_work_over(uv_work_t *work, int status)
{
	struct state_writer *w = container_of(work, struct state_writer, work);
	free(w->now.document);
	w->now.document = NULL;
	w->busy = false;
	if (status == 0)
		note_failure(w, w->failed);
	begin(w);
	if (!w->busy)
		w->on_idle(w);
}

static void begin(struct state_writer *w)
{
	enum state_kind kind = 0;
	while (kind < STATE_KIND_COUNT && !w->next[kind].document)
		kind++;
	if (w->busy || kind == STATE_KIND_COUNT)
		return;
	w->now = w->next[kind];
	w->kind = kind;
	w->next[kind].document = NULL;
	w->busy = uv_queue_work(&w->loop->uv, &w->work, on_work, on_work_over) == 0;
	if (!w->busy) {
		free(w->now.document);
		w->now.document = NULL;
	}
}

void state_writer_put(struct state_writer *w, enum state_kind kind, char *document, size_t len)
{
	if (!w->state || !document) {
		free(document);
		return;
	}
	free(w->next[kind].document);
	w->next[kind] = (struct writing){document, len, clock_wall() / 1000000};
	begin(w);
}
