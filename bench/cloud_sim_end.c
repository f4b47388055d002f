/* How a connection of the cloud stand-in ends: in order, or as badly as a rule wants it. */
#include "bench/cloud_sim_conn.h"

#include "bench/cloud_sim_worker.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

enum {
	KEPT_BYTES = 256 * 1024,
	LOOK_MS = 100,
	HALF_CLOSED_MS = 60000,
};

void sim_conn_end_exchange(struct sim_conn *c, bool left)
{
	if (!c->in_request)
		return;
	sim_alarm_stop(&c->answer_alarm);
	if (!c->request_whole)
		c->deaf = true;
	sim_seen_end(&c->w->sim->seen, c->record, c->body.seen, c->sent, c->answer_sent, left);
	sim_rule_unref(&c->w->sim->script, c->rule);
	http_body_done(&c->body);
	c->record = NULL;
	c->rule = NULL;
	c->in_request = c->request_whole = c->answering = c->answer_sent = false;
	c->sent = 0;
	text_clear(&c->content);
	text_clear(&c->reply.wire);
	/* One large request must not make a connection large for ever. */
	if (c->content.cap > KEPT_BYTES)
		text_free(&c->content);
	if (c->reply.wire.cap > 4 * KEPT_BYTES)
		text_free(&c->reply.wire);
}

static void close_now(struct sim_conn *c)
{
	sim_alarm_stop(&c->end_alarm);
	sim_conn_end_exchange(c, false);
	stream_close(&c->io);
}

static void on_linger_over(struct sim_alarm *a)
{
	close_now(container_of(a, struct sim_conn, end_alarm));
}

void sim_conn_end_in_order(struct sim_conn *c, uint32_t linger_ms)
{
	c->mute = true;
	stream_end(&c->io);
	sim_alarm_set(&c->end_alarm, &c->w->clock, linger_ms, on_linger_over);
}

static void on_time_to_end(struct sim_alarm *a)
{
	sim_conn_end_in_order(container_of(a, struct sim_conn, end_alarm), SIM_LINGER_MS);
}

void sim_conn_end_later(struct sim_conn *c, uint32_t ms)
{
	sim_alarm_set(&c->end_alarm, &c->w->clock, ms, on_time_to_end);
}

void sim_conn_gone(struct sim_conn *c, enum err_code why)
{
	struct sim_seen_connections *counts = &c->w->sim->seen.connections;
	uint64_t *counter = why == ERR_CLOSED      ? &counts->ended
	                    : why == ERR_TRUNCATED ? &counts->truncated
	                                           : &counts->reset;
	if (!c->ready && c->w->tls[c->listener])
		counter = &counts->failed_handshakes;
	sim_seen_count(&c->w->sim->seen, counter, 1);
	sim_alarm_stop(&c->end_alarm);
	sim_conn_end_exchange(c, true);
	stream_close(&c->io);
}

/* Without reading nobody tells us that the caller has left. */
static void on_time_to_look(struct sim_alarm *a)
{
	struct sim_conn *c = container_of(a, struct sim_conn, end_alarm);
	struct tcp_info info;
	socklen_t n = sizeof info;
	if (getsockopt(c->io.fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 && info.tcpi_state == TCP_ESTABLISHED)
		sim_alarm_set(&c->end_alarm, &c->w->clock, LOOK_MS, on_time_to_look);
	else
		sim_conn_gone(c, ERR_NETWORK);
}

void sim_conn_hold_back(struct sim_conn *c)
{
	c->held_back = true;
	stream_pause(&c->io);
	sim_alarm_set(&c->end_alarm, &c->w->clock, LOOK_MS, on_time_to_look);
}

static void send_below_tls(struct sim_conn *c, struct slice bytes)
{
	stream_flush_all(&c->w->loop);
	if (send(c->io.fd, bytes.at, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		stream_reset(&c->io);
}

void sim_conn_act(struct sim_conn *c, enum sim_action action, struct slice garbage)
{
	stream_flush_all(&c->w->loop); /* what came before the fault is on its way before the fault */
	switch (action) {
	case SIM_RESET:
		stream_reset(&c->io);
		close_now(c);
		return;
	case SIM_CLOSE:
		close_now(c);
		return;
	case SIM_TRUNCATE:
		sim_conn_end_exchange(c, false);
		sim_conn_end_in_order(c, SIM_LINGER_MS);
		return;
	case SIM_HALF_CLOSE:
		sim_conn_end_in_order(c, HALF_CLOSED_MS);
		return;
	case SIM_GARBAGE:
		stream_write(&c->io, garbage.at, garbage.len);
		break;
	case SIM_TLS_GARBAGE:
		send_below_tls(c, garbage);
		break;
	case SIM_STALL:
	case SIM_GO_ON:
		break;
	}
	/* The exchange stays open, so that a caller that gives up is told from one that waits. */
	c->mute = c->stalled = true;
	if (!c->request_whole && action == SIM_STALL)
		sim_conn_hold_back(c);
}

static void act_by_rule(struct sim_conn *c)
{
	sim_conn_act(c, c->rule->action, text_slice(&c->rule->garbage));
}

static void on_time_to_act(struct sim_alarm *a)
{
	act_by_rule(container_of(a, struct sim_conn, answer_alarm));
}

void sim_conn_act_soon(struct sim_conn *c)
{
	c->mute = true;
	if (!c->rule->action_delay_ms) {
		act_by_rule(c);
		return;
	}
	if (!c->request_whole)
		sim_conn_hold_back(c);
	sim_alarm_set(&c->answer_alarm, &c->w->clock, c->rule->action_delay_ms, on_time_to_act);
}
