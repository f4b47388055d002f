#include "bench/load_group.h"

#include "bench/load_worker.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	LATE_US = 1000,
	OPENING_AT_ONCE = 64, /* connections; a listener's queue is not endless */
};

/* ---- what was measured ---- */

static void note_size(struct load_verified *v, uint64_t got, size_t wanted)
{
	v->wrong++;
	if (!v->first_wrong[0])
		snprintf(v->first_wrong, sizeof(v->first_wrong), "an answer of %llu bytes instead of %zu",
		         (unsigned long long)got, wanted);
}

static bool is_good(const struct load_answer *a)
{
	return !a->error && a->status >= 200 && a->status < 300;
}

static void record(struct load_slot *slot, const struct load_answer *a, usec_t took, usec_t now)
{
	struct load_worker *w = slot->group->worker;
	struct load_stats *s = &w->stats;
	struct load_tally *row = &s->rows[slot->group->profile.caller][slot->op], *node = &s->nodes[slot->target];
	bool good = is_good(a);
	s->node_requests[slot->target][slot->group->profile.caller]++;
	uint64_t sent = slot->sent_before + slot->conn.sent;
	row->bytes_sent += sent;
	row->bytes_got += a->body_bytes;
	node->bytes_sent += sent;
	node->bytes_got += a->body_bytes;
	s->last_end = now;
	s->errors[a->error] += a->error != LOAD_ERROR_NONE;
	if (a->status && !a->error)
		s->status[a->status < LOAD_STATUS_MAX ? a->status : 0]++;
	s->effects[a->error ? load_error_row(a->error)->effect : load_status_effect(a->status, a->soap)]++;
	if (!good) {
		row->errors++;
		node->errors++;
		s->self_made += a->self_made;
		if (a->reason.len)
			load_stats_reason(s, a->reason);
		return;
	}
	histogram_add(&row->latency, took);
	histogram_add(&node->latency, took);
	if (w->options->sized && slot->group->profile.caller == CALLER_FIXED &&
	    a->body_bytes != w->options->answer_bytes)
		note_size(&s->verified, a->body_bytes, w->options->answer_bytes);
}

static void sample(struct load_slot *slot, struct load_answer *a)
{
	struct load_worker *w = slot->group->worker;
	bool good = slot->measured && is_good(a);
	if (!a->kept) {
		w->stats.verified.skipped += good;
		return;
	}
	struct load_sample s = {.body = a->body,
	                        .len = a->body_bytes,
	                        .caller = slot->group->profile.caller,
	                        .op = (enum rms_op_id)slot->op,
	                        .image = slot->image};
	a->body = NULL;
	if (good)
		load_verifier_take(w->verifier, &s);
	else
		free(s.body);
}

/* ---- callers ---- */

/* An open connection to the node whose turn it is, else a new one to it, else the same at the next node. */
static struct load_slot *take_slot(struct load_group *g)
{
	unsigned targets = (unsigned)g->worker->options->target_count;
	for (unsigned i = 0; i < targets; i++) {
		unsigned t = g->next_target + i < targets ? g->next_target + i : g->next_target + i - targets;
		struct list *link = list_first(&g->idle[t]);
		if (!link)
			link = list_first(&g->closed[t]);
		if (link) {
			list_remove(link);
			g->next_target = t + 1 < targets ? t + 1 : 0;
			return container_of(link, struct load_slot, link);
		}
	}
	return NULL;
}

static void put_back(struct load_slot *slot)
{
	struct load_group *g = slot->group;
	bool open = slot->conn.state == LOAD_CONN_OPEN;
	list_push_front(open ? &g->idle[slot->target] : &g->closed[slot->target], &slot->link);
	g->next_target = slot->target;
}

static void send_leg(struct load_slot *slot)
{
	struct load_worker *w = slot->group->worker;
	const struct load_image *image = slot->image;
	struct load_request r = {.bytes = image->bytes,
	                         .len = image->len,
	                         .head_len = image->head_len,
	                         .serial_at = image->serial_at,
	                         .serial = w->serial++,
	                         .expect = w->options->expect_continue,
	                         .keep_body = slot->sampled};
	load_proof_leg(&slot->proof, image, &r);
	load_conn_send(&slot->conn, &r);
}

