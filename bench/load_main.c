#include "bench/load_bootstrap.h"
#include "bench/load_report.h"
#include "bench/load_run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

enum { DESCRIPTOR_RESERVE = 64 };

static int usage(const char *words)
{
	fprintf(stderr, "rms-load: %s\n", words);
	return EX_USAGE;
}

/* false: words. */
static bool raise_descriptors(const struct load_options *o, char *words, size_t cap)
{
	struct rlimit limit;
	rlim_t needed = (rlim_t)o->connections + DESCRIPTOR_RESERVE + o->threads * 8;
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= needed)
		return true;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= needed)
		return true;
	snprintf(words, cap,
	         "--connections %u needs %lu descriptors, and this shell allows %lu; raise it with ulimit -n",
	         o->connections, (unsigned long)needed, (unsigned long)limit.rlim_max);
	return false;
}

static void print_headline(FILE *out, const struct load_options *o)
{
	fprintf(out, "rms-load " RMS_VERSION ":");
	for (size_t i = 0; i < o->target_count; i++)
		fprintf(out, " %s", o->targets[i].url);
	if (o->profile)
		fprintf(out, ", profile %s", o->profile);
	if (o->op)
		fprintf(out, ", %.*s", SLICE_ARG(o->op->name));
	if (o->sized)
		fprintf(out, " %zu/%zu bytes", o->request_bytes, o->answer_bytes);
	fprintf(out, ", %u connections%s, ", o->connections, o->new_connections ? ", a new one for each request" : "");
	if (o->rate > 0)
		fprintf(out, "%g requests/s%s, ", o->rate, o->poisson ? " at random" : "");
	fprintf(out, "%g s", o->duration_s);
	if (o->warmup_s > 0)
		fprintf(out, " after %g s of warm-up", o->warmup_s);
	if (o->requests)
		fprintf(out, " or %llu requests", (unsigned long long)o->requests);
	fprintf(out, "\n");
	fflush(out);
}

static bool any_caller(const struct load_options *o)
{
	for (int c = 0; c < CALLER_COUNT; c++)
		if (o->callers[c])
			return true;
	return false;
}

/* What the run says about its target, as an exit status. */
static int verdict(const struct load_results *r)
{
	const struct load_options *o = r->options;
	for (size_t i = 0; i < r->bootstrap_count; i++)
		if (!r->bootstraps[i].good)
			return 1;
	if (r->stats.verified.wrong || r->stats.auth.wrong)
		return 1;
	for (size_t i = 0; i < o->check_count; i++)
		if (!load_check_holds(&o->checks[i], load_results_figure(r, &o->checks[i]),
		                      load_results_requests(r, &o->checks[i]))) {
			fprintf(stderr, "rms-load: --check '%s' does not hold\n", o->checks[i].text);
			return 1;
		}
	bool answered = r->bootstrap_count > 0;
	for (unsigned i = 0; i < LOAD_STATUS_MAX; i++)
		answered |= r->stats.status[i] != 0;
	if (answered)
		return 0;
	fprintf(stderr, "rms-load: no answer at all from %s\n", o->targets[0].url);
	return EX_UNAVAILABLE;
}

static int write_json(const struct load_results *r)
{
	const char *name = r->options->json_file;
	bool standard = strcmp(name, "-") == 0;
	FILE *out = standard ? stdout : fopen(name, "w");
	bool fine = out && load_report_write_json(out, r);
	if (!fine)
		fprintf(stderr, "rms-load: --json %s: %s\n", name, strerror(errno));
	if (out && !standard && fclose(out) && fine) {
		fprintf(stderr, "rms-load: --json %s: %s\n", name, strerror(errno));
		fine = false;
	}
	return fine ? 0 : EX_CANTCREAT;
}

static struct err bootstrap_all(struct load_results *r, struct load_callers *callers, struct load_auth *auth, FILE *out)
{
	const struct load_options *o = r->options;
	r->bootstraps = calloc(o->target_count, sizeof(*r->bootstraps));
	if (!r->bootstraps)
		return ERR_OF(NO_MEMORY);
	for (size_t t = 0; t < o->target_count; t++) {
		TRY(load_bootstrap_run(&r->bootstraps[t], o, &o->targets[t], auth, callers->of[CALLER_EXCHANGE], out));
		load_auth_counts_merge(&r->stats.auth, &r->bootstraps[t].auth);
		r->bootstrap_count++;
	}
	return OK;
}

static bool bootstraps_are_good(const struct load_results *r)
{
	for (size_t i = 0; i < r->bootstrap_count; i++)
		if (!r->bootstraps[i].good)
			return false;
	return true;
}

/* stdout is for the table, unless JSON goes there. */
static int run(struct load_options *o)
{
	char words[512];
	bool json_on_stdout = o->json_file && strcmp(o->json_file, "-") == 0;
	FILE *out = o->quiet ? NULL : json_on_stdout ? stderr : stdout;
	struct load_callers callers = {0};
	struct load_results *r = calloc(1, sizeof(*r));
	if (!r)
		return EX_OSERR;
	r->options = o;
	signal(SIGPIPE, SIG_IGN);
	struct load_auth auth = {0};
	struct err failed = load_auth_open(&auth, o, words, sizeof(words));
	if (!failed.code && (o->bootstrap || !o->sized)) /* the measuring mode needs no certificates */
		failed = load_callers_make(&callers);
	if (!failed.code && o->bootstrap)
		failed = bootstrap_all(r, &callers, &auth, out);
	bool load = any_caller(o) && bootstraps_are_good(r);
	if (!failed.code && load) {
		if (out)
			print_headline(out, o);
		failed = load_run(o, &callers, &auth, r, words, sizeof(words));
	}
	load_auth_close(&auth, &r->stats.auth);
	int status;
	if (failed.code) {
		fprintf(stderr, "rms-load: %s\n", err_text(failed));
		status = failed.code == ERR_SETTINGS || failed.code == ERR_FILE || failed.code == ERR_TLS ? EX_USAGE
		                                                                                          : EX_OSERR;
	} else {
		if (out && load)
			load_report_print(out, r);
		status = verdict(r);
	}
	if (o->json_file && !failed.code) {
		int written = write_json(r);
		status = written ? written : status;
	}
	load_callers_done(&callers);
	free(r->bootstraps);
	free(r->series);
	free(r);
	return status;
}

int main(int argc, char **argv)
{
	static struct load_options o;
	char words[1024];
	if (!load_options_parse(&o, argc, argv, words, sizeof(words)))
		return usage(words);
	if (o.action == LOAD_HELP) {
		load_options_help(stdout);
		return 0;
	}
	if (o.action == LOAD_VERSION) {
		puts("rms-load " RMS_VERSION);
		return 0;
	}
	for (size_t i = 0; i < o.target_count; i++)
		if (!load_target_resolve(&o.targets[i], o.own_server, words, sizeof(words)))
			return usage(words);
	if (!raise_descriptors(&o, words, sizeof(words)))
		return usage(words);
	return run(&o);
}
