#include "core/relay/accounts.h"

#include "core/base/list.h"
#include "core/base/log.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { BUCKETS = 1024, MINUTE_US = 60 * 1000 * 1000 };

struct account {
	struct account *next; /* in its bucket */
	char *sid, *name;
	uint32_t seen; /* enum account_seen; atomic */
	/* Atomic */
	uint64_t let_in_s; /* since the clock's start, and 1: when the list last let it in; 0: never */
	uint64_t conflict; /* a hash of what was told about its entries */
	bool by_ticket, doubted;
	/* Main thread */
	usec_t asked; /* when the directory was last asked about it; 0: never */
	bool not_ours;
	/* Under the lock */
	usec_t minute; /* when the minute began in which it was told of */
	unsigned told; /* in that minute */
	bool refused;  /* and told at all */
	usec_t refused_told;
	uint64_t refused_more; /* counted since */
	const char *why;
	char address[ACCOUNT_ADDRESS_BYTES]; /* of the last refusal */
	struct account_view last;            /* at 0: nothing was decided yet */
};

static struct {
	pthread_mutex_t lock;
	struct account *buckets[BUCKETS];
	unsigned count;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static unsigned bucket_of(const char *key)
{
	uint32_t hash = 2166136261u;
	for (; *key; key++)
		hash = (hash ^ (uint8_t)*key) * 16777619u;
	return hash % BUCKETS;
}

static struct account *make(const char *sid, const char *name)
{
	struct account *a = table.count < ACCOUNTS_MAX ? calloc(1, sizeof(*a)) : NULL;
	if (!a)
		return NULL;
	a->sid = strdup(sid);
	a->name = strdup(name);
	if (!a->sid || !a->name) {
		free(a->sid);
		free(a->name);
		free(a);
		return NULL;
	}
	table.count++;
	return a;
}

struct account *accounts_find(const char *sid, const char *name)
{
	struct account **bucket = &table.buckets[bucket_of(*sid ? sid : name)], *a;
	pthread_mutex_lock(&table.lock);
	for (a = *bucket; a; a = a->next)
		if (strcmp(a->sid, sid) == 0 && (*sid || strcmp(a->name, name) == 0))
			break;
	if (!a && (a = make(sid, name))) {
		a->next = *bucket;
		*bucket = a;
	}
	pthread_mutex_unlock(&table.lock);
	return a;
}

uint32_t account_seen(const struct account *a)
{
	return __atomic_load_n(&a->seen, __ATOMIC_RELAXED);
}

void account_conflicts(struct account *a, const char *text)
{
	uint64_t hash = *text ? 14695981039346656037ull : 0;
	for (const char *c = text; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 1099511628211ull;
	if (__atomic_exchange_n(&a->conflict, hash, __ATOMIC_RELAXED) != hash && hash)
		event_log_each(EVENT_SEVERAL_ENTRIES, "%s%s%s: %s", a->name, *a->sid ? " " : "", a->sid, text);
}

/* ---- for the directory ---- */

void account_relies(struct account *a, bool by_ticket)
{
	__atomic_store_n(&a->let_in_s, clock_now() / 1000000 + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&a->by_ticket, by_ticket, __ATOMIC_RELAXED);
}

void account_doubt(struct account *a)
{
	__atomic_store_n(&a->doubted, true, __ATOMIC_RELAXED);
}

static bool belongs(struct account *a, enum accounts_which which, usec_t now)
{
	uint64_t let_in_s = __atomic_load_n(&a->let_in_s, __ATOMIC_RELAXED), now_s = now / 1000000 + 1;
	bool let_in = let_in_s && now_s - let_in_s <= ACCOUNT_RELIED_S;
	if (which == ACCOUNTS_LET_IN)
		return let_in;
	if (which == ACCOUNTS_BY_TICKET)
		return let_in && __atomic_load_n(&a->by_ticket, __ATOMIC_RELAXED);
	bool due = !a->asked || now - a->asked >= (usec_t)ACCOUNT_ASKED_S * 1000000;
	return due && !a->not_ours && __atomic_load_n(&a->doubted, __ATOMIC_RELAXED);
}

size_t accounts_collect(enum accounts_which which, struct sid *out, size_t room)
{
	usec_t now = clock_now();
	size_t count = 0;
	pthread_mutex_lock(&table.lock);
	for (unsigned i = 0; table.count && i < BUCKETS; i++)
		for (struct account *a = table.buckets[i]; a && count < room; a = a->next) {
			if (!*a->sid || !belongs(a, which, now) || !sid_parse(slice_str(a->sid), &out[count]))
				continue;
			count++;
			if (which == ACCOUNTS_DOUBTED) {
				a->asked = now;
				__atomic_store_n(&a->doubted, false, __ATOMIC_RELAXED);
			}
		}
	pthread_mutex_unlock(&table.lock);
	return count;
}

void account_answered(const struct sid *sid, enum account_answer answer)
{
	char text[SID_TEXT_BYTES];
	sid_print(sid, text);
	pthread_mutex_lock(&table.lock);
	struct account *a = table.buckets[bucket_of(text)];
	while (a && strcmp(a->sid, text) != 0)
		a = a->next;
	if (a && answer == ACCOUNT_NO_ANSWER)
		__atomic_store_n(&a->doubted, true, __ATOMIC_RELAXED);
	if (a)
		a->not_ours = answer == ACCOUNT_NOT_OURS;
	pthread_mutex_unlock(&table.lock);
}

void accounts_forget_answers(void)
{
	pthread_mutex_lock(&table.lock);
	for (unsigned i = 0; table.count && i < BUCKETS; i++)
		for (struct account *a = table.buckets[i]; a; a = a->next)
			a->not_ours = false;
	pthread_mutex_unlock(&table.lock);
}

/* ---- events ---- */

/* An account that goes back and forth all the time is told of a few times a minute. */
static bool may_tell(struct account *a)
{
	usec_t now = clock_now();
	if (a->told == 0 || now - a->minute >= MINUTE_US) {
		a->minute = now;
		a->told = 0;
	}
	return a->told++ < ACCOUNT_TOLD_PER_MINUTE;
}

static void tell(struct account *a, enum event_id id, const char *address)
{
	if (may_tell(a))
		event_log_each(id, "%s%s%s from %s", a->name, *a->sid ? " " : "", a->sid, address);
}

void account_used(struct account *a, bool https, bool well, const char *address)
{
	uint32_t way = https ? ACCOUNT_HTTPS : ACCOUNT_HTTP;
	pthread_mutex_lock(&table.lock);
	uint32_t seen = a->seen;
	if (well && !(seen & ACCOUNT_WELCOME))
		tell(a, EVENT_FIRST_CONNECTION, address);
	if (!https && !(seen & ACCOUNT_HTTP))
		tell(a, EVENT_PLAIN_HTTP, address);
	else if (https && seen & ACCOUNT_HTTP)
		tell(a, EVENT_HTTPS_NOW, address);
	__atomic_store_n(&a->seen, (seen & ACCOUNT_WELCOME) | way | (well ? ACCOUNT_WELCOME : 0), __ATOMIC_RELAXED);
	pthread_mutex_unlock(&table.lock);
}

static void tell_more(struct account *a, usec_t now)
{
	event_log_each(EVENT_NOT_AUTHORIZED, "%s%s%s: refused %llu more times, last from %s: %s", a->name,
	               *a->sid ? " " : "", a->sid, (unsigned long long)a->refused_more, a->address, a->why);
	a->refused_more = 0;
	a->refused_told = now;
}

void account_refused(struct account *a, const char *address, const char *why)
{
	usec_t now = clock_now();
	pthread_mutex_lock(&table.lock);
	snprintf(a->address, sizeof(a->address), "%s", address);
	a->why = why;
	if (!a->refused || (!a->refused_more && now - a->refused_told >= (usec_t)ACCOUNT_REFUSAL_TOLD_S * 1000000)) {
		event_log_each(EVENT_NOT_AUTHORIZED, "%s%s%s from %s: %s", a->name, *a->sid ? " " : "", a->sid, address,
		               why);
		a->refused = true;
		a->refused_told = now;
	} else {
		a->refused_more++;
	}
	__atomic_store_n(&a->seen, a->seen & ~(uint32_t)ACCOUNT_WELCOME, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&table.lock);
}

/* ---- for people ---- */

void account_saw(struct account *a, const struct account_view *v)
{
	pthread_mutex_lock(&table.lock);
	uint64_t refused = a->last.refused + !v->let_in;
	a->last = *v;
	a->last.sid = a->sid;
	a->last.name = a->name;
	a->last.refused = refused;
	pthread_mutex_unlock(&table.lock);
}

/* out: count rows, latest first. */
static size_t insert(struct account_view *out, size_t count, size_t room, const struct account_view *v)
{
	size_t at = count;
	while (at && out[at - 1].at < v->at)
		at--;
	if (at == room)
		return count;
	count += count < room;
	memmove(&out[at + 1], &out[at], (count - at - 1) * sizeof(*out));
	out[at] = *v;
	return count;
}

size_t accounts_recent(bool let_in, struct account_view *out, size_t room, size_t *all)
{
	size_t count = 0;
	*all = 0;
	pthread_mutex_lock(&table.lock);
	for (unsigned i = 0; table.count && i < BUCKETS; i++)
		for (struct account *a = table.buckets[i]; a; a = a->next)
			if (a->last.at && a->last.let_in == let_in) {
				++*all;
				count = insert(out, count, room, &a->last);
			}
	pthread_mutex_unlock(&table.lock);
	return count;
}

/* ---- each second ---- */

void accounts_tick(bool all)
{
	usec_t now = clock_now();
	pthread_mutex_lock(&table.lock);
	for (unsigned i = 0; table.count && i < BUCKETS; i++)
		for (struct account *a = table.buckets[i]; a; a = a->next)
			if (a->refused_more &&
			    (all || now - a->refused_told >= (usec_t)ACCOUNT_REFUSAL_TOLD_S * 1000000))
				tell_more(a, now);
	pthread_mutex_unlock(&table.lock);
}

void accounts_free(void)
{
	for (unsigned i = 0; i < BUCKETS; i++)
		for (struct account *a; (a = table.buckets[i]);) {
			table.buckets[i] = a->next;
			free(a->sid);
			free(a->name);
			free(a);
		}
	table.count = 0;
}