/* A call begins: what it is, and how late. */
static void slot_begin(struct load_slot *slot, usec_t due, usec_t now)
{
	struct load_group *g = slot->group;
	struct load_worker *w = g->worker;
	enum rms_op_id op = load_profile_next(&g->profile, slot->sequence++, &g->rng);
	struct load_image *image = load_images_next(w->images, slot->target, g->profile.caller, op);
	slot->op = (uint8_t)op;
	slot->image = image;
	slot->sent_before = 0;
	slot->due = due;
	/* without a warm-up also what a millisecond timer let begin a little early */
	slot->measured = due >= w->measure_from || w->options->warmup_s <= 0;
	if (slot->measured) {
		if (w->requests_left != UINT64_MAX)
			w->requests_left--;
		if (now - due > LATE_US) {
			w->stats.late++;
			if (now - due > w->stats.latest)
				w->stats.latest = now - due;
		}
	}
	g->in_flight++;
	slot->sampled = w->sample_below && load_rng_next(&w->sample) <= w->sample_below;
}

static void end_call(struct load_slot *slot, struct load_answer *a);

static void on_tokens(void *arg)
{
	struct load_worker *w = arg;
	for (size_t i = 0; i < w->group_count; i++)
		load_group_pump(&w->groups[i]);
}

/* Nothing can prove who calls: the call ends before it was sent, and the connection rests a while. */
static void fail_call(struct load_slot *slot)
{
	struct load_answer failed = {.error = LOAD_ERROR_NO_TOKEN, .reason = slice_str(slot->proof.reason)};
	slot->conn.sent = 0;
	slot->sampled = false;
	end_call(slot, &failed);
	slot->punished = true;
	if (slot->conn.state == LOAD_CONN_OPEN)
		load_conn_close(&slot->conn, LOAD_ERROR_NONE);
	else
		deadline_arm(&slot->penalty, &slot->group->worker->penalties, loop_now(&slot->group->worker->loop));
}

/* Starts what may start now. */
void load_group_pump(struct load_group *g)
{
	struct load_worker *w = g->worker;
	bool open_loop = w->options->rate > 0, was_behind = g->behind;
	if (g->pumping || w->stopping)
		return;
	g->pumping = true;
	usec_t now = clock_now();
	g->behind = false;
	while (w->requests_left) {
		usec_t due = open_loop ? load_schedule_due(&g->schedule) : now;
		if (due > now || due >= w->end)
			break;
		struct load_slot *slot = g->in_flight < g->in_flight_max ? take_slot(g) : NULL;
		if (!slot) {
			g->behind = true;
			break;
		}
		enum load_ready ready = load_proof_begin(&slot->proof);
		if (ready == PROOF_WAITS) {
			put_back(slot);
			g->behind = true;
			w->stats.auth.waited++;
			load_tokens_wait(w->auth->tokens, &w->loop, on_tokens, w);
			break;
		}
		if (open_loop)
			load_schedule_advance(&g->schedule);
		slot_begin(slot, due, now);
		if (ready == PROOF_READY)
			send_leg(slot);
		else
			fail_call(slot);
	}
	g->pumping = false;
	if (w->requests_left == 0)
		load_worker_wind_down(w);
	else if (open_loop && was_behind && !g->behind)
		load_worker_arm(w);
}

static bool caller_is_done(const struct load_slot *slot)
{
	const struct load_profile *p = &slot->group->profile;
	return p->new_connections || (p->ends && slot->sequence >= p->opening_count);
}

/* The call has its answer, or none will come. */
static void end_call(struct load_slot *slot, struct load_answer *a)
{
	struct load_group *g = slot->group;
	g->in_flight--;
	usec_t now = clock_now(), took = now - slot->due;
	if (is_good(a))
		histogram_add(&g->worker->interval.latency, took);
	else
		g->worker->interval.errors++;
	if (slot->measured)
		record(slot, a, took, now);
	if (slot->sampled)
		sample(slot, a);
}

static void on_answer(struct load_conn *c, struct load_answer *a)
{
	struct load_slot *slot = container_of(c, struct load_slot, conn);
	struct load_group *g = slot->group;
	struct load_auth_counts *counts = slot->measured ? &g->worker->stats.auth : NULL;
	bool will_close = c->state != LOAD_CONN_OPEN;
	if (load_proof_answer(&slot->proof, a, will_close, slot->measured && slot->sampled, counts)) {
		slot->sent_before += c->sent;
		free(a->body);
		a->body = NULL;
		slot->again = will_close;
		if (!will_close)
			send_leg(slot);
		return;
	}
	end_call(slot, a);
	slot->punished = a->error == LOAD_ERROR_REFUSED || a->error == LOAD_ERROR_CONNECT || a->error == LOAD_ERROR_TLS;
	if (c->state == LOAD_CONN_OPEN) {
		if (g->worker->stopping || caller_is_done(slot))
			load_conn_close(c, LOAD_ERROR_NONE);
		else
			list_push_front(&g->idle[slot->target], &slot->link);
	}
	load_group_pump(g);
}

