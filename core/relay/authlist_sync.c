#include "core/relay/authlist_sync.h"

#include "core/base/log.h"
#include "core/crypto/crypto.h"
#include "core/relay/authlist_read.h"
#include "core/relay/authlist_tell.h"
#include "core/relay/directory_watch.h"
#include "core/relay/state_writer.h"

#include <stdio.h>
#include <stdlib.h>

enum { WATCH_MS = 2000, SETTLE_MS = 200, DIRECTORY_WAIT_MS = 10000 };

/* Made by the main thread, filled in by a thread of the pool, looked at by the main thread again. */
struct reading {
	uv_work_t work;
	struct authlist_sync *sync;
	struct authlist_reading got;
	bool stale; /* the file was replaced meanwhile: what was read does not count */
};

struct authlist_sync {
	struct authlist_sync_options o;
	char path[4200];          /* "": no list */
	struct authlist *current; /* NULL: never loaded */
	bool from_copy;           /* current was kept from before the start; its source has not said it since */
	struct reading reading;
	struct directory_watch *directory;
	struct state_writer writer;
	bool busy;       /* a reading is under way */
	bool unsettled;  /* somebody may wait for it, and for what the directory says to it */
	msec_t wait_end; /* but not for ever */
	bool was_settled;
	bool again; /* one more after it */
	bool closing;
	uv_timer_t period, settle; /* every list.refresh_s; after a change, until the file is still */
	uv_fs_poll_t watch;
	unsigned open_handles;
	usec_t started;
	uint64_t failures;
	char problem[640];
	void (*settled)(void *context);
	void *settled_context;
};

/* ---- what was read comes into force ---- */

static void refused(struct authlist_sync *s, const char *problem)
{
	s->failures++;
	snprintf(s->problem, sizeof(s->problem), "%.100s%s %s", s->path, strlen(s->path) > 100 ? "..." : "", problem);
	unsigned long long age_s = s->current ? authlist_age(s->current, clock_now()) / 1000000 : 0;
	if (!s->current)
		event_log(EVENT_LIST_FAILED, "%s; there was no list yet, so nobody is let in", s->problem);
	else if (authlist_too_old(s->current, clock_now()))
		event_log(EVENT_LIST_FAILED,
		          "%s; the last list%s is %llu s old, more than list.max_age_s: nobody is let in", s->problem,
		          s->from_copy ? ", kept in node.state_directory," : "", age_s);
	else
		event_log(EVENT_LIST_FAILED, "%s; the list of %llu s ago%s stays in force up to an age of %u s",
		          s->problem, age_s, s->from_copy ? ", kept in node.state_directory," : "",
		          s->o.settings->list_max_age_s);
}

/* Takes rows. */
static struct err make_list(struct authlist_sync *s, struct authlist_rows *rows,
                            const uint8_t hash[static AUTHLIST_HASH_BYTES], uint64_t generation, int64_t confirmed,
                            struct authlist **out)
{
	struct authlist *bare;
	usec_t max_age = s->o.settings->list_max_age_s * 1000000ull;
	if (!directory_watch_fill(s->directory, rows)) {
		authlist_rows_done(rows);
		return ERR_OF(NO_MEMORY);
	}
	TRY(authlist_new(rows, hash, generation, confirmed, max_age, &bare));
	struct err failed = authlist_with(bare, directory_watch_standings(s->directory), out);
	authlist_unref(bare);
	return failed;
}

static void put_in_force(struct authlist_sync *s, struct authlist *next)
{
	authlist_unref(s->current);
	s->current = next;
	s->o.publish(s->o.context, next);
}

static void take(struct authlist_sync *s, struct authlist_reading *r)
{
	if (!r->good) {
		authlist_rows_done(&r->rows);
		refused(s, r->problem);
		return;
	}
	s->problem[0] = 0;
	bool same = s->current && memcmp(r->hash, authlist_hash(s->current), sizeof(r->hash)) == 0;
	if (same) {
		authlist_rows_done(&r->rows);
		authlist_confirm(s->current, clock_now());
	} else {
		struct authlist *next;
		uint64_t generation = s->current ? authlist_generation(s->current) + 1 : 1;
		struct err failed = make_list(s, &r->rows, r->hash, generation, (int64_t)clock_now(), &next);
		if (failed.code) {
			free(r->document);
			refused(s, err_text(failed));
			return;
		}
		put_in_force(s, next);
	}
	s->from_copy = false;
	state_writer_put(&s->writer, STATE_LIST, r->document, r->document_len);
	authlist_tell(s->current, s->path, same);
}

