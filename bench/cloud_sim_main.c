/* rms-cloud-sim: a stand-in for the Azure RMS cloud service. Main thread: signals, the control port, the end; workers serve. */
#include "bench/cloud_sim_control.h"
#include "bench/cloud_sim_options.h"
#include "bench/cloud_sim_replay.h"
#include "bench/cloud_sim_worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct running {
	struct loop loop;
	struct sim sim;
	struct sim_control control;
	uv_signal_t term, interrupt;
	uv_timer_t limit;
	bool ending;
};

static int complain(const char *what, struct err e)
{
	fprintf(stderr, "rms-cloud-sim: %s%s%s\n", what, *what ? ": " : "", err_text(e));
	return 1;
}

static void end(struct running *r)
{
	if (r->ending)
		return;
	r->ending = true;
	for (unsigned i = 0; i < r->sim.worker_count; i++)
		sim_worker_stop(&r->sim.workers[i]);
	sim_control_close(&r->control);
	uv_close((uv_handle_t *)&r->term, NULL);
	uv_close((uv_handle_t *)&r->interrupt, NULL);
	uv_close((uv_handle_t *)&r->limit, NULL);
	loop_stop(&r->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
	end(handle->data);
}

static void on_limit(uv_timer_t *handle)
{
	end(handle->data);
}

static void watch(struct running *r, unsigned seconds)
{
	uv_signal_init(&r->loop.uv, &r->term);
	uv_signal_init(&r->loop.uv, &r->interrupt);
	uv_timer_init(&r->loop.uv, &r->limit);
	r->term.data = r->interrupt.data = r->limit.data = r;
	uv_signal_start(&r->term, on_signal, SIGTERM);
	uv_signal_start(&r->interrupt, on_signal, SIGINT);
	if (seconds)
		uv_timer_start(&r->limit, on_limit, (uint64_t)seconds * 1000, 0);
}

static void say_ready(struct running *r, const struct sim_options *o)
{
	struct text line = {0};
	struct sockaddr_storage control = o->control;
	text_add_str(&line, "rms-cloud-sim: listening on");
	for (unsigned i = 0; i < o->listen_count; i++) {
		text_add_str(&line, " ");
		sim_address_text(&r->sim.bound[i], o->listen[i].certificate != NULL, &line);
	}
	if (o->has_control) {
		uint16_t port = htons(listener_port(&r->control.listener));
		if (control.ss_family == AF_INET6)
			((struct sockaddr_in6 *)&control)->sin6_port = port;
		else
			((struct sockaddr_in *)&control)->sin_port = port;
		text_add_str(&line, ", control ");
		sim_address_text(&control, false, &line);
	}
	if (o->fixed)
		text_format(&line, ", fixed answers of %llu bytes", (unsigned long long)o->answer_bytes);
	printf("%.*s\n", (int)line.len, line.at);
	fflush(stdout);
	text_free(&line);
}

/* Everything up to the ready line; on failure what was begun is ended by the caller. */
static struct err begin(struct running *r, const struct sim_options *o, const char **where)
{
	struct sim *sim = &r->sim;
	if (!o->fixed) {
		struct rms_tenant_options t = {.url = o->tenant_url, .key_file = o->slc_key, .templates = o->templates};
		*where = "the tenant";
		TRY(rms_tenant_new(&t, &sim->tenant));
	}
	*where = "--app";
	TRY(sim_login_init(&sim->login, &o->login));
	if (o->replay) {
		*where = "--replay";
		TRY(sim_replay(&sim->script, &sim->login, o->replay));
	}
	*where = "";
	for (; sim->worker_count < o->workers; sim->worker_count++)
		sim->workers[sim->worker_count].sim = sim;
	for (unsigned i = 0; i < o->workers; i++)
		TRY(sim_worker_init(&sim->workers[i], sim));
	if (o->has_control) {
		*where = "the control port";
		TRY(sim_control_open(&r->control, sim, &r->loop, &o->control));
	}
	*where = "";
	for (unsigned i = 0; i < o->workers; i++)
		TRY(sim_worker_start(&sim->workers[i]));
	return OK;
}

static int run(struct running *r, const struct sim_options *o)
{
	const char *where = "";
	struct sim *sim = &r->sim;
	sim->options = o;
	sim_script_init(&sim->script);
	sim_seen_init(&sim->seen, o->keep);
	sim->workers = calloc(o->workers, sizeof *sim->workers);
	CHECK(sim->workers);
	for (unsigned i = 0; i < o->listen_count; i++)
		sim->bound[i] = o->listen[i].address;
	struct err e = loop_init(&r->loop);
	if (e.code)
		return complain("", e);
	if (o->log && !(sim->seen.log = fopen(o->log, "ae")))
		e = ERR_OF(FILE, .what = "the file of --log cannot be opened");
	watch(r, o->seconds);
	if (!e.code)
		e = begin(r, o, &where);
	if (e.code) {
		complain(where, e);
		end(r);
	} else {
		say_ready(r, o);
	}
	loop_run(&r->loop);
	for (unsigned i = 0; i < sim->worker_count; i++)
		sim_worker_done(&sim->workers[i]);
	loop_done(&r->loop);
	if (sim->seen.log)
		fclose(sim->seen.log);
	free(sim->workers);
	sim_script_done(&sim->script);
	sim_login_done(&sim->login);
	sim_seen_done(&sim->seen);
	rms_tenant_free(sim->tenant);
	return e.code ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct sim_options options;
	static struct running running;
	int status;
	if (!sim_options_read(&options, argc, argv, &status))
		return status;
	signal(SIGPIPE, SIG_IGN);
	return run(&running, &options);
}
