#include "core/relay/directory_watch.h"

#include "core/base/log.h"
#include "core/relay/accounts.h"
#include "core/relay/directory_doubts.h"
#include "core/relay/directory_kept.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 500, NAME_BYTES = 128, DOMAINS_AWAY_MAX = 32, LEFT_OUT_NAMED = 5 };

/* A group to be asked about. */
struct target {
	struct sid sid;
	char name[NAME_BYTES];
	bool may_be_ticket; /* nobody says that tickets do not show it: no directory of ours needs to know it */
};

/* SIDs to be asked about, one question after the other. */
struct queue {
	struct sid *at; /* owned */
	size_t count, next;
};

struct round {
	bool busy;
	msec_t until;
	struct target *targets; /* owned */
	size_t target_count, target_next;
	struct queue accounts, callers;
	struct sid away[DOMAINS_AWAY_MAX]; /* an object of each domain that did not answer */
	size_t away_count;
	bool members_changed;
	size_t failures, never_known;
	size_t left_out; /* groups for which there is no place; the first of them by name: */
	char left_out_names[LEFT_OUT_NAMED * (NAME_BYTES + SID_TEXT_BYTES + 8)];
	char failed[NAME_BYTES + SID_TEXT_BYTES + 4], problem[AUTHD_PROBLEM_BYTES]; /* the first */
};

struct directory_watch {
	struct directory_watch_options o;
	struct expansions groups;
	struct standing_book book;
	struct round round;
	struct directory_doubts doubts;
};

/* ---- a round ---- */

static void ask_next(struct directory_watch *w);

static void end_round(struct directory_watch *w)
{
	struct round *r = &w->round;
	free(r->targets);
	free(r->accounts.at);
	free(r->callers.at);
	*r = (struct round){0};
}

static bool same_domain(const struct sid *a, const struct sid *b)
{
	return sid_bytes(a) == sid_bytes(b) && memcmp(a->bytes, b->bytes, sid_bytes(a) - 4) == 0;
}

static bool is_away(const struct round *r, const struct sid *s)
{
	for (size_t i = 0; i < r->away_count; i++)
		if (same_domain(&r->away[i], s))
			return true;
	return false;
}

static void note_away(struct round *r, const struct sid *s)
{
	if (!is_away(r, s) && r->away_count < DOMAINS_AWAY_MAX)
		r->away[r->away_count++] = *s;
}

static void note_failure(struct directory_watch *w, const struct sid *sid, const char *name, const char *problem)
{
	struct round *r = &w->round;
	char text[SID_TEXT_BYTES];
	if (r->failures++ == 0) {
		sid_print(sid, text);
		snprintf(r->failed, sizeof(r->failed), "%s%s%s%s", name, *name ? " (" : "", text, *name ? ")" : "");
		if (problem != r->problem)
			snprintf(r->problem, sizeof(r->problem), "%s", problem);
	}
}

static void target_failed(struct directory_watch *w, const struct target *t, const char *problem)
{
	note_failure(w, &t->sid, t->name, problem);
	if (!expansions_find(&w->groups, &t->sid) && !t->may_be_ticket)
		w->round.never_known++;
}

static void tell_left_out(const struct round *r)
{
	if (r->left_out)
		event_log(EVENT_LIST_FAILED,
		          "more than %d groups on the list need an answer of the directory, so it is not asked about "
		          "%zu: "
		          "%s%s. Callers who might be in them are answered 429: write \"kind\" for what is an account "
		          "or a "
		          "security group, and put distribution groups together into fewer",
		          GROUPS_ASKED_MAX, r->left_out, r->left_out_names,
		          r->left_out > LEFT_OUT_NAMED ? " and more" : "");
}

