#include "core/authd/replay.h"

#include "core/base/check.h"

#include <stdlib.h>

enum { ROOM_MIN = 1024 };

/* Both ends of the ciphertext: with every encryption type one of them is a random block that was encrypted, the other (or the same) a keyed hash over
 * all. Only who holds the session key can make two authenticators alike there, and would refuse itself. */
static struct replay_mark mark_of(struct slice authenticator)
{
	struct replay_mark m;
	CHECK(authenticator.len >= REPLAY_CIPHER_MIN);
	memcpy(&m.first, authenticator.at, sizeof(m.first));
	memcpy(&m.last, authenticator.at + authenticator.len - sizeof(m.last), sizeof(m.last));
	if (m.first == 0 && m.last == 0)
		m.first = 1;
	return m;
}

/* Its place, or the free one where it would stand. room is never full. */
static struct replay_mark *place(const struct replay_table *t, struct replay_mark m)
{
	size_t i = (size_t)((m.first ^ m.last) * 0x9e3779b97f4a7c15u >> 20) & (t->room - 1);
	while ((t->slots[i].first || t->slots[i].last) && !(t->slots[i].first == m.first && t->slots[i].last == m.last))
		i = (i + 1) & (t->room - 1);
	return &t->slots[i];
}

static bool is_in(const struct replay_table *t, struct replay_mark m)
{
	if (t->room == 0)
		return false;
	const struct replay_mark *at = place(t, m);
	return at->first || at->last;
}

/* At most half full. false: no memory. */
static bool make_room(struct replay_table *t)
{
	if (t->count * 2 < t->room)
		return true;
	struct replay_table more = {.room = t->room ? t->room * 2 : ROOM_MIN, .count = t->count};
	more.slots = calloc(more.room, sizeof(*more.slots));
	if (!more.slots)
		return false;
	for (size_t i = 0; i < t->room; i++)
		if (t->slots[i].first || t->slots[i].last)
			*place(&more, t->slots[i]) = t->slots[i];
	free(t->slots);
	*t = more;
	return true;
}

struct err replay_init(struct replay *r)
{
	*r = (struct replay){.began = clock_now(), .max = REPLAY_MAX};
	pthread_mutex_init(&r->lock, NULL);
	return OK;
}

void replay_done(struct replay *r)
{
	free(r->now.slots);
	free(r->before.slots);
	r->now = r->before = (struct replay_table){0};
	pthread_mutex_destroy(&r->lock);
}

static enum replay_verdict take(struct replay *r, struct replay_mark m)
{
	usec_t now = clock_now(), age = now - r->began;
	if (age >= REPLAY_KEEP_S * 1000000ull) {
		free(r->before.slots);
		r->before = age < 2 * REPLAY_KEEP_S * 1000000ull ? r->now : (struct replay_table){0};
		if (!r->before.slots)
			free(r->now.slots);
		r->now = (struct replay_table){0};
		r->began = now;
	}
	if (is_in(&r->now, m) || is_in(&r->before, m))
		return REPLAY_SEEN;
	if (r->now.count >= r->max || !make_room(&r->now))
		return REPLAY_FULL;
	*place(&r->now, m) = m;
	r->now.count++;
	return REPLAY_NEW;
}

enum replay_verdict replay_take(struct replay *r, struct slice authenticator)
{
	struct replay_mark m = mark_of(authenticator);
	pthread_mutex_lock(&r->lock);
	enum replay_verdict verdict = take(r, m);
	pthread_mutex_unlock(&r->lock);
	return verdict;
}

size_t replay_count(struct replay *r)
{
	pthread_mutex_lock(&r->lock);
	size_t count = r->now.count + r->before.count;
	pthread_mutex_unlock(&r->lock);
	return count;
}
