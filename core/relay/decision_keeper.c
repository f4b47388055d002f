#include "core/relay/decision_keeper.h"

#include "core/base/log.h"

#include <stdlib.h>

struct decision_keeper {
	struct loop *loop;
	struct decisions *decisions;
	uv_work_t work;
	char *document; /* [DECISION_SEGMENT_BYTES]; of the thread of the pool while busy */
	size_t len;
	uint32_t segment;
	struct err failed; /* of the last write; written by the thread of the pool */
	bool busy, failing, closing;
};

static void on_work(uv_work_t *work)
{
	struct decision_keeper *k = container_of(work, struct decision_keeper, work);
	k->failed = decisions_keep(k->decisions, k->segment, slice_of(k->document, k->len));
}

static void note(struct decision_keeper *k, struct err failed)
{
	if (failed.code && !k->failing)
		event_log(EVENT_DECISIONS_FAILED,
		          "%s%s%s; callers are served all the same: free the disk, or let the node write "
		          "node.state_directory",
		          err_text(failed), failed.sys ? ": " : "", failed.sys ? db_strerror(failed.sys) : "");
	else if (!failed.code && k->failing)
		event_log(EVENT_DECISIONS_RECOVERED, "they are kept over a restart");
	k->failing = failed.code != ERR_NONE;
	if (failed.code)
		decisions_not_kept(k->decisions, k->segment);
}

static void write_next(struct decision_keeper *k);

static void on_work_over(uv_work_t *work, int status)
{
	struct decision_keeper *k = container_of(work, struct decision_keeper, work);
	k->busy = false;
	if (status == 0)
		note(k, k->failed);
	if (k->closing) {
		decision_keeper_close(k);
		return;
	}
	if (status == 0 && !k->failing) /* else the next second tries again */
		write_next(k);
}

static void write_next(struct decision_keeper *k)
{
	k->len = decisions_dirty(k->decisions, &k->segment, k->document);
	if (k->len == 0)
		return;
	k->busy = uv_queue_work(&k->loop->uv, &k->work, on_work, on_work_over) == 0;
	if (!k->busy)
		decisions_not_kept(k->decisions, k->segment);
}

void decision_keeper_tick(struct decision_keeper *k)
{
	decisions_take(k->decisions);
	if (!k->busy)
		write_next(k);
}

struct err decision_keeper_open(struct loop *l, struct decisions *decisions, struct decision_keeper **out)
{
	struct decision_keeper *k = calloc(1, sizeof(*k));
	if (!k)
		return ERR_OF(NO_MEMORY);
	*k = (struct decision_keeper){.loop = l, .decisions = decisions, .document = malloc(DECISION_SEGMENT_BYTES)};
	if (!k->document) {
		free(k);
		return ERR_OF(NO_MEMORY);
	}
	*out = k;
	return OK;
}

void decision_keeper_close(struct decision_keeper *k)
{
	if (!k)
		return;
	k->closing = true;
	if (k->busy)
		return;
	decisions_take(k->decisions);
	while (!k->failing && (k->len = decisions_dirty(k->decisions, &k->segment, k->document)))
		note(k, decisions_keep(k->decisions, k->segment, slice_of(k->document, k->len)));
	free(k->document);
	free(k);
}
