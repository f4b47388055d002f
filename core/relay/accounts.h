/* What the process knows about accounts: whether each was told to be there, over HTTP or HTTPS, and how often it was refused; so that events come once
 * for each account and not for each connection. One table for all workers, under a lock; the way of a request only reads `seen`. Accounts are never
 * forgotten until the process ends (a restart tells of them again), and at most ACCOUNTS_MAX are kept: of others nothing is told.
 *
 *   none --http--> 2002 --https--> 1003 --http--> 2002      the first request that was relayed well: 1002
 */
#pragma once
#include "core/base/clock.h"
#include "proto/authd_msg.h"
#include "store/authlist.h"

#include <stdbool.h>
#include <stdint.h>

enum { ACCOUNTS_MAX = 10000, ACCOUNT_TOLD_PER_MINUTE = 6, ACCOUNT_REFUSAL_TOLD_S = 60 };

enum account_seen { ACCOUNT_HTTP = 1, ACCOUNT_HTTPS = 2, ACCOUNT_WELCOME = 4 };

struct account; /* lives as long as the process */

/* sid: "S-1-5-..." or empty in a realm without directory, where the name is all there is. NULL: the table is full, or no memory. Any thread. */
struct account *accounts_find(const char *sid, const char *name);
/* enum account_seen; any thread, no lock. */
uint32_t account_seen(const struct account *a);
/* A request of this account: what is new about it becomes an event. well: it was relayed. address: of the computer. */
void account_used(struct account *a, bool https, bool well, const char *address);
/* It was refused: the first time an event, then one a minute with a count. Its next request that is relayed well is a first one again. */
void account_refused(struct account *a, const char *address, const char *why);
/* What people are shown of an account: how it came last, and what was decided. */
enum { ACCOUNT_ADDRESS_BYTES = 64 };
struct account_view {
	const char *sid, *name; /* live as long as the process */
	usec_t at;              /* clock_now() of its last request, within a second */
	bool let_in, https;
	enum authlist_role role; /* of let_in */
	enum authd_mechanism how;
	const char *why;  /* the decision, a literal */
	uint64_t refused; /* requests, since the start */
	char address[ACCOUNT_ADDRESS_BYTES];
};
/* v: all but sid, name and refused. Any thread. */
void account_saw(struct account *a, const struct account_view *v);
/* Those that were let in, or refused, at their last request, the latest first; returns how many of them are in out. all: how many there are. */
size_t accounts_recent(bool let_in, struct account_view *out, size_t room, size_t *all);
/* Several entries let it in: text says which, "" when there is one only. An event, once for each text. Any thread. */
enum { ACCOUNT_CONFLICT_BYTES = 640 };
void account_conflicts(struct account *a, const char *text);
/* The list lets it in; by_ticket: because its ticket shows a group. Any thread, no lock; not needed for each request. */
void account_relies(struct account *a, bool by_ticket);
/* The directory should be asked about it soon. Any thread, no lock. */
void account_doubt(struct account *a);

enum accounts_which {
	ACCOUNTS_LET_IN,    /* within the last ACCOUNT_RELIED_S */
	ACCOUNTS_BY_TICKET, /* of these: because of a group in their ticket */
	ACCOUNTS_DOUBTED,   /* and not asked about within ACCOUNT_ASKED_S; they count as asked about from now on */
};
enum { ACCOUNT_RELIED_S = 24 * 3600, ACCOUNT_ASKED_S = 20 };
/* SIDs of accounts of that kind, at most room of them. Main thread. */
size_t accounts_collect(enum accounts_which which, struct sid *out, size_t room);
/* What came of asking about one that was doubted: NO_ANSWER: it stays doubted. NOT_OURS: no directory of ours knows its domain; asking again is of no
 * use before accounts_forget_answers(). */
enum account_answer { ACCOUNT_ANSWERED, ACCOUNT_NO_ANSWER, ACCOUNT_NOT_OURS };
void account_answered(const struct sid *sid, enum account_answer answer);
void accounts_forget_answers(void);

/* Each second, in the main thread: tells of refusals that were only counted, when their minute is over; all: now. */
void accounts_tick(bool all);
void accounts_free(void);
