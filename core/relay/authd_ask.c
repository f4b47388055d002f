#include "core/relay/authd_ask.h"

#include "core/relay/authd_client.h"
#include "core/relay/authd_peer.h"

#include <stdio.h>
#include <stdlib.h>

/* A question is free, waiting (in `waiting`, its text kept) or sent (text given away). */
struct question {
	struct list link;                                               /* in waiting; else by itself */
	char *text;                                                     /* owned; NULL once it was sent */
	void (*told)(void *data, const json_t *answer, struct err why); /* NULL: free */
	void *data;
	msec_t until;
	uint32_t turn; /* of its uses: an answer to the one before finds nobody */
	bool sent;
	struct err failed; /* before it could wait */
};

struct authd_ask {
	struct channel channel;
	struct loop *loop;
	uv_timer_t clock; /* to the earliest end of a question's time */
	struct question questions[AUTHD_QUESTIONS_MAX];
	struct list waiting; /* first come, first served */
	unsigned sent_count;
	msec_t away_since;
	char away_why[200];
	bool up, closing, channel_open, clock_open;
};

static struct authd_ask *ask_of(struct channel *c)
{
	return container_of(c, struct authd_ask, channel);
}

/* ---- ends of questions ---- */

static void release(struct authd_ask *a, struct question *q)
{
	list_remove(&q->link);
	free(q->text);
	if (q->sent)
		a->sent_count--;
	*q = (struct question){.turn = q->turn + 1};
	list_init(&q->link);
}

static void end(struct authd_ask *a, struct question *q, const json_t *answer, struct err why)
{
	struct question was = *q;
	release(a, q);
	was.told(was.data, answer, why);
}

/* While authd is away, a question has less time than it was given. */
static msec_t end_of(const struct authd_ask *a, const struct question *q)
{
	msec_t patience = a->away_since + AUTHD_QUIET_MS;
	if (q->failed.code)
		return 0;
	return a->up || patience > q->until ? q->until : patience;
}

static void on_clock(uv_timer_t *timer);

static void arm(struct authd_ask *a)
{
	msec_t first = 0, now = loop_now(a->loop);
	bool any = false;
	for (size_t i = 0; i < ARRAY_COUNT(a->questions); i++) {
		const struct question *q = &a->questions[i];
		if (q->told && (!any || end_of(a, q) < first)) {
			first = end_of(a, q);
			any = true;
		}
	}
	if (!any || a->closing)
		uv_timer_stop(&a->clock);
	else
		uv_timer_start(&a->clock, on_clock, first > now ? first - now : 0, 0);
}

static struct err late(const struct authd_ask *a, const struct question *q)
{
	if (q->failed.code)
		return q->failed;
	return ERR_OF(AUTH_UNAVAILABLE, .what = a->up ? "rms-connector-authd did not answer in time" : a->away_why);
}

static void send_waiting(struct authd_ask *a);

static void on_clock(uv_timer_t *timer)
{
	struct authd_ask *a = timer->data;
	msec_t now = loop_now(a->loop);
	for (size_t i = 0; i < ARRAY_COUNT(a->questions) && !a->closing; i++) {
		struct question *q = &a->questions[i];
		if (q->told && end_of(a, q) <= now)
			end(a, q, NULL, late(a, q));
	}
	if (a->closing)
		return;
	send_waiting(a);
	arm(a);
}

/* ---- sending ---- */

static void send_one(struct authd_ask *a, struct question *q)
{
	uint32_t place = (uint32_t)(q - a->questions);
	struct authd_msg m = {.type = AUTHD_ASK, .ask = {(uint64_t)q->turn << 32 | place, slice_str(q->text)}};
	list_remove(&q->link);
	list_init(&q->link);
	if (!authd_channel_send(&a->channel, &m)) { /* told from the loop */
		q->failed = ERR_OF(NO_MEMORY, .what = "there is no room for a question to rms-connector-authd");
		return;
	}
	free(q->text);
	q->text = NULL;
	q->sent = true;
	a->sent_count++;
}

static void send_waiting(struct authd_ask *a)
{
	while (a->up && a->sent_count < AUTHD_QUESTIONS_SENT && !list_empty(&a->waiting))
		send_one(a, container_of(list_first(&a->waiting), struct question, link));
}

bool authd_ask_put(struct authd_ask *a, json_t *question, msec_t timeout_ms,
                   void (*told)(void *data, const json_t *answer, struct err why), void *data)
{
	struct question *q = NULL;
	for (size_t i = 0; i < ARRAY_COUNT(a->questions) && !q; i++)
		if (!a->questions[i].told)
			q = &a->questions[i];
	if (!question || !q || a->closing) {
		json_decref(question);
		return false;
	}
	q->text = json_dumps(question, JSON_COMPACT);
	json_decref(question);
	q->told = told;
	q->data = data;
	q->until = loop_now(a->loop) + timeout_ms;
	if (!q->text || strlen(q->text) > AUTHD_JSON_BYTES)
		q->failed = ERR_OF(NO_MEMORY, .what = "the question to rms-connector-authd is too long");
	else
		list_push_back(&a->waiting, &q->link);
	send_waiting(a);
	arm(a);
	return true;
}

