#include "core/relay/standing_book.h"

#include "core/relay/accounts.h"

#include <stdlib.h>

void standing_book_note(struct standing_book *b, struct standing *s)
{
	if (s && b->changed_count == b->changed_room) {
		size_t room = b->changed_room ? b->changed_room * 2 : 64;
		struct standing **grown = reallocarray(b->changed, room, sizeof(*grown));
		if (!grown) {
			standing_unref(s);
			return;
		}
		b->changed = grown;
		b->changed_room = room;
	}
	if (s)
		b->changed[b->changed_count++] = s;
}

static void forget_changed(struct standing_book *b)
{
	for (size_t i = 0; i < b->changed_count; i++)
		standing_unref(b->changed[i]);
	b->changed_count = 0;
}

bool standing_book_take(struct standing_book *b)
{
	/* Longer than any ticket lasts. */
	int64_t oldest = (int64_t)clock_now() - (int64_t)ACCOUNT_RELIED_S * 1000000;
	if (b->changed_count == 0)
		return false;
	struct standings *next = standings_with(b->standings, b->changed, b->changed_count, oldest);
	forget_changed(b);
	if (!next)
		return false;
	standings_unref(b->standings);
	b->standings = next;
	return true;
}

void standing_book_note_account(struct standing_book *b, const struct sid *account, enum standing_state state)
{
	const struct standing *before = standings_find(b->standings, account);
	if (state != STANDING_GOOD || (before && before->state != STANDING_GOOD))
		standing_book_note(b, standing_new(account, state, (int64_t)clock_now(), NULL));
}

enum directory_answer standing_book_note_groups(struct standing_book *b, const struct sid *account,
                                                const json_t *answer, struct err why,
                                                char problem[static AUTHD_PROBLEM_BYTES])
{
	enum directory_answer means = directory_answer_of(answer, why, problem);
	int64_t now = (int64_t)clock_now();
	if (means == DIRECTORY_TOLD)
		standing_book_note(b, directory_groups_of(answer, account, now));
	else if (means == DIRECTORY_OBJECT_GONE)
		standing_book_note(b, standing_new(account, STANDING_GONE, now, NULL));
	bool no_use = means == DIRECTORY_NOT_OURS || means == DIRECTORY_NONE;
	bool answered = means == DIRECTORY_TOLD || means == DIRECTORY_OBJECT_GONE;
	account_answered(account, no_use ? ACCOUNT_NOT_OURS : answered ? ACCOUNT_ANSWERED : ACCOUNT_NO_ANSWER);
	return means;
}

void standing_book_done(struct standing_book *b)
{
	forget_changed(b);
	free(b->changed);
	standings_unref(b->standings);
	*b = (struct standing_book){0};
}