/* ---- the list of before the start ---- */

/* On clock_now()'s scale. A time to come means that the clock was set back: how old the list really is, nobody knows, so it counts as too old. */
static int64_t confirmed_before(uint64_t confirmed_s, usec_t max_age)
{
	enum { CLOCKS_DIFFER_S = 60 };
	int64_t wall = (int64_t)clock_wall(), now = (int64_t)clock_now();
	if (confirmed_s > (uint64_t)wall / 1000000 + CLOCKS_DIFFER_S)
		return now - (int64_t)max_age - 1;
	int64_t age = wall - (int64_t)confirmed_s * 1000000;
	return age > 0 ? now - age : now;
}

static void not_kept(const char *why)
{
	event_log(EVENT_STATE_REBUILT, "the list of authorized servers kept in node.state_directory is not used: %s",
	          why);
}

/* The source failed at the start. */
static void take_kept(struct authlist_sync *s)
{
	struct state_record kept;
	struct authlist_reading r = {0};
	char *record = NULL;
	usec_t max_age = s->o.settings->list_max_age_s * 1000000ull;
	struct err failed = s->o.state ? state_last(s->o.state, STATE_LIST, &kept, &record) : OK;
	if (failed.code)
		not_kept(err_text(failed));
	if (!record)
		return;
	if (!authlist_read_text(&r, kept.document)) {
		authlist_rows_done(&r.rows);
		not_kept(r.problem);
	} else {
		failed = make_list(s, &r.rows, r.hash, 1, confirmed_before(kept.confirmed_s, max_age), &s->current);
		if (failed.code)
			not_kept(err_text(failed));
		else
			s->o.publish(s->o.context, s->current);
		s->from_copy = !failed.code;
	}
	free(r.document);
	free(record);
}

/* ---- what the directory says ---- */

static void tell_settled(struct authlist_sync *s)
{
	if (!s->unsettled || s->busy)
		return;
	s->unsettled = false;
	s->was_settled = true;
	if (s->settled)
		s->settled(s->settled_context);
}

/* After each reading, whatever came of it. */
static void ask_directory(struct authlist_sync *s)
{
	s->unsettled = true;
	s->wait_end = loop_now(s->o.loop) + DIRECTORY_WAIT_MS;
	if (s->current)
		directory_watch_begin(s->directory, authlist_rows_of(s->current));
	if (!directory_watch_is_busy(s->directory))
		tell_settled(s);
}

/* The list of before with what the directory says now. Without memory the old one stays, and the next round tries again. */
static void on_directory_changed(void *context, bool members)
{
	struct authlist_sync *s = context;
	struct authlist *next = NULL;
	struct authlist_rows rows;
	struct err failed;
	if (!s->current)
		return;
	if (!members) {
		failed = authlist_with(s->current, directory_watch_standings(s->directory), &next);
	} else if (authlist_rows_copy(authlist_rows_of(s->current), &rows)) {
		failed = make_list(s, &rows, authlist_hash(s->current), authlist_generation(s->current),
		                   (int64_t)clock_now() - (int64_t)authlist_age(s->current, clock_now()), &next);
	} else {
		authlist_rows_done(&rows);
		failed = ERR_OF(NO_MEMORY);
	}
	if (failed.code)
		refused(s, err_text(failed));
	else
		put_in_force(s, next);
}

static void on_members_confirmed(void *context, const struct sid *group)
{
	struct authlist_sync *s = context;
	if (s->current)
		authlist_confirm_members(s->current, group, clock_now());
}

static void on_round_ended(void *context)
{
	struct authlist_sync *s = context;
	size_t len = 0;
	char *document = directory_watch_document(s->directory, &len);
	state_writer_put(&s->writer, STATE_DIRECTORY, document, len);
	tell_settled(s);
}

