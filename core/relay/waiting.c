#include "core/relay/waiting.h"

#include "core/relay/pump.h"

static enum wait wait_of(const struct exchange *x)
{
	switch (x->step) {
	case STEP_RECEIVE:
		return WAIT_HEAD;
	case STEP_AUTHENTICATE:
		return WAIT_AUTH;
	case STEP_RECALL: /* others asked the cloud */
		return WAIT_FIRST_BYTE;
	case STEP_CONNECT:
		return WAIT_LEASE;
	case STEP_RELAY:
		if (stream_is_blocked(&x->client->io))
			return WAIT_CLIENT;
		if (!x->body_sent)
			return stream_is_blocked(&x->leased->io) ? WAIT_ANSWER : WAIT_BODY;
		if (x->reply_bytes)
			return WAIT_ANSWER;
		return x->op && x->op->first_byte_tenths > 10 ? WAIT_FIRST_BYTE_LONG : WAIT_FIRST_BYTE;
	default:
		return WAIT_BODY;
	}
}

void exchange_park(struct exchange *x)
{
	struct client_conn *c = x->client;
	if (!pump_keep(x)) {
		x->failure = ERR_OF(NO_MEMORY);
		client_conn_reset(c, CLOSE_FULL);
		return;
	}
	bool enough =
	        x->step == STEP_AUTHENTICATE && x->held_len > COLLECT_BYTES; /* of somebody who is not known yet */
	if (enough)
		stream_pause(&c->io);
	else if (x->step < STEP_CONNECT || x->step == STEP_ANSWER)
		stream_resume(&c->io); /* it may have been paused while the request before this one ran */
	enum wait w = wait_of(x);
	/* Activity starts these anew; the others count from the beginning of the wait. */
	if (w != c->wait || w == WAIT_ANSWER || w == WAIT_CLIENT)
		client_conn_wait(c, w);
}

/* A body must come at a pace: looked at each body_grace_ms. */
static bool body_is_on_time(struct exchange *x)
{
	const struct settings *s = x->relay->settings;
	msec_t waited = loop_now(x->relay->loop) - x->began;
	return waited < s->limits_body_timeout_ms &&
	       x->body.seen * 1000 >= (uint64_t)s->limits_body_min_bytes_s * waited;
}

enum step exchange_cut_short(struct exchange *x, enum event ev)
{
	struct client_conn *c = x->client;
	if (ev == EV_CLIENT_GONE &&
	    x->step == STEP_ANSWER) { /* it has its answer; we were only skipping the rest of its body */
		x->after = CLIENT_CLOSE;
		x->close_reason = CLOSE_REFUSED;
		return STEP_FINISH;
	}
	if (ev == EV_CLIENT_GONE) {
		x->failure = ERR_OF(CALLER_GONE);
		x->after = CLIENT_RESET;
		x->close_reason = CLOSE_ABANDONED;
		return STEP_FINISH;
	}
	if (x->step == STEP_RELAY && wait_of(x) != c->wait)
		return x->step; /* who is waited for changed when the turn's writes met a full socket: that wait begins now */
	switch (c->wait) {
	case WAIT_HEAD:
		return exchange_answer_with(x, ERR_OF(HEAD_SLOW));
	case WAIT_BODY:
		if (body_is_on_time(x)) {
			client_conn_wait(c, WAIT_BODY);
			return x->step;
		}
		if (x->step == STEP_ANSWER) {
			x->after = CLIENT_CLOSE;
			x->close_reason = CLOSE_SLOW;
			return STEP_FINISH;
		}
		return exchange_answer_with(x, ERR_OF(BODY_SLOW));
	case WAIT_AUTH:
		metric_add(x->relay->metrics, METRIC_authd_late, 0, 0, 1);
		return exchange_answer_with(
		        x, ERR_OF(AUTH_UNAVAILABLE, .what = "rms-connector-authd did not answer in time"));
	case WAIT_LEASE:
		if (x->refused_serial && x->up->words->serial == x->refused_serial)
			return exchange_answer_with(x, ERR_OF(UPSTREAM_REFUSED_US));
		return exchange_answer_with(x, upstream_pool_too_long(&x->up->pool));
	case WAIT_CLIENT:
		x->failure = ERR_OF(CALLER_SLOW);
		x->after = CLIENT_RESET;
		x->close_reason = CLOSE_SLOW;
		return STEP_FINISH;
	default:
		if (x->replacement) /* only the rest of what it replaces did not come */
			return exchange_answer_with(x, (struct err){.code = x->replacement});
		return exchange_answer_with(x, x->reply_begun ? ERR_OF(UPSTREAM_ANSWER_CUT) : ERR_OF(UPSTREAM_TIMEOUT));
	}
}