static void finish(struct directory_watch *w)
{
	struct round r = w->round;
	tell_left_out(&r);
	if (r.failures)
		event_log(EVENT_LIST_FAILED,
		          "the directory did not answer about %zu of the groups and accounts on the list, first %s: "
		          "%s. What it said before stays in "
		          "force, up to an age of list.max_age_s%s",
		          r.failures, r.failed, r.problem,
		          r.never_known
		                  ? "; about some it never said anything: callers who might be in them are answered 429"
		                  : "");
	bool members = r.members_changed;
	end_round(w);
	bool standings = standing_book_take(&w->book);
	if (members || standings)
		w->o.changed(w->o.context, members);
	w->o.ended(w->o.context);
}

/* Nothing can be asked any more in this round: all that is left failed. */
static void give_up(struct directory_watch *w, const char *problem)
{
	struct round *r = &w->round;
	char why[AUTHD_PROBLEM_BYTES];
	snprintf(why, sizeof(why), "%s", problem);
	while (r->target_next < r->target_count)
		target_failed(w, &r->targets[r->target_next++], why);
	if (r->failures == 0 && r->callers.next < r->callers.count)
		note_failure(w, &r->callers.at[r->callers.next], "", why);
	finish(w);
}

static void members_are(struct directory_watch *w, const struct target *t, struct sid_set *members)
{
	switch (expansions_put(&w->groups, &t->sid, members, (int64_t)clock_now())) {
	case EXPANSION_SAME:
		w->o.confirmed(w->o.context, &t->sid);
		break;
	case EXPANSION_CHANGED:
		w->round.members_changed = true;
		break;
	case EXPANSION_TOO_MANY:
		target_failed(
		        w, t,
		        "all groups together have more than 100,000 members; use security groups, which tickets show");
		break;
	case EXPANSION_NO_MEMORY:
		target_failed(w, t, "there is not enough memory");
		break;
	}
}

static void on_members(void *context, const json_t *answer, struct err why)
{
	struct directory_watch *w = context;
	const struct target *t = &w->round.targets[w->round.target_next++];
	char problem[AUTHD_PROBLEM_BYTES];
	struct sid_set members = {0};
	switch (directory_answer_of(answer, why, problem)) {
	case DIRECTORY_TOLD:
		if (directory_members_of(answer, EXPANSION_MEMBERS_MAX, &members, problem))
			members_are(w, t, &members);
		else
			target_failed(w, t, problem);
		break;
	case DIRECTORY_OBJECT_GONE:
		members_are(w, t, &members);
		break;
	case DIRECTORY_NOT_OURS:
	case DIRECTORY_NONE:
		if (t->may_be_ticket)
			members_are(w, t, &members);
		else
			target_failed(w, t, problem);
		break;
	case DIRECTORY_AWAY:
		note_away(&w->round, &t->sid);
		target_failed(w, t, problem);
		break;
	case DIRECTORY_AUTHD_AWAY:
		if (why.code == ERR_CLOSED)
			w->o.asks = NULL;
		target_failed(w, t, problem);
		give_up(w, problem);
		return;
	}
	ask_next(w);
}

static void on_accounts(void *context, const json_t *answer, struct err why)
{
	struct directory_watch *w = context;
	struct queue *q = &w->round.accounts;
	char problem[AUTHD_PROBLEM_BYTES];
	size_t i;
	json_t *row;
	enum directory_answer means = directory_answer_of(answer, why, problem);
	if (means == DIRECTORY_AUTHD_AWAY) {
		if (why.code == ERR_CLOSED)
			w->o.asks = NULL;
		note_failure(w, &q->at[q->next], "", problem);
		give_up(w, problem);
		return;
	}
	json_array_foreach(json_object_get(answer, "accounts"), i, row)
	{
		struct sid account;
		enum standing_state state;
		if (directory_account_row(row, &account, &state))
			standing_book_note_account(&w->book, &account, state);
	}
	q->next += CHUNK;
	if (means == DIRECTORY_NONE) /* nor will it know of groups */
		q->next = w->round.callers.next = SIZE_MAX;
	ask_next(w);
}

