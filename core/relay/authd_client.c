#include "core/relay/authd_client.h"

#include "core/base/log.h"
#include "core/relay/authd_peer.h"

#include <stdlib.h>

static struct authd_client *client_of(struct channel *c)
{
	return container_of(c, struct authd_client, channel);
}

static void count_open(struct authd_client *a, int n)
{
	a->open_calls += (uint32_t)n;
	metric_set(a->metrics, METRIC_authd_waiting, 0, 0, a->open_calls);
}

/* Frees the place; NULL when nobody waits there any more. */
static struct authd_call *take_call(struct authd_client *a, uint32_t place)
{
	struct authd_place *p = &a->places[place];
	struct authd_call *call = p->call;
	if (!call)
		return NULL;
	p->call = NULL;
	p->turn++;
	p->next_free = a->first_free;
	a->first_free = place;
	call->place = 0;
	count_open(a, -1);
	return call;
}

bool authd_channel_send(struct channel *c, const struct authd_msg *m)
{
	size_t n = authd_msg_bytes(m);
	char *frame = n ? channel_frame(n) : NULL;
	if (!frame)
		return false;
	authd_msg_write(m, frame);
	return channel_send(c, frame, n);
}

/* ---- coming and going ---- */

static void on_up(struct channel *c)
{
	struct authd_msg m = {.type = AUTHD_HELLO, .hello = {.version = AUTHD_VERSION}};
	authd_channel_send(c, &m);
}

static void take_features(struct authd_client *a, uint32_t features)
{
	a->features = features;
	metric_set(a->metrics, METRIC_authd_kerberos, 0, 0, (features & AUTHD_CAN_KERBEROS) != 0);
}

static void now_up(struct authd_client *a, const struct authd_hello *hello)
{
	a->up = true;
	take_features(a, hello->features);
	a->epoch++;
	metric_set(a->metrics, METRIC_authd_up, 0, 0, 1);
	if (a->told)
		event_log(EVENT_AUTHD_BACK, "%s", a->channel.path);
	a->told = false;
}

static void on_down(struct channel *c, const char *why)
{
	struct authd_client *a = client_of(c);
	msec_t now = loop_now(c->loop);
	if (a->up || !a->away_since)
		a->away_since = now;
	a->up = false;
	take_features(a, 0);
	metric_set(a->metrics, METRIC_authd_up, 0, 0, 0);
	for (uint32_t i = 1; a->open_calls && i < AUTHD_CALLS_MAX; i++) {
		struct authd_call *call = take_call(a, i);
		if (call)
			call->done(call, NULL);
	}
	if (a->tells && !a->told && now - a->away_since >= AUTHD_QUIET_MS) {
		a->told = true;
		event_log(EVENT_AUTHD_AWAY, "%s: %s. Is rms-connector-authd running, and may this user connect to it?",
		          c->path, why);
	}
}

/* ---- replies ---- */

static void on_reply(struct authd_client *a, const struct authd_reply *reply)
{
	uint32_t place = (uint32_t)reply->id;
	bool waits = place > 0 && place < AUTHD_CALLS_MAX && a->places[place].turn == (uint32_t)(reply->id >> 32);
	struct authd_call *call = waits ? take_call(a, place) : NULL;
	if (call)
		call->done(call, reply);
	else if (reply->outcome == AUTHD_CONTINUE) /* its caller left meanwhile */
		authd_client_leave(a, a->epoch, reply->conversation);
}

static const char *on_frame(struct channel *c, struct slice frame)
{
	struct authd_client *a = client_of(c);
	struct authd_msg m;
	size_t used;
	const char *wrong = authd_msg_read(frame, &m, &used);
	if (wrong)
		return wrong;
	if (used != frame.len)
		return "a message is not as long as it says";
	if (m.type == AUTHD_HELLO && !a->up)
		now_up(a, &m.hello);
	else if (m.type == AUTHD_HELLO)
		take_features(a, m.hello.features);
	else if (m.type == AUTHD_REPLY && a->up)
		on_reply(a, &m.reply);
	else
		return "a message came out of its order";
	return NULL;
}

/* ---- questions ---- */

bool authd_client_ask(struct authd_client *a, struct authd_call *call, struct authd_request *q)
{
	uint32_t place = a->first_free;
	CHECK(call->place == 0);
	if (!a->up || place == 0)
		return false;
	struct authd_place *p = &a->places[place];
	q->id = (uint64_t)p->turn << 32 | place;
	struct authd_msg m = {.type = AUTHD_REQUEST, .request = *q};
	if (!authd_channel_send(&a->channel, &m))
		return false;
	a->first_free = p->next_free;
	p->call = call;
	call->place = place;
	count_open(a, 1);
	return true;
}

void authd_client_cancel(struct authd_client *a, struct authd_call *call)
{
	if (call->place)
		take_call(a, call->place);
}

void authd_client_leave(struct authd_client *a, uint32_t epoch, uint64_t conversation)
{
	struct authd_msg m = {.type = AUTHD_CANCEL, .cancel = {.conversation = conversation}};
	if (a->up && epoch == a->epoch)
		authd_channel_send(&a->channel, &m);
}

/* ---- beginning and end ---- */

static void on_closed(struct channel *c)
{
	struct authd_client *a = client_of(c);
	free(a->places);
	a->places = NULL;
	if (a->on_closed)
		a->on_closed(a);
}

static const struct channel_events events = {.on_up = on_up,
                                             .on_frame = on_frame,
                                             .on_down = on_down,
                                             .on_closed = on_closed,
                                             .trusts = authd_peer_is_trusted};

struct err authd_client_open(struct authd_client *a, struct loop *l, const char *path, struct metric_block *metrics,
                             bool tells)
{
	a->metrics = metrics;
	a->tells = tells;
	a->places = calloc(AUTHD_CALLS_MAX, sizeof(*a->places));
	if (!a->places)
		return ERR_OF(NO_MEMORY);
	for (uint32_t i = AUTHD_CALLS_MAX - 1; i > 0; i--) {
		a->places[i].next_free = a->first_free;
		a->first_free = i;
	}
	struct err failed = channel_open(&a->channel, l, path, AUTHD_REPLY_BYTES, AUTHD_WAITING_BYTES, &events);
	if (failed.code) {
		free(a->places);
		a->places = NULL;
		return failed;
	}
	a->opened = true;
	return OK;
}

void authd_client_close(struct authd_client *a)
{
	if (!a->opened)
		return;
	CHECK(a->open_calls == 0);
	a->opened = a->up = false;
	channel_close(&a->channel);
}