static void slot_is_free(struct load_slot *slot)
{
	list_push_back(&slot->group->closed[slot->target], &slot->link);
	load_group_pump(slot->group);
}

void load_group_penalty_over(struct deadline *d, struct deadline_queue *q)
{
	slot_is_free(container_of(d, struct load_slot, penalty));
}

/* Connections that no request needs yet are opened a few at a time. */
static void open_more(struct load_group *g)
{
	while (!g->worker->stopping && g->opening < OPENING_AT_ONCE && g->to_open < g->slot_count) {
		struct load_slot *slot = &g->slots[g->to_open++];
		if (slot->conn.state != LOAD_CONN_CLOSED || list_empty(&slot->link))
			continue;
		list_remove(&slot->link);
		g->opening++;
		slot->opening = true;
		load_conn_open(&slot->conn);
	}
}

static void on_open(struct load_conn *c)
{
	struct load_slot *slot = container_of(c, struct load_slot, conn);
	slot->opening = false;
	slot->group->opening--;
	list_push_back(&slot->group->idle[slot->target], &slot->link);
	open_more(slot->group);
	load_group_pump(slot->group);
}

static void on_lost(struct load_conn *c)
{
	list_remove(&container_of(c, struct load_slot, conn)->link);
}

static void on_closed(struct load_conn *c)
{
	struct load_slot *slot = container_of(c, struct load_slot, conn);
	struct load_worker *w = slot->group->worker;
	slot->sequence = 0;
	load_proof_forget(&slot->proof);
	if (slot->again) {
		slot->again = false;
		if (!w->stopping) {
			send_leg(slot);
			return;
		}
		end_call(slot, &(struct load_answer){.error = LOAD_ERROR_UNFINISHED});
	}
	if (slot->opening) {
		slot->opening = false;
		slot->group->opening--;
	}
	if (w->stopping) {
		load_worker_finish_if_quiet(w);
		return;
	}
	if (slot->punished && w->options->rate <= 0)
		deadline_arm(&slot->penalty, &w->penalties, loop_now(&w->loop));
	else
		slot_is_free(slot);
	open_more(slot->group);
}

const struct load_conn_events load_group_events = {
        .on_answer = on_answer,
        .on_closed = on_closed,
        .on_lost = on_lost,
        .on_open = on_open,
};

/* ---- beginning and end ---- */

struct err load_group_init(struct load_group *g, struct load_worker *w, enum load_caller caller, unsigned connections,
                           unsigned in_flight)
{
	const struct load_options *o = w->options;
	*g = (struct load_group){.worker = w, .profile = load_profile_of(caller, o)};
	g->slot_count = connections;
	g->in_flight_max = in_flight;
	g->seed = o->seed * 1000003 + w->index * 17 + caller;
	g->rng = load_rng_seed(g->seed);
	g->slots = calloc(g->slot_count, sizeof(*g->slots));
	if (!g->slots)
		return ERR_OF(NO_MEMORY);
	for (size_t t = 0; t < LOAD_TARGETS_MAX; t++) {
		list_init(&g->idle[t]);
		list_init(&g->closed[t]);
	}
	for (unsigned i = 0; i < g->slot_count; i++) {
		struct load_slot *slot = &g->slots[i];
		slot->group = g;
		slot->target = (uint8_t)((i + w->index) % o->target_count);
		load_conn_init(&slot->conn, &w->link, (const struct sockaddr *)&o->targets[slot->target].address,
		               w->tls[slot->target]);
		deadline_init(&slot->penalty);
		load_proof_init(&slot->proof, w->auth, caller, slot->target);
		list_push_back(&g->closed[slot->target], &slot->link);
	}
	return OK;
}

void load_group_begin(struct load_group *g)
{
	if (g->in_flight_max < g->slot_count && !g->profile.new_connections)
		open_more(g);
	load_group_pump(g);
}

void load_group_close(struct load_group *g, bool busy_too)
{
	for (unsigned i = 0; i < g->slot_count; i++) {
		struct load_conn *c = &g->slots[i].conn;
		if (busy_too || !c->busy)
			load_conn_close(c, LOAD_ERROR_UNFINISHED);
	}
}