static void on_groups(void *context, const json_t *answer, struct err why)
{
	struct directory_watch *w = context;
	struct sid account = w->round.callers.at[w->round.callers.next++];
	char problem[AUTHD_PROBLEM_BYTES];
	enum directory_answer means = standing_book_note_groups(&w->book, &account, answer, why, problem);
	if (means == DIRECTORY_AUTHD_AWAY && why.code == ERR_CLOSED)
		w->o.asks = NULL;
	if (means == DIRECTORY_AWAY || means == DIRECTORY_AUTHD_AWAY)
		note_failure(w, &account, "", problem);
	if (means == DIRECTORY_AWAY)
		note_away(&w->round, &account);
	if (means == DIRECTORY_AUTHD_AWAY)
		give_up(w, problem);
	else
		ask_next(w);
}

static json_t *accounts_question(const struct queue *q)
{
	json_t *sids = json_array();
	for (size_t i = q->next; i < q->count && i < q->next + CHUNK; i++) {
		char text[SID_TEXT_BYTES];
		sid_print(&q->at[i], text);
		json_array_append_new(sids, json_string(text));
	}
	return json_pack("{s:s, s:o}", "ask", "accounts", "sids", sids);
}

static void ask_next(struct directory_watch *w)
{
	struct round *r = &w->round;
	bool asked;
	if (loop_now(w->o.loop) >= r->until) {
		give_up(w, "asking about all of them takes too long");
		return;
	}
	for (; r->target_next < r->target_count && is_away(r, &r->targets[r->target_next].sid); r->target_next++)
		target_failed(w, &r->targets[r->target_next], r->problem);
	while (r->callers.next < r->callers.count && is_away(r, &r->callers.at[r->callers.next]))
		r->callers.next++;
	if (r->target_next < r->target_count)
		asked = authd_ask_put(w->o.asks, directory_question("members", &r->targets[r->target_next].sid),
		                      DIRECTORY_QUESTION_MS, on_members, w);
	else if (r->accounts.next < r->accounts.count)
		asked = authd_ask_put(w->o.asks, accounts_question(&r->accounts), DIRECTORY_QUESTION_MS, on_accounts,
		                      w);
	else if (r->callers.next < r->callers.count)
		asked = authd_ask_put(w->o.asks, directory_question("groups", &r->callers.at[r->callers.next]),
		                      DIRECTORY_QUESTION_MS, on_groups, w);
	else {
		finish(w);
		return;
	}
	if (!asked)
		give_up(w, "too many questions are open");
}

/* ---- the beginning of one ---- */

/* A ticket may show a security group, so its denial is not without effect. */
static void leave_out(struct round *r, const struct authlist_object *o, enum authlist_members_need need)
{
	char id[AUTHLIST_ID_BYTES];
	size_t n = strlen(r->left_out_names);
	if (need != MEMBERS_MUST || r->left_out++ >= LEFT_OUT_NAMED)
		return;
	snprintf(r->left_out_names + n, sizeof(r->left_out_names) - n, "%s%.*s%s%s%s", n ? ", " : "", NAME_BYTES,
	         o->name ? o->name : "", o->name ? " (" : "", authlist_object_id(o, id), o->name ? ")" : "");
}

static void add_target(struct round *r, const struct authlist_object *o, enum authlist_kind kind,
                       enum authlist_members_need need)
{
	if (need == MEMBERS_NO_NEED)
		return;
	if (r->target_count == GROUPS_ASKED_MAX) {
		leave_out(r, o, need);
		return;
	}
	struct target *t = &r->targets[r->target_count++];
	*t = (struct target){.sid = o->sid, .may_be_ticket = !o->expand && kind != AUTHLIST_KIND_DISTRIBUTION};
	snprintf(t->name, sizeof(t->name), "%s", o->name ? o->name : "");
}

