/* rms-connectord: the node. Reads its arguments and its configuration, then is a server until a signal ends it. */
#include "core/base/log.h"
#include "core/base/program.h"
#include "core/ops/admin.h"
#include "core/ops/config_load.h"
#include "core/ops/docs.h"
#include "core/ops/stats_server.h"
#include "core/ops/super_users.h"
#include "core/server.h"
#include "proto/clouds.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>

struct arguments {
	const char *config;
	bool test_only;
	char *caller_account, *caller_role;
};

static void print_usage(FILE *out)
{
	fprintf(out,
	        "rms-connectord %s: relays SOAP of on-premises servers to Azure Rights Management\n\n"
	        "usage: rms-connectord [-c FILE] [-t]\n\n"
	        "  -c, --config FILE       configuration (default: %s)\n"
	        "  -t, --test              check the configuration and end: 0 good, 78 wrong\n"
#ifdef RMS_TEST_SWITCHES
	        "      --loopback-caller ACCOUNT=ROLE\n"
	        "                          test builds only, loopback only: AUTHENTICATION OFF, every caller is "
	        "ACCOUNT with ROLE\n"
	        "                          (exchange, sharepoint or fci)\n"
#endif
	        "      --print-example-config, --print-settings-doc, --print-events-doc, --print-metrics-doc\n"
	        "  -V, --version\n  -h, --help\n\n"
	        "signals: SIGTERM drains and ends (twice: at once), SIGUSR1 opens log files again, SIGHUP reads the "
	        "list of authorized servers\n",
	        RMS_VERSION, PROGRAM_CONFIG_FILE);
}

static int usage_error(const char *what, const char *value)
{
	return program_usage_error("rms-connectord", what, value);
}

#ifdef RMS_TEST_SWITCHES
/* ACCOUNT=ROLE; the account may hold '=' itself. Exit code, 0 fine. */
static int take_caller(struct arguments *a, char *text)
{
	char *equals = strrchr(text, '=');
	if (!equals || equals == text)
		return usage_error("--loopback-caller wants ACCOUNT=ROLE, for instance 'CORP\\exch$=exchange'", text);
	*equals = 0;
	a->caller_account = text;
	a->caller_role = equals + 1;
	if (strcmp(a->caller_role, "exchange") && strcmp(a->caller_role, "sharepoint") && strcmp(a->caller_role, "fci"))
		return usage_error("--loopback-caller: the role is exchange, sharepoint or fci, not", a->caller_role);
	return 0;
}
#endif

/* -1: go on; else the exit code. */
static int read_arguments(int argc, char **argv, struct arguments *a)
{
	enum { EXAMPLE = 256, SETTINGS_DOC, EVENTS_DOC, METRICS_DOC, CALLER };
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	                                        {"test", no_argument, NULL, 't'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {"version", no_argument, NULL, 'V'},
	                                        {"print-example-config", no_argument, NULL, EXAMPLE},
	                                        {"print-settings-doc", no_argument, NULL, SETTINGS_DOC},
	                                        {"print-events-doc", no_argument, NULL, EVENTS_DOC},
	                                        {"print-metrics-doc", no_argument, NULL, METRICS_DOC},
#ifdef RMS_TEST_SWITCHES
	                                        {"loopback-caller", required_argument, NULL, CALLER},
#endif
	                                        {0}};
	int wrong = 0;
	for (int o; (o = getopt_long(argc, argv, "c:thV", options, NULL)) != -1;) {
		switch (o) {
		case 'c':
			a->config = optarg;
			break;
		case 't':
			a->test_only = true;
			break;
		case 'h':
			print_usage(stdout);
			return 0;
		case 'V':
			printf("rms-connectord %s\n", RMS_VERSION);
			return 0;
		case EXAMPLE:
			config_print_example(stdout);
			return 0;
		case SETTINGS_DOC:
			config_print_settings_doc(stdout);
			return 0;
		case EVENTS_DOC:
			docs_print_events(stdout);
			return 0;
		case METRICS_DOC:
			docs_print_metrics(stdout);
			return 0;
#ifdef RMS_TEST_SWITCHES
		case CALLER:
			wrong = take_caller(a, optarg);
			if (wrong)
				return wrong;
			break;
#endif
		default:
			return usage_error("an option is wrong", NULL);
		}
	}
	return optind < argc ? usage_error("an argument is not understood", argv[optind]) : -1;
}

/* ---- statistics, which look at the server from above ---- */

struct watched {
	struct server server;
	struct stats_source source;
	struct stats_server *stats;
	struct admin_source administered;
	struct admin *admin;
	struct super_users *super_users;
};

static const char *not_ready_reason(void *context)
{
	return server_not_ready(&((struct watched *)context)->server);
}

static bool is_draining(void *context)
{
	return ((struct watched *)context)->server.state >= SERVER_DRAINING;
}

