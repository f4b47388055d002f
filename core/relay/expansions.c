#include "core/relay/expansions.h"

#include <stdlib.h>

void expansions_done(struct expansions *x)
{
	for (size_t i = 0; i < x->count; i++)
		sid_set_done(&x->at[i].members);
	free(x->at);
	*x = (struct expansions){0};
}

/* Where it is, or belongs. */
static size_t place_of(const struct expansions *x, const struct sid *group)
{
	size_t from = 0, to = x->count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (sid_compare(&x->at[middle].sid, group) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static struct expansion *find(const struct expansions *x, const struct sid *group)
{
	size_t i = place_of(x, group);
	return i < x->count && sid_compare(&x->at[i].sid, group) == 0 ? &x->at[i] : NULL;
}

const struct expansion *expansions_find(const struct expansions *x, const struct sid *group)
{
	return find(x, group);
}

static bool fill_object(struct expansions *x, struct authlist_object *o, enum authlist_members_need need)
{
	struct expansion *e = need == MEMBERS_NO_NEED ? NULL : find(x, &o->sid);
	o->need = need;
	o->members_at = e ? e->at : AUTHLIST_NEVER;
	sid_set_done(&o->members);
	if (!e)
		return true;
	e->wanted = true;
	return sid_set_copy(&e->members, &o->members);
}

static void drop_unwanted(struct expansions *x)
{
	size_t kept = 0;
	for (size_t i = 0; i < x->count; i++) {
		if (x->at[i].wanted) {
			x->at[kept++] = x->at[i];
			continue;
		}
		x->members -= x->at[i].members.count;
		sid_set_done(&x->at[i].members);
	}
	x->count = kept;
}

bool expansions_fill(struct expansions *x, struct authlist_rows *rows)
{
	bool good = true;
	for (size_t i = 0; i < x->count; i++)
		x->at[i].wanted = false;
	for (size_t i = 0; i < rows->entry_count && good; i++)
		good = fill_object(x, &rows->entries[i].object, authlist_entry_need(&rows->entries[i]));
	for (size_t i = 0; i < rows->denial_count && good; i++)
		good = fill_object(x, &rows->denials[i].object, authlist_denial_need(&rows->denials[i]));
	if (good)
		drop_unwanted(x);
	return good;
}

static struct expansion *insert(struct expansions *x, const struct sid *group)
{
	if (x->count == x->room) {
		size_t room = x->room ? x->room * 2 : 16;
		struct expansion *grown = reallocarray(x->at, room, sizeof(*grown));
		if (!grown)
			return NULL;
		x->at = grown;
		x->room = room;
	}
	size_t i = place_of(x, group);
	memmove(&x->at[i + 1], &x->at[i], (x->count - i) * sizeof(*x->at));
	x->count++;
	x->at[i] = (struct expansion){.sid = *group, .at = AUTHLIST_NEVER, .wanted = true};
	return &x->at[i];
}

enum expansion_change expansions_put(struct expansions *x, const struct sid *group, struct sid_set *members, int64_t at)
{
	sid_set_seal(members);
	struct expansion *e = find(x, group);
	size_t others = x->members - (e ? e->members.count : 0);
	bool too_many = others + members->count > AUTHLIST_MEMBERS_MAX, fresh = !e;
	if (!too_many && !e)
		e = insert(x, group);
	if (too_many || !e) {
		sid_set_done(members);
		return too_many ? EXPANSION_TOO_MANY : EXPANSION_NO_MEMORY;
	}
	e->at = at;
	if (!fresh && sid_set_equal(&e->members, members)) {
		sid_set_done(members);
		return EXPANSION_SAME;
	}
	sid_set_done(&e->members);
	e->members = *members;
	x->members = others + members->count;
	*members = (struct sid_set){0};
	return EXPANSION_CHANGED;
}
