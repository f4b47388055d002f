#include "bench/cloud_sim_options.h"

#include "bench/rms_message.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
        "rms-cloud-sim: a stand-in for the Azure RMS cloud service, for tests, benchmarks and the quickstart.\n"
        "It is not Azure, knows no account and listens on loopback addresses only.\n"
        "\n"
        "  --listen HOST:PORT[,WORD...]  address to serve; may be given several times. Port 0: any. Words:\n"
        "                                  plain         HTTP without TLS\n"
        "                                  cert=F key=F  a certificate of this address's own\n"
        "                                  tls-max=V     highest TLS version: 1.0, 1.1, 1.2 or 1.3\n"
        "                                  tls-min=V     lowest; 1.2 when not given, or tls-max if that is lower\n"
        "                                  no-tickets    sessions cannot be resumed\n"
        "  --tls-cert F, --tls-key F     PEM certificate chain and key for the other addresses\n"
        "  --plain                       all addresses without TLS\n"
        "  --tls-max V                   for all addresses\n"
        "  --control HOST:PORT           control port: scripts in, reports out (docs/simulator.md)\n"
        "  --tenant-url URL              the tenant's address, as answers name it\n"
        "  --slc-key F                   the tenant's licensor key, PEM; made when absent. Else a new one each time\n"
        "  --path PATH                   a further path to serve at, beside /_wmcs: /_wmcs/oauth2\n"
        "  --login TENANT                a login service as well, at /TENANT/oauth2/v2.0/token\n"
        "  --app ID,secret=F             an application that it knows, by the secret in a file; up to 8 times\n"
        "  --app ID,cert=F               the same, by a certificate (PEM, RSA)\n"
        "  --token-life N                seconds that its tokens are good for (3599)\n"
        "  --require-token WORD          requests need a token: Bearer, MSOID, or any of both\n"
        "  --replay F                    answers as in a transcript of rms-connectorctl upstream prove --out\n"
        "  --templates N                 templates of the tenant (25)\n"
        "  --workers N                   threads that serve (1)\n"
        "  --delay-ms N                  every answer waits so long\n"
        "  --bench                       fixed answers for benchmarks: no script, no signatures, requests are not "
        "kept\n"
        "  --bench-answer N              the same, with bodies of N bytes (8192); a caller whose User-Agent says\n"
        "                                `answer=N` gets N bytes\n"
        "  --keep N                      requests kept for reports (1000)\n"
        "  --seconds N                   ends by itself\n"
        "  --log F                       a line for each request\n"
        "  --help\n"
        "\n"
        "Says `rms-cloud-sim: listening on ...` when it is ready. SIGTERM ends it.\n";

static bool wrong(const char *what, const char *value)
{
	fprintf(stderr, "rms-cloud-sim: %s%s%s; see --help\n", what, value ? ": " : "", value ? value : "");
	return false;
}

static bool read_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || value < min || value > max) {
		fprintf(stderr, "rms-cloud-sim: --%s takes a number from %llu to %llu, not %s\n", option,
		        (unsigned long long)min, (unsigned long long)max, text);
		return false;
	}
	*out = value;
	return true;
}

static bool read_version(const char *text, uint16_t *out)
{
	static const char *const versions[] = {"1.0", "1.1", "1.2", "1.3"};
	for (size_t i = 0; i < ARRAY_COUNT(versions); i++) {
		if (strcmp(text, versions[i]) == 0) {
			*out = (uint16_t)(0x0301 + i);
			return true;
		}
	}
	return wrong("a TLS version is 1.0, 1.1, 1.2 or 1.3", text);
}

static bool read_address(const char *text, struct sockaddr_storage *out)
{
	struct err e = address_parse(text, out);
	if (e.code) {
		fprintf(stderr, "rms-cloud-sim: %s: %s\n", text, err_text(e));
		return false;
	}
	if (!address_is_loopback((struct sockaddr *)out))
		return wrong(
		        "only loopback addresses (127.0.0.1, [::1]) are served: this stand-in lets every caller in",
		        text);
	return true;
}

static bool read_listen(struct sim_options *o, char *text, bool *plain)
{
	if (o->listen_count == SIM_LISTENERS_MAX)
		return wrong("too many --listen, 16 at most", NULL);
	struct sim_listen *l = &o->listen[o->listen_count];
	*plain = false;
	char *word = strtok(text, ",");
	if (!word || !read_address(word, &l->address))
		return word ? false : wrong("--listen takes HOST:PORT", NULL);
	while ((word = strtok(NULL, ","))) {
		if (strcmp(word, "plain") == 0)
			*plain = true;
		else if (strncmp(word, "cert=", 5) == 0)
			l->certificate = word + 5;
		else if (strncmp(word, "key=", 4) == 0)
			l->key = word + 4;
		else if (strcmp(word, "no-tickets") == 0)
			l->no_tickets = true;
		else if (strncmp(word, "tls-max=", 8) == 0) {
			if (!read_version(word + 8, &l->tls_highest))
				return false;
		} else if (strncmp(word, "tls-min=", 8) == 0) {
			if (!read_version(word + 8, &l->tls_lowest))
				return false;
		} else {
			return wrong("a word of --listen is not known", word);
		}
	}
	o->listen_count++;
	return true;
}