static bool gather(struct directory_watch *w, const struct authlist_rows *rows)
{
	struct round *r = &w->round;
	size_t all = rows->entry_count + rows->denial_count;
	r->targets = calloc(all < GROUPS_ASKED_MAX ? all + 1 : GROUPS_ASKED_MAX, sizeof(*r->targets));
	r->accounts.at = calloc(ACCOUNTS_ASKED_MAX, sizeof(*r->accounts.at));
	r->callers.at = calloc(CALLERS_ASKED_MAX, sizeof(*r->callers.at));
	if (!r->targets || !r->accounts.at || !r->callers.at)
		return false;
	for (size_t i = 0; i < rows->denial_count; i++) /* first: they stop everybody */
		add_target(r, &rows->denials[i].object, rows->denials[i].kind, authlist_denial_need(&rows->denials[i]));
	for (size_t i = 0; i < rows->entry_count; i++) {
		const struct authlist_entry *e = &rows->entries[i];
		add_target(r, &e->object, e->kind, authlist_entry_need(e));
		bool group = e->kind == AUTHLIST_KIND_GROUP || e->kind == AUTHLIST_KIND_DISTRIBUTION;
		if (!group && !e->object.principal && r->accounts.count < ACCOUNTS_ASKED_MAX / 2)
			r->accounts.at[r->accounts.count++] = e->object.sid;
	}
	accounts_forget_answers();
	r->accounts.count += accounts_collect(ACCOUNTS_LET_IN, r->accounts.at + r->accounts.count,
	                                      ACCOUNTS_ASKED_MAX - r->accounts.count);
	r->callers.count = accounts_collect(ACCOUNTS_BY_TICKET, r->callers.at, CALLERS_ASKED_MAX);
	return true;
}

void directory_watch_begin(struct directory_watch *w, const struct authlist_rows *rows)
{
	bool members_changed = w->round.members_changed; /* of a round that this one follows at once */
	if (w->round.busy)
		authd_ask_cancel(w->o.asks, w);
	end_round(w);
	if (!w->o.asks)
		return;
	w->round.busy = true;
	w->round.members_changed = members_changed;
	w->round.until = loop_now(w->o.loop) + DIRECTORY_ROUND_S * 1000ull;
	if (gather(w, rows))
		ask_next(w);
	else
		give_up(w, "there is not enough memory");
}

bool directory_watch_is_busy(const struct directory_watch *w)
{
	return w->round.busy;
}

static void on_doubts_settled(struct directory_doubts *doubts)
{
	struct directory_watch *w = container_of(doubts, struct directory_watch, doubts);
	if (standing_book_take(&w->book))
		w->o.changed(w->o.context, false);
}

void directory_watch_tick(struct directory_watch *w)
{
	directory_doubts_tick(&w->doubts, w->o.asks, &w->book);
}

/* ---- life ---- */

struct err directory_watch_open(const struct directory_watch_options *o, struct directory_watch **out)
{
	struct directory_watch *w = calloc(1, sizeof(*w));
	if (!w)
		return ERR_OF(NO_MEMORY);
	w->o = *o;
	w->doubts.settled = on_doubts_settled;
	*out = w;
	return OK;
}

void directory_watch_close(struct directory_watch *w)
{
	if (!w)
		return;
	authd_ask_cancel(w->o.asks, w);
	directory_doubts_close(&w->doubts, w->o.asks);
	end_round(w);
	expansions_done(&w->groups);
	standing_book_done(&w->book);
	free(w);
}

bool directory_watch_restore(struct directory_watch *w, struct slice document, uint64_t max_age_s)
{
	struct directory_record kept;
	if (!directory_record_read(document, &kept))
		return false;
	directory_kept_restore(&kept, clock_wall() / 1000000, max_age_s, &w->groups, &w->book.standings);
	directory_record_done(&kept);
	return true;
}

char *directory_watch_document(const struct directory_watch *w, size_t *len)
{
	return directory_kept_write(&w->groups, w->book.standings, clock_wall() / 1000000, len);
}

bool directory_watch_fill(struct directory_watch *w, struct authlist_rows *rows)
{
	return !w->o.asks || expansions_fill(&w->groups, rows);
}

struct standings *directory_watch_standings(struct directory_watch *w)
{
	return w->book.standings;
}
