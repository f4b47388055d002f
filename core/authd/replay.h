/* Which authenticators this node has accepted already: the table that refuses a replay. Over the authenticator's ciphertext, not over the token around it,
 * which can be wrapped in many ways. Bounded: two generations, each of REPLAY_MAX; when one fills within its time, logons wait rather than go unchecked.
 * Any thread; locked inside. */
#pragma once
#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/slice.h"

#include <pthread.h>

/* A ticket's authenticator is good for 5 minutes before and behind its time, so nothing may be forgotten sooner than after 10. */
enum { REPLAY_KEEP_S = 600, REPLAY_MAX = 2 * 1024 * 1024, REPLAY_MARK_BYTES = 16, REPLAY_CIPHER_MIN = 16 };

struct replay_mark {
	uint64_t first, last;
};

struct replay_table {
	struct replay_mark *slots; /* zeros: free */
	size_t room, count;
};

struct replay {
	pthread_mutex_t lock;
	struct replay_table now, before;
	usec_t began; /* of now */
	size_t max;   /* REPLAY_MAX; tests make it small */
};

enum replay_verdict { REPLAY_NEW, REPLAY_SEEN, REPLAY_FULL };

struct err replay_init(struct replay *r);
void replay_done(struct replay *r);
/* Looks, and remembers what is new, in one step. authenticator: the ciphertext, at least REPLAY_CIPHER_MIN bytes, whose integrity was verified. */
enum replay_verdict replay_take(struct replay *r, struct slice authenticator);
size_t replay_count(struct replay *r);