static bool read_app(struct sim_login_options *o, char *text)
{
	if (o->app_count == SIM_APPS_MAX)
		return wrong("too many --app, 8 at most", NULL);
	struct sim_app_options *app = &o->apps[o->app_count];
	char *how = strchr(text, ',');
	if (how)
		*how++ = 0;
	app->client_id = text;
	if (how && strncmp(how, "secret=", 7) == 0)
		app->secret_file = how + 7;
	else if (how && strncmp(how, "cert=", 5) == 0)
		app->certificate_file = how + 5;
	else
		return wrong("--app takes ID,secret=FILE or ID,cert=FILE", text);
	if (!*text || strlen(text) > 64 || strspn(text, "0123456789abcdefABCDEF-") != strlen(text))
		return wrong("an application's id is a GUID", text);
	o->app_count++;
	return true;
}

static bool read_path(struct sim_options *o, const char *text)
{
	if (o->path_count == SIM_PATHS_MAX || *text != '/' || text[strlen(text) - 1] == '/')
		return wrong("--path takes a path without a slash at its end, 4 times at most", text);
	o->paths[o->path_count++] = text;
	return true;
}

static bool read_scheme(struct sim_login_options *o, const char *text)
{
	o->scheme = text;
	return strcmp(text, "Bearer") == 0 || strcmp(text, "MSOID") == 0 || strcmp(text, "any") == 0 ||
	       wrong("--require-token takes Bearer, MSOID or any", text);
}

struct reading {
	const char *certificate, *key;
	bool plain, plain_one[SIM_LISTENERS_MAX];
	uint16_t tls_highest;
};

static bool finish(struct sim_options *o, const struct reading *r)
{
	if (!o->login.tenant && (o->login.app_count || o->login.scheme))
		return wrong("--app and --require-token need --login", NULL);
	if (o->fixed && (o->login.tenant || o->replay))
		return wrong("--bench knows neither --login nor --replay", NULL);
	if (o->replay && !o->path_count)
		o->paths[o->path_count++] = "/_wmcs/oauth2"; /* a proof has tried both */
	if (!o->listen_count)
		return wrong("--listen is missing", NULL);
	for (unsigned i = 0; i < o->listen_count; i++) {
		struct sim_listen *l = &o->listen[i];
		if (r->plain || r->plain_one[i]) {
			if (l->certificate || l->key)
				return wrong("an address is plain and has a certificate", NULL);
			continue;
		}
		if (!l->certificate != !l->key)
			return wrong("cert= and key= belong together", NULL);
		if (!l->certificate) {
			l->certificate = r->certificate;
			l->key = r->key;
		}
		if (!l->certificate || !l->key)
			return wrong("--tls-cert and --tls-key are missing; or say --plain for HTTP without TLS", NULL);
		if (!l->tls_highest)
			l->tls_highest = r->tls_highest ? r->tls_highest : 0x0304;
		if (!l->tls_lowest)
			l->tls_lowest = l->tls_highest < 0x0303 ? l->tls_highest : 0x0303;
		if (l->tls_lowest > l->tls_highest)
			return wrong("tls-min is above tls-max", NULL);
	}
	return true;
}

enum {
	OPT_LISTEN = 256,
	OPT_CERT,
	OPT_KEY,
	OPT_PLAIN,
	OPT_TLS_MAX,
	OPT_CONTROL,
	OPT_TENANT,
	OPT_SLC,
	OPT_TEMPLATES,
	OPT_WORKERS,
	OPT_DELAY,
	OPT_BENCH,
	OPT_BENCH_ANSWER,
	OPT_KEEP,
	OPT_SECONDS,
	OPT_LOG,
	OPT_PATH,
	OPT_LOGIN,
	OPT_APP,
	OPT_TOKEN_LIFE,
	OPT_REQUIRE_TOKEN,
	OPT_REPLAY,
	OPT_HELP
};