static void on_ended(struct server *s)
{
	struct watched *w = s->owner;
	stats_server_close(w->stats);
	w->stats = NULL;
	admin_close(w->admin);
	w->admin = NULL;
	super_users_close(w->super_users);
	w->super_users = NULL;
}

static struct err open_stats(struct watched *w, const struct settings *settings)
{
	struct server *s = &w->server;
	w->source = (struct stats_source){
	        .node = s->node,
	        .version = RMS_VERSION,
	        .state_directory = settings->node_state_directory,
	        .upstream_url = settings->upstream_url,
	        .blocks = s->blocks,
	        .block_count = s->worker_count,
	        .started = clock_now(),
	        .started_wall = clock_wall(),
	        .request_log = s->request_log,
	        .list = s->list,
	        .decisions = s->decisions,
	        .cache = s->cache,
	        .loopback_caller = settings->loopback_caller.account,
	        .not_ready_reason = not_ready_reason,
	        .is_draining = is_draining,
	        .context = w,
	};
	s->owner = w;
	s->on_ended = on_ended;
	return stats_server_open(&s->loop, settings, &w->source, &w->stats);
}

/* A node without administration serves all the same; groups that do not exist are a mistake that must not wait to be noticed. */
static struct err open_admin(struct watched *w, const struct settings *settings)
{
	w->administered = (struct admin_source){.settings = settings,
	                                        .stats = &w->source,
	                                        .list = w->server.list,
	                                        .decisions = w->server.decisions,
	                                        .cache = w->server.cache_keeper,
	                                        .authd = w->server.asks,
	                                        .credentials = &w->server.credentials};
	struct err e = admin_open(&w->server.loop, &w->administered, &w->admin);
	if (!e.code || e.code == ERR_SETTINGS)
		return e;
	event_log(EVENT_ADMIN_UNAVAILABLE, "%s", err_text(e));
	return OK;
}

static struct err open_super_users(struct watched *w, const struct settings *settings)
{
	struct super_users_options o = {
	        .loop = &w->server.loop, .settings = settings, .list = w->server.list, .asks = w->server.asks};
	return super_users_open(&o, &w->super_users);
}

static int start_failed(const char *where, struct err why)
{
	event_log(EVENT_START_FAILED, "%s: %s%s%s", where, err_text(why), why.sys ? ": " : "",
	          why.sys < 0 ? uv_strerror(why.sys)
	          : why.sys   ? "see above"
	                      : "");
	return why.code == ERR_SETTINGS ? EX_CONFIG : EX_UNAVAILABLE;
}

/* What the cloud's name means, for who wonders where requests and tokens will go. */
static void print_cloud(const struct settings *s)
{
	const struct cloud *c = cloud_find(slice_str(s->upstream_cloud));
	printf("%s: requests go to %s; ", c->name, s->upstream_url);
	if (*c->login)
		printf("tokens, where used, come from https://%s for %s, unless a credential says otherwise\n",
		       c->login, c->scope);
	else
		printf("its login service is not public, so credentials that get tokens name it\n");
	if (*s->proxy_url)
		printf("by the web proxy %s%s%s\n", s->proxy_url, *s->proxy_bypass ? ", but not to " : "",
		       s->proxy_bypass);
}

int main(int argc, char **argv)
{
	static struct watched w;
	struct arguments a = {.config = PROGRAM_CONFIG_FILE};
	struct config_problems problems;
	struct settings *settings = NULL;
	const char *where = "log.events_file";
	int end = read_arguments(argc, argv, &a);
	if (end >= 0)
		return end;
	struct err failed = config_load(a.config, &settings, &problems);
	config_problems_print(&problems, stderr);
	config_problems_done(&problems);
	if (failed.code)
		return EX_CONFIG;
	if (a.test_only) {
		printf("rms-connectord: %s is good\n", a.config);
		print_cloud(settings);
		settings_free(settings);
		return 0;
	}
	setrlimit(RLIMIT_CORE, &(struct rlimit){0}); /* secrets and tokens are in our memory */
	if (a.caller_account) {
		settings->loopback_caller.account = strdup(a.caller_account);
		settings->loopback_caller.role = strdup(a.caller_role);
	}
	failed = log_open(settings->node_name, settings->log_events_file);
	if (!failed.code)
		failed = server_init(&w.server, settings, &where);
	if (failed.code)
		return start_failed(where, failed);
	failed = server_start_authd(&w.server, a.config);
	if (failed.code)
		return start_failed("auth.authd_program", failed);
	failed = open_stats(&w, settings);
	if (failed.code)
		return start_failed("stats", failed);
	failed = open_admin(&w, settings);
	if (!failed.code)
		failed = open_super_users(&w, settings);
	if (failed.code)
		return start_failed("admin", failed);
	if (a.caller_account)
		event_log(EVENT_AUTHENTICATION_OFF, "every caller is %s with the role %s", a.caller_account,
		          a.caller_role);
	failed = server_run(&w.server);
	if (failed.code)
		return start_failed("threads", failed);
	server_done(&w.server);
	log_close();
	settings_free(settings);
	return 0;
}
