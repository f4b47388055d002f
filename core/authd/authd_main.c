/* rms-connector-authd: proves who callers are, for the node, which has no keys. Reads its arguments and the node's configuration, then serves its socket
 * until a signal ends it. */
#include "core/authd/authd_server.h"
#include "core/authd/gss.h"
#include "core/base/log.h"
#include "core/base/program.h"
#include "core/ops/config_load.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

struct arguments {
	const char *config;
	bool test_only, with_parent;
};

static void print_usage(FILE *out)
{
	fprintf(out,
	        "rms-connector-authd %s: proves by Kerberos who callers of rms-connectord are\n\n"
	        "usage: rms-connector-authd [-c FILE] [-t]\n\n"
	        "  -c, --config FILE   configuration of rms-connectord (default: %s); of it, auth and realms\n"
	        "  -t, --test          check the configuration and the keytab, and end: 0 good, 78 wrong\n"
	        "      --with-parent   end when the process that started this one ends\n"
	        "  -V, --version\n  -h, --help\n\n"
	        "signals: SIGTERM ends, SIGHUP reads the keytab again (a changed one is found within a second "
	        "anyway)\n",
	        RMS_VERSION, PROGRAM_CONFIG_FILE);
}

static int usage_error(const char *what, const char *value)
{
	return program_usage_error("rms-connector-authd", what, value);
}

/* -1: go on; else the exit code. */
static int read_arguments(int argc, char **argv, struct arguments *a)
{
	enum { WITH_PARENT = 256 };
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	                                        {"test", no_argument, NULL, 't'},
	                                        {"with-parent", no_argument, NULL, WITH_PARENT},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {"version", no_argument, NULL, 'V'},
	                                        {0}};
	for (int o; (o = getopt_long(argc, argv, "c:thV", options, NULL)) != -1;) {
		switch (o) {
		case 'c':
			a->config = optarg;
			break;
		case 't':
			a->test_only = true;
			break;
		case WITH_PARENT:
			a->with_parent = true;
			break;
		case 'h':
			print_usage(stdout);
			return 0;
		case 'V':
			printf("rms-connector-authd %s\n", RMS_VERSION);
			return 0;
		default:
			return usage_error("an option is wrong", NULL);
		}
	}
	return optind < argc ? usage_error("an argument is not understood", argv[optind]) : -1;
}

static int start_failed(const char *where, struct err why)
{
	event_log(EVENT_START_FAILED, "%s: %s%s%s", where, err_text(why), why.sys ? ": " : "",
	          why.sys ? strerror(why.sys) : "");
	return why.code == ERR_SETTINGS ? EX_CONFIG : EX_UNAVAILABLE;
}

/* -t: the keytab counts, too. */
static int test(const struct arguments *a, const struct settings *s)
{
	char problem[KEYTAB_PROBLEM_BYTES];
	struct keytab_view *v = keytab_load(s->auth_keytab, problem);
	if (!v) {
		fprintf(stderr, "%s: auth.keytab: %s\n", a->config, problem);
		return EX_CONFIG;
	}
	printf("rms-connector-authd: %s is good; the keytab holds %zu keys\n", a->config, v->count);
	keytab_view_unref(v);
	return 0;
}

static int serve(const struct settings *settings)
{
	static struct authd authd;
	struct authd_server *server;
	const char *where = "auth.keytab";
	struct err failed = authd_init(&authd, settings);
	if (!failed.code)
		failed = authd_server_open(&authd, &server, &where);
	if (failed.code)
		return start_failed(where, failed);
	event_log(EVENT_AUTHD_STARTED, "rms-connector-authd %s, at %s", RMS_VERSION, settings->auth_socket);
	authd_server_run(server);
	event_log(EVENT_AUTHD_STOPPED, "rms-connector-authd");
	if (!authd_server_close(server))
		_exit(0); /* a thread still waits for somebody else's answer */
	authd_done(&authd);
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments a = {.config = PROGRAM_CONFIG_FILE};
	struct config_problems problems;
	struct settings *settings = NULL;
	int end = read_arguments(argc, argv, &a);
	if (end >= 0)
		return end;
	pid_t parent = getppid();
	if (a.with_parent && (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent))
		return EX_UNAVAILABLE;
	setrlimit(RLIMIT_CORE, &(struct rlimit){0}); /* keys are in our memory */
	struct err failed = gss_prepare();
	if (failed.code)
		return start_failed("Kerberos", failed);
	failed = config_load_for(CONFIG_AUTHD, a.config, &settings, &problems);
	config_problems_print(&problems, stderr);
	config_problems_done(&problems);
	if (failed.code)
		return EX_CONFIG;
	failed = log_open(settings->node_name, NULL);
	end = failed.code ? start_failed("log", failed) : a.test_only ? test(&a, settings) : serve(settings);
	log_close();
	settings_free(settings);
	return end;
}