static void take_kept_directory(struct authlist_sync *s)
{
	struct state_record kept;
	char *record = NULL;
	struct err failed = s->o.state ? state_last(s->o.state, STATE_DIRECTORY, &kept, &record) : OK;
	if (!failed.code && record &&
	    !directory_watch_restore(s->directory, kept.document, s->o.settings->list_max_age_s))
		failed = ERR_OF(FILE, .what = "what is kept there is damaged");
	if (failed.code)
		event_log(EVENT_STATE_REBUILT, "what the directory said, kept in node.state_directory, is not used: %s",
		          err_text(failed));
	free(record);
}

void authlist_sync_tick(struct authlist_sync *s)
{
	directory_watch_tick(s->directory);
	if (s->unsettled && loop_now(s->o.loop) >= s->wait_end)
		tell_settled(s);
}

/* ---- when it is read ---- */

static void free_when_over(struct authlist_sync *s)
{
	if (!s->closing || s->busy || s->writer.busy || s->open_handles)
		return;
	for (unsigned kind = 0; kind < STATE_KIND_COUNT; kind++)
		free(s->writer.next[kind].document);
	authlist_unref(s->current);
	free(s);
}

static void begin_reading(struct authlist_sync *s);

static void on_work(uv_work_t *work)
{
	authlist_read_file(&container_of(work, struct reading, work)->got);
}

static void on_work_over(uv_work_t *work, int status)
{
	struct authlist_sync *s = container_of(work, struct reading, work)->sync;
	s->busy = false;
	if (s->closing || s->reading.stale) {
		authlist_rows_done(&s->reading.got.rows);
		free(s->reading.got.document);
	} else if (status == 0) {
		take(s, &s->reading.got);
		ask_directory(s);
	}
	if (s->closing) {
		free_when_over(s);
		return;
	}
	if (s->again) {
		s->again = false;
		begin_reading(s);
	}
	if (!s->busy && !directory_watch_is_busy(s->directory))
		tell_settled(s);
}

static void begin_reading(struct authlist_sync *s)
{
	if (!*s->path || s->closing)
		return;
	if (s->busy) {
		s->again = true;
		return;
	}
	s->reading = (struct reading){.sync = s, .got.path = s->path};
	s->busy = uv_queue_work(&s->o.loop->uv, &s->reading.work, on_work, on_work_over) == 0;
}

static void on_period(uv_timer_t *timer)
{
	begin_reading(timer->data);
}

/* Appeared, vanished or changed; whoever writes it in place may not be through. */
static void on_change(uv_fs_poll_t *watch, int status, const uv_stat_t *before, const uv_stat_t *now)
{
	struct authlist_sync *s = watch->data;
	uv_timer_start(&s->settle, on_period, SETTLE_MS, 0);
}

void authlist_sync_refresh(struct authlist_sync *s)
{
	begin_reading(s);
}

void authlist_sync_on_settled(struct authlist_sync *s, void (*settled)(void *context), void *context)
{
	s->settled = settled;
	s->settled_context = context;
}

const struct authlist *authlist_sync_current(const struct authlist_sync *s)
{
	return s->current;
}

/* ---- the source `local` ---- */

bool authlist_source_is_local(const struct settings *settings)
{
	return strcmp(settings->list_source, "local") == 0;
}

struct err authlist_sync_replace(struct authlist_sync *s, struct slice document,
                                 char problem[static AUTHLIST_DOC_PROBLEM_BYTES])
{
	struct authlist_reading r = {.path = s->path};
	if (!authlist_source_is_local(s->o.settings) || !*s->path) {
		snprintf(problem, AUTHLIST_DOC_PROBLEM_BYTES, "%s",
		         "the list of this node is a file that is put there: change it at its origin, or set "
		         "list.source: "
		         "local");
		return ERR_OF(SETTINGS, .what = problem);
	}
	r.good = authlist_read_text(&r, document) && authlist_write_file(&r);
	if (!r.good) {
		snprintf(problem, AUTHLIST_DOC_PROBLEM_BYTES, "%s", r.problem);
		authlist_rows_done(&r.rows);
		free(r.document);
		return ERR_OF(FILE, .what = problem);
	}
	s->reading.stale = true; /* if one is under way, it may have read the file of before */
	s->again |= s->busy;
	take(s, &r);
	ask_directory(s);
	if (!s->problem[0])
		return OK;
	snprintf(problem, AUTHLIST_DOC_PROBLEM_BYTES, "%.500s",
	         s->problem); /* no memory: in force with the next reading */
	return ERR_OF(NO_MEMORY, .what = problem);
}