void authd_ask_cancel(struct authd_ask *a, const void *data)
{
	for (size_t i = 0; a && i < ARRAY_COUNT(a->questions); i++)
		if (a->questions[i].told && a->questions[i].data == data)
			release(a, &a->questions[i]);
	/* The timer finds out by itself who may go now; it comes at the latest when the next one's time is over. */
	if (a && !a->closing) {
		send_waiting(a);
		arm(a);
	}
}

/* ---- authd ---- */

static void on_up(struct channel *c)
{
	struct authd_msg m = {.type = AUTHD_HELLO, .hello = {.version = AUTHD_VERSION}};
	authd_channel_send(c, &m);
}

static void on_down(struct channel *c, const char *why)
{
	struct authd_ask *a = ask_of(c);
	if (a->up)
		a->away_since = loop_now(a->loop);
	a->up = false;
	snprintf(a->away_why, sizeof(a->away_why), "rms-connector-authd is not there (%.80s: %.60s)", c->path, why);
	for (size_t i = 0; i < ARRAY_COUNT(a->questions); i++)
		if (a->questions[i].sent)
			end(a, &a->questions[i], NULL,
			    ERR_OF(AUTH_UNAVAILABLE, .what = "rms-connector-authd went away before it answered"));
	if (!a->closing)
		arm(a);
}

static const char *on_told(struct authd_ask *a, const struct authd_json *told)
{
	uint32_t place = (uint32_t)told->id;
	if (place >= AUTHD_QUESTIONS_MAX)
		return "an answer came to a question that was not asked";
	struct question *q = &a->questions[place];
	if (!q->sent || q->turn != (uint32_t)(told->id >> 32))
		return NULL; /* nobody waits for it any more */
	json_t *answer = json_loadb(told->text.at, told->text.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_boolean(json_object_get(answer, "ok"))) {
		json_decref(answer);
		return "an answer is not the JSON that it should be";
	}
	end(a, q, answer, OK);
	json_decref(answer);
	return NULL;
}

static const char *on_frame(struct channel *c, struct slice frame)
{
	struct authd_ask *a = ask_of(c);
	struct authd_msg m;
	size_t used;
	const char *wrong = authd_msg_read(frame, &m, &used);
	if (wrong)
		return wrong;
	if (used != frame.len)
		return "a message is not as long as it says";
	if (m.type == AUTHD_HELLO) /* the first, or other features, which matter to workers only */
		a->up = true;
	else if (m.type != AUTHD_TOLD || !a->up)
		return "a message came out of its order";
	else if ((wrong = on_told(a, &m.told)))
		return wrong;
	if (!a->closing) {
		send_waiting(a);
		arm(a);
	}
	return NULL;
}

bool authd_ask_is_up(const struct authd_ask *a)
{
	return a && a->up;
}

bool authd_ask_problem(const json_t *answer, struct err why, char out[static AUTHD_PROBLEM_BYTES])
{
	const char *error = json_string_value(json_object_get(answer, "error")),
	           *mend = json_string_value(json_object_get(answer, "mend"));
	*out = 0;
	if (json_is_true(json_object_get(answer, "ok")))
		return false;
	if (!answer)
		error = err_text(why);
	snprintf(out, AUTHD_PROBLEM_BYTES, "%.300s%s%.200s", error ? error : "rms-connector-authd does not say why",
	         mend && *mend ? "; " : "", mend ? mend : "");
	return true;
}

/* ---- beginning and end ---- */

static void free_when_over(struct authd_ask *a)
{
	if (!a->channel_open && !a->clock_open)
		free(a);
}

static void on_channel_closed(struct channel *c)
{
	struct authd_ask *a = ask_of(c);
	a->channel_open = false;
	free_when_over(a);
}

static void on_clock_closed(uv_handle_t *handle)
{
	struct authd_ask *a = handle->data;
	a->clock_open = false;
	free_when_over(a);
}

static const struct channel_events events = {.on_up = on_up,
                                             .on_frame = on_frame,
                                             .on_down = on_down,
                                             .on_closed = on_channel_closed,
                                             .trusts = authd_peer_is_trusted};

struct err authd_ask_open(struct loop *l, const char *path, struct authd_ask **out)
{
	struct authd_ask *a = calloc(1, sizeof(*a));
	if (!a)
		return ERR_OF(NO_MEMORY);
	struct err failed = channel_open(&a->channel, l, path, AUTHD_MSG_BYTES, AUTHD_MSG_BYTES, &events);
	if (failed.code) {
		free(a);
		return failed;
	}
	a->loop = l;
	a->channel_open = a->clock_open = true;
	uv_timer_init(&l->uv, &a->clock);
	a->clock.data = a;
	a->away_since = loop_now(l);
	snprintf(a->away_why, sizeof(a->away_why), "rms-connector-authd is not there (%.80s)", path);
	list_init(&a->waiting);
	for (size_t i = 0; i < ARRAY_COUNT(a->questions); i++)
		list_init(&a->questions[i].link);
	*out = a;
	return OK;
}

void authd_ask_close(struct authd_ask *a)
{
	if (!a || a->closing)
		return;
	a->closing = true;
	a->up = false;
	for (size_t i = 0; i < ARRAY_COUNT(a->questions); i++)
		if (a->questions[i].told)
			end(a, &a->questions[i], NULL, ERR_OF(CLOSED, .what = "the node ends"));
	channel_close(&a->channel);
	uv_close((uv_handle_t *)&a->clock, on_clock_closed);
}
