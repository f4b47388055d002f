#include "core/ops/super_users.h"

#include "core/base/log.h"
#include "core/relay/authd_ask.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 1000, ASK_MS = 60 * 1000, NAMED_MAX = 10, TEXT_BYTES = 800 };

/*   tick -> (list.refresh_s are over, or another list) -> for each group: members -> (new ones: accounts -> event) -> keep     */
struct super_users {
	struct super_users_options o;
	uv_timer_t timer;
	json_t *known; /* {SID of the group: {SID of a member: true}} */
	json_t *queue; /* of a round: [{"sid", "name"}] */
	json_t *new;   /* SIDs that came to the group at queue[at], and how many there were before; NULL: none came */
	bool first;    /* the group itself is new: these are all */
	size_t at, before;
	bool asking, dirty, closing;
	uint64_t generation; /* of the list of the last round */
	usec_t looked;
	char path[4200]; /* "": nothing is kept */
};

/* ---- what is kept ---- */

static bool is_known(const json_t *o)
{
	const char *group, *member;
	json_t *members, *value;
	json_object_foreach((json_t *)(uintptr_t)o, group, members)
	{
		if (!json_is_object(members))
			return false;
		json_object_foreach(members, member, value) if (!json_is_true(value)) return false;
	}
	return json_is_object(o);
}

/* A file that is not right is no loss but of one comparison: what is seen next is what counts. */
static json_t *read_known(const char *path)
{
	json_error_t error;
	int fd = *path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	json_t *o = NULL;
	if (fd >= 0 && size <= SUPER_USER_FILE_BYTES && lseek(fd, 0, SEEK_SET) == 0)
		o = json_loadfd(fd, JSON_REJECT_DUPLICATES, &error);
	if (fd >= 0)
		close(fd);
	if (o && is_known(o))
		return o;
	json_decref(o);
	return json_object();
}

static void keep(struct super_users *s)
{
	char beside[sizeof(s->path) + 8];
	if (!s->dirty || !*s->path)
		return;
	snprintf(beside, sizeof(beside), "%s.new", s->path);
	unlink(beside);
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool written = fd >= 0 && json_dumpfd(s->known, fd, JSON_COMPACT) == 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	if (written && rename(beside, s->path) == 0)
		s->dirty = false; /* else the next round tries again */
	else
		unlink(beside);
}

/* ---- a round ---- */

static void ask_next(struct super_users *s);

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "";
}

static void tell(struct super_users *s, const json_t *accounts)
{
	const json_t *group = json_array_get(s->queue, s->at);
	char text[TEXT_BYTES];
	size_t count = json_array_size(s->new), n = 0, i, k;
	json_t *sid, *row;
	text[0] = 0;
	json_array_foreach(s->new, i, sid)
	{
		const char *name = "";
		if (i == NAMED_MAX || n + 200 > sizeof(text))
			break;
		json_array_foreach(accounts, k, row) if (json_equal(json_object_get(row, "sid"), sid)) name =
		        text_of(row, "name");
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.100s%s%.80s%s", i ? ", " : "", name,
		                      *name ? " (" : "", json_string_value(sid), *name ? ")" : "");
	}
	if (s->first)
		event_log(EVENT_SUPER_USERS_ADDED, "%.200s %s: %zu account%s%s%s%s", text_of(group, "name"),
		          text_of(group, "sid"), count, count == 1 ? "" : "s", count ? ": " : "", text,
		          i < count ? " and more" : "");
	else
		event_log(EVENT_SUPER_USERS_GREW, "%.200s %s: %zu new among what were %zu: %s%s",
		          text_of(group, "name"), text_of(group, "sid"), count, s->before, text,
		          i < count ? " and more" : "");
	json_decref(s->new);
	s->new = NULL;
}

static void on_named(void *data, const json_t *answer, struct err why)
{
	struct super_users *s = data;
	tell(s, json_object_get(answer, "accounts"));
	s->at++;
	ask_next(s);
}

/* What is new against old; old NULL: the group is seen for the first time. Whoever added it by hand to a file was not asked to confirm how many its
 * members are. */
static void compare(struct super_users *s, const json_t *old, const json_t *now)
{
	const char *member;
	json_t *value;
	s->before = json_object_size(old);
	s->first = !old;
	if (s->first)
		s->new = json_array();
	json_object_foreach((json_t *)(uintptr_t)now, member, value)
	{
		if (json_object_get(old, member))
			continue;
		if (!s->new)
			s->new = json_array();
		json_array_append_new(s->new, json_string(member));
	}
}

static json_t *set_of(const json_t *members)
{
	size_t i;
	json_t *sid, *set = json_object();
	json_array_foreach(members, i, sid) if (json_is_string(sid))
	        json_object_set_new(set, json_string_value(sid), json_true());
	return set;
}