/* ---- life ---- */

static void on_kept(struct state_writer *w)
{
	free_when_over(container_of(w, struct authlist_sync, writer));
}

struct err authlist_sync_open(const struct authlist_sync_options *o, struct authlist_sync **out)
{
	struct authlist_sync *s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_OF(NO_MEMORY);
	s->o = *o;
	struct directory_watch_options d = {.loop = o->loop,
	                                    .asks = o->asks,
	                                    .changed = on_directory_changed,
	                                    .confirmed = on_members_confirmed,
	                                    .ended = on_round_ended,
	                                    .context = s};
	struct err failed = directory_watch_open(&d, &s->directory);
	if (failed.code) {
		free(s);
		return failed;
	}
	if (!authlist_source_is_local(o->settings))
		snprintf(s->path, sizeof(s->path), "%s", o->settings->list_file);
	else if (*o->settings->node_state_directory)
		snprintf(s->path, sizeof(s->path), "%s/list.json", o->settings->node_state_directory);
	s->started = clock_now();
	bool writable = o->state && !state_read_only(o->state);
	s->writer = (struct state_writer){.loop = o->loop, .state = writable ? o->state : NULL, .on_idle = on_kept};
	uv_timer_init(&o->loop->uv, &s->period);
	uv_timer_init(&o->loop->uv, &s->settle);
	uv_fs_poll_init(&o->loop->uv, &s->watch);
	s->period.data = s->settle.data = s->watch.data = s;
	s->open_handles = 3;
	*out = s;
	if (!*s->path)
		return OK;
	uint64_t period_ms = o->settings->list_refresh_s * 1000ull;
	uv_timer_start(&s->period, on_period, period_ms, period_ms);
	uv_fs_poll_start(&s->watch, on_change, s->path, WATCH_MS);
	s->reading = (struct reading){.sync = s, .got.path = s->path};
	take_kept_directory(s);
	authlist_read_file(&s->reading.got);
	if (!s->reading.got.good)
		take_kept(s);
	take(s, &s->reading.got);
	ask_directory(s);
	return OK;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct authlist_sync *s = handle->data;
	s->open_handles--;
	free_when_over(s);
}

void authlist_sync_close(struct authlist_sync *s)
{
	if (!s || s->closing)
		return;
	s->closing = true;
	directory_watch_close(s->directory);
	s->directory = NULL;
	uv_close((uv_handle_t *)&s->period, on_handle_closed);
	uv_close((uv_handle_t *)&s->settle, on_handle_closed);
	uv_close((uv_handle_t *)&s->watch, on_handle_closed);
}

void authlist_sync_facts(const struct authlist_sync *s, struct authlist_facts *out)
{
	usec_t now = clock_now();
	*out = (struct authlist_facts){.configured = *s->path, .failures = s->failures, .age = now - s->started};
	snprintf(out->problem, sizeof(out->problem), "%s", s->problem);
	if (!s->current)
		return;
	out->loaded = true;
	out->from_copy = s->from_copy;
	out->too_old = authlist_too_old(s->current, now);
	out->generation = authlist_generation(s->current);
	out->entries = authlist_rows_of(s->current)->entry_count;
	out->denials = authlist_rows_of(s->current)->denial_count;
	out->members_unknown = authlist_members_unknown(s->current, now);
	out->age = authlist_age(s->current, now);
	crypto_hex(authlist_hash(s->current), AUTHLIST_HASH_BYTES, out->hash);
}

const char *authlist_sync_not_ready(const struct authlist_sync *s)
{
	if (s->current && !s->was_settled && authlist_members_unknown(s->current, clock_now()))
		return "the directory is asked who is in groups on the list of authorized servers"; /* for some seconds at most */
	if (s->current)
		return NULL;
	if (*s->path)
		return "the list of authorized servers was never loaded";
	if (s->o.settings->loopback_caller.account)
		return NULL;
	return authlist_source_is_local(s->o.settings) ? "list.source is local, but node.state_directory is not set"
	                                               : "list.file is not set, so nobody is authorized";
}
