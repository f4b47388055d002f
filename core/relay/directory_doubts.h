/* Callers that somebody doubts (accounts.h: ACCOUNTS_DOUBTED), asked about one after the other. Embedded in the directory's watch; main thread. */
#pragma once
#include "core/relay/standing_book.h"

enum { DOUBTS_AT_ONCE = 64, DIRECTORY_QUESTION_MS = 30000 };

struct directory_doubts {
	struct sid at[DOUBTS_AT_ONCE];
	size_t count, next;
	bool busy, over; /* over: no question may be asked any more */
	struct authd_ask *asks;
	struct standing_book *book;
	/* All of them were asked about. */
	void (*settled)(struct directory_doubts *d);
};

/* Each second. asks: NULL: nobody is asked. */
void directory_doubts_tick(struct directory_doubts *d, struct authd_ask *asks, struct standing_book *book);
void directory_doubts_close(struct directory_doubts *d, struct authd_ask *asks);