static bool ask_names(struct super_users *s)
{
	json_t *some = json_array(), *sid;
	size_t i;
	json_array_foreach(s->new, i, sid) if (i < NAMED_MAX) json_array_append(some, sid);
	return authd_ask_put(s->o.asks, json_pack("{s:s, s:o}", "ask", "accounts", "sids", some), ASK_MS, on_named, s);
}

static void on_members(void *data, const json_t *answer, struct err why)
{
	struct super_users *s = data;
	const char *group = text_of(json_array_get(s->queue, s->at), "sid");
	const json_t *members = json_object_get(answer, "members");
	/* Without a whole answer nothing is known, and nothing is forgotten. */
	if (json_is_true(json_object_get(answer, "ok")) && json_is_array(members) &&
	    !json_is_true(json_object_get(answer, "truncated"))) {
		json_t *now = set_of(members), *old = json_object_get(s->known, group);
		compare(s, old, now);
		s->dirty |= !old || !json_equal(old, now);
		json_object_set_new(s->known, group, now);
	}
	if (json_array_size(s->new) && ask_names(s))
		return;
	if (s->new)
		tell(s, NULL);
	s->at++;
	ask_next(s);
}

static void end_round(struct super_users *s)
{
	keep(s);
	json_decref(s->queue);
	s->queue = NULL;
	s->asking = false;
}

static void ask_next(struct super_users *s)
{
	for (; s->at < json_array_size(s->queue); s->at++) {
		const char *sid = text_of(json_array_get(s->queue, s->at), "sid");
		if (authd_ask_put(s->o.asks, json_pack("{s:s, s:s}", "ask", "members", "sid", sid), ASK_MS, on_members,
		                  s))
			return;
	}
	end_round(s);
}

/* What the list does not name any more is forgotten: added again, it is confirmed again. */
static void forget_others(struct super_users *s)
{
	const char *group;
	void *next;
	json_t *members, *row;
	size_t i;
	json_object_foreach_safe(s->known, next, group, members)
	{
		bool wanted = false;
		json_array_foreach(s->queue, i, row) wanted |= strcmp(text_of(row, "sid"), group) == 0;
		if (!wanted) {
			json_object_del(s->known, group);
			s->dirty = true;
		}
	}
}

static void begin_round(struct super_users *s, const struct authlist *list)
{
	const struct authlist_rows *rows = authlist_rows_of(list);
	s->queue = json_array();
	for (size_t i = 0; i < rows->entry_count && json_array_size(s->queue) < SUPER_USER_GROUPS_MAX; i++) {
		const struct authlist_entry *e = &rows->entries[i];
		char sid[SID_TEXT_BYTES];
		bool single = e->kind == AUTHLIST_KIND_USER || e->kind == AUTHLIST_KIND_COMPUTER ||
		              e->kind == AUTHLIST_KIND_GMSA;
		if (e->role != AUTHLIST_ROLE_EXCHANGE || single || sid_is_none(&e->object.sid))
			continue;
		sid_print(&e->object.sid, sid);
		json_array_append_new(
		        s->queue, json_pack("{s:s, s:s}", "sid", sid, "name", e->object.name ? e->object.name : ""));
	}
	s->generation = authlist_generation(list);
	s->looked = clock_now();
	s->asking = true;
	s->at = 0;
	forget_others(s);
	ask_next(s);
}

static void on_tick(uv_timer_t *timer)
{
	struct super_users *s = timer->data;
	const struct authlist *list = authlist_sync_current(s->o.list);
	bool due = list && (authlist_generation(list) != s->generation ||
	                    clock_now() - s->looked >= (usec_t)s->o.settings->list_refresh_s * 1000000);
	if (due && !s->asking)
		begin_round(s, list);
}

/* ---- life ---- */

struct err super_users_open(const struct super_users_options *o, struct super_users **out)
{
	const char *directory = o->settings->node_state_directory;
	*out = NULL;
	if (!o->list || !o->asks)
		return OK;
	struct super_users *s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_OF(NO_MEMORY);
	s->o = *o;
	if (*directory)
		snprintf(s->path, sizeof(s->path), "%s/super-users.json", directory);
	s->known = read_known(s->path);
	uv_timer_init(&o->loop->uv, &s->timer);
	s->timer.data = s;
	uv_timer_start(&s->timer, on_tick, TICK_MS, TICK_MS);
	*out = s;
	return OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct super_users *s = handle->data;
	json_decref(s->known);
	json_decref(s->queue);
	json_decref(s->new);
	free(s);
}

void super_users_close(struct super_users *s)
{
	if (!s || s->closing)
		return;
	s->closing = true;
	authd_ask_cancel(s->o.asks, s);
	uv_close((uv_handle_t *)&s->timer, on_closed);
}
