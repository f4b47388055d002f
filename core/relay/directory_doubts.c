#include "core/relay/directory_doubts.h"

#include "core/relay/accounts.h"

static void ask_next(struct directory_doubts *d);

static void on_groups(void *data, const json_t *answer, struct err why)
{
	struct directory_doubts *d = data;
	char problem[AUTHD_PROBLEM_BYTES];
	struct sid account = d->at[d->next++];
	enum directory_answer means = standing_book_note_groups(d->book, &account, answer, why, problem);
	d->busy = false;
	d->over |= why.code == ERR_CLOSED;
	if (means == DIRECTORY_AUTHD_AWAY)
		while (d->next < d->count)
			account_answered(&d->at[d->next++], ACCOUNT_NO_ANSWER);
	ask_next(d);
}

static void ask_next(struct directory_doubts *d)
{
	while (d->next < d->count && !d->busy && !d->over) {
		json_t *question = directory_question("groups", &d->at[d->next]);
		d->busy = authd_ask_put(d->asks, question, DIRECTORY_QUESTION_MS, on_groups, d);
		if (!d->busy)
			account_answered(&d->at[d->next++], ACCOUNT_NO_ANSWER);
	}
	if (!d->busy)
		d->settled(d);
}

void directory_doubts_tick(struct directory_doubts *d, struct authd_ask *asks, struct standing_book *book)
{
	if (d->busy || d->over || !asks)
		return;
	d->asks = asks;
	d->book = book;
	d->next = 0;
	d->count = accounts_collect(ACCOUNTS_DOUBTED, d->at, DOUBTS_AT_ONCE);
	if (d->count)
		ask_next(d);
}

void directory_doubts_close(struct directory_doubts *d, struct authd_ask *asks)
{
	d->over = true;
	authd_ask_cancel(asks, d);
}
