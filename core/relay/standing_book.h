/* What the directory told about accounts, as it comes: gathered until a new snapshot of all is made. Embedded in the directory's watch; main thread. */
#pragma once
#include "core/relay/directory_answers.h"

struct standing_book {
	struct standings *standings; /* a reference; NULL: nothing was told yet */
	struct standing **changed;   /* owned; not yet in standings */
	size_t changed_count, changed_room;
};

void standing_book_done(struct standing_book *b);
/* Takes s; NULL counts as no memory: then it is asked about again in the next round. */
void standing_book_note(struct standing_book *b, struct standing *s);
/* A row of `accounts`. One that is good needs no standing, and one whose groups are known keeps them. */
void standing_book_note_account(struct standing_book *b, const struct sid *account, enum standing_state state);
/* An answer to `groups`, or none. The table of accounts learns what came of it too (accounts.h). problem: as directory_answer_of(). */
enum directory_answer standing_book_note_groups(struct standing_book *b, const struct sid *account,
                                                const json_t *answer, struct err why,
                                                char problem[static AUTHD_PROBLEM_BYTES]);
/* true: there are other standings now. */
bool standing_book_take(struct standing_book *b);