static const struct option rows[] = {
        {"listen", required_argument, NULL, OPT_LISTEN},
        {"tls-cert", required_argument, NULL, OPT_CERT},
        {"tls-key", required_argument, NULL, OPT_KEY},
        {"plain", no_argument, NULL, OPT_PLAIN},
        {"tls-max", required_argument, NULL, OPT_TLS_MAX},
        {"control", required_argument, NULL, OPT_CONTROL},
        {"tenant-url", required_argument, NULL, OPT_TENANT},
        {"slc-key", required_argument, NULL, OPT_SLC},
        {"templates", required_argument, NULL, OPT_TEMPLATES},
        {"workers", required_argument, NULL, OPT_WORKERS},
        {"delay-ms", required_argument, NULL, OPT_DELAY},
        {"bench", no_argument, NULL, OPT_BENCH},
        {"bench-answer", required_argument, NULL, OPT_BENCH_ANSWER},
        {"keep", required_argument, NULL, OPT_KEEP},
        {"seconds", required_argument, NULL, OPT_SECONDS},
        {"log", required_argument, NULL, OPT_LOG},
        {"path", required_argument, NULL, OPT_PATH},
        {"login", required_argument, NULL, OPT_LOGIN},
        {"app", required_argument, NULL, OPT_APP},
        {"token-life", required_argument, NULL, OPT_TOKEN_LIFE},
        {"require-token", required_argument, NULL, OPT_REQUIRE_TOKEN},
        {"replay", required_argument, NULL, OPT_REPLAY},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
};

static bool read_one(struct sim_options *o, struct reading *r, int which)
{
	static const struct {
		int option;
		const char *name;
		uint64_t min, max;
	} numbers[] = {
	        {OPT_TEMPLATES, "templates", 0, 200},     {OPT_WORKERS, "workers", 1, SIM_WORKERS_MAX},
	        {OPT_DELAY, "delay-ms", 0, 600000},       {OPT_BENCH_ANSWER, "bench-answer", 0, 1ull << 30},
	        {OPT_KEEP, "keep", 1, 1000000},           {OPT_SECONDS, "seconds", 1, 86400},
	        {OPT_TOKEN_LIFE, "token-life", 1, 86400},
	};
	uint64_t n = 0;
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
		if (numbers[i].option == which &&
		    !read_number(numbers[i].name, optarg, numbers[i].min, numbers[i].max, &n))
			return false;
	}
	switch (which) {
	case OPT_LISTEN: {
		unsigned at = o->listen_count;
		return read_listen(o, optarg, &r->plain_one[at < SIM_LISTENERS_MAX ? at : 0]);
	}
	case OPT_CERT:
		r->certificate = optarg;
		return true;
	case OPT_KEY:
		r->key = optarg;
		return true;
	case OPT_PLAIN:
		r->plain = true;
		return true;
	case OPT_TLS_MAX:
		return read_version(optarg, &r->tls_highest);
	case OPT_CONTROL:
		o->has_control = true;
		return read_address(optarg, &o->control);
	case OPT_TENANT:
		o->tenant_url = optarg;
		return true;
	case OPT_SLC:
		o->slc_key = optarg;
		return true;
	case OPT_LOG:
		o->log = optarg;
		return true;
	case OPT_PATH:
		return read_path(o, optarg);
	case OPT_LOGIN:
		o->login.tenant = optarg;
		return (*optarg && strlen(optarg) < 65 && !strchr(optarg, '/')) ||
		       wrong("--login takes a tenant's id", optarg);
	case OPT_APP:
		return read_app(&o->login, optarg);
	case OPT_TOKEN_LIFE:
		o->login.token_life_s = (unsigned)n;
		return true;
	case OPT_REQUIRE_TOKEN:
		return read_scheme(&o->login, optarg);
	case OPT_REPLAY:
		o->replay = optarg;
		return true;
	case OPT_TEMPLATES:
		o->templates = (unsigned)n;
		return true;
	case OPT_WORKERS:
		o->workers = (unsigned)n;
		return true;
	case OPT_DELAY:
		o->delay_ms = (unsigned)n;
		return true;
	case OPT_BENCH_ANSWER:
		o->answer_bytes = n;
		o->fixed = true;
		return true;
	case OPT_BENCH:
		o->fixed = true;
		return true;
	case OPT_KEEP:
		o->keep = (unsigned)n;
		return true;
	case OPT_SECONDS:
		o->seconds = (unsigned)n;
		return true;
	default:
		return false;
	}
}

bool sim_options_read(struct sim_options *o, int argc, char **argv, int *status)
{
	struct reading r = {0};
	*o = (struct sim_options){.tenant_url = RMS_TENANT_URL,
	                          .workers = 1,
	                          .templates = 25,
	                          .keep = 1000,
	                          .answer_bytes = 8192,
	                          .login = {.token_life_s = SIM_TOKEN_LIFE_S}};
	*status = 2;
	optind = 1;
	opterr = 0;
	for (int which; (which = getopt_long(argc, argv, "", rows, NULL)) != -1;) {
		if (which == OPT_HELP) {
			fputs(help, stdout);
			*status = 0;
			return false;
		}
		if (which == '?' || which == ':')
			return wrong("an option is not known or lacks its value", argv[optind - 1]);
		if (!read_one(o, &r, which))
			return false;
	}
	if (optind < argc)
		return wrong("this is not an option", argv[optind]);
	return finish(o, &r);
}
