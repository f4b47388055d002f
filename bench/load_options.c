#include "bench/load_options.h"

#include "core/base/check.h"
#include "core/net/listener.h"

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>

enum option_id {
	OPTION_NONE = 255, /* above every character, which getopt uses for itself */
#define HEADING(words)
#define OPTION(id, name, argument, help) OPTION_##id,
#include "bench/load_options.def"
#undef OPTION
#undef HEADING
};

static const struct option options[] = {
#define HEADING(words)
#define OPTION(id, name, argument, help) {name, (argument) != NULL, NULL, OPTION_##id},
#include "bench/load_options.def"
#undef OPTION
#undef HEADING
        {0},
};

const char *load_caller_name(enum load_caller c)
{
	static const char *const names[CALLER_COUNT] = {"", "exchange", "sharepoint", "fci"};
	return names[c];
}

static void say(char *words, size_t cap, const char *format, ...) PRINTF_LIKE(3, 4);
static void say(char *words, size_t cap, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(words, cap, format, args);
	va_end(args);
}

/* digits with one of the suffixes; each suffix is a letter and its factor follows it in factors */
static bool parse_scaled(const char *text, const char *const suffixes[], const double factors[], double *out)
{
	if (!((text[0] >= '0' && text[0] <= '9') || text[0] == '.'))
		return false;
	char *end;
	errno = 0;
	*out = strtod(text, &end);
	if (errno || text[0] == 0 || (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')))
		return false;
	for (size_t i = 0; suffixes[i]; i++)
		if (strcmp(end, suffixes[i]) == 0) {
			*out *= factors[i];
			return true;
		}
	return false;
}

static bool parse_seconds(const char *text, double *out)
{
	static const char *const suffixes[] = {"", "s", "ms", "m", NULL};
	static const double factors[] = {1, 1, 0.001, 60};
	return parse_scaled(text, suffixes, factors, out);
}

static bool parse_count(const char *text, double max, uint64_t *out)
{
	static const char *const suffixes[] = {"", "k", "K", "KiB", "M", "MiB", NULL};
	static const double factors[] = {1, 1024, 1024, 1024, 1048576, 1048576};
	double value;
	if (!parse_scaled(text, suffixes, factors, &value) || value > max || value != (double)(uint64_t)value)
		return false;
	*out = (uint64_t)value;
	return true;
}

static bool parse_plain(const char *text, double min, double max, double *out)
{
	static const char *const suffixes[] = {"", NULL};
	static const double factors[] = {1};
	return parse_scaled(text, suffixes, factors, out) && *out >= min && *out <= max;
}

static bool parse_share(const char *text, double *out)
{
	static const char *const suffixes[] = {"%", "", NULL};
	static const double factors[] = {0.01, 0.01};
	return parse_scaled(text, suffixes, factors, out) && *out <= 1;
}

static bool parse_profile(struct load_options *o, const char *text)
{
	for (int c = CALLER_EXCHANGE; c < CALLER_COUNT; c++)
		o->callers[c] = strcmp(text, "mixed") == 0 || strcmp(text, load_caller_name((enum load_caller)c)) == 0;
	o->profile = text;
	return o->callers[CALLER_EXCHANGE] || o->callers[CALLER_SHAREPOINT] || o->callers[CALLER_FCI];
}

static bool parse_op(struct load_options *o, const char *text, char *words, size_t cap)
{
	size_t used = (size_t)snprintf(words, cap, "--op %.40s: no such operation; there are", text);
	for (int i = 0; i < OP_NONE; i++) {
		if (slice_equal_nocase(rms_ops[i].name, slice_str(text))) {
			o->op = &rms_ops[i];
			o->callers[CALLER_FIXED] = true;
			return true;
		}
		if (used < cap)
			used += (size_t)snprintf(words + used, cap - used, " %.*s", SLICE_ARG(rms_ops[i].name));
	}
	return false;
}

/* NULL when the line is a header that may be sent. */
static const char *header_problem(struct slice line)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char *const ours[] = {"host", "content-length", "transfer-encoding", "expect", "soapaction"};
	size_t colon = slice_find(line, ':');
	if (colon == line.len || colon == 0 || line.len > 65536)
		return "a header is 'Name: value'";
	for (size_t i = 0; i < colon; i++)
		if (!strchr(token, line.at[i]))
			return "the name holds a character that no header name may hold";
	for (size_t i = colon; i < line.len; i++)
		if ((unsigned char)line.at[i] < ' ' && line.at[i] != '\t')
			return "the value holds a control character";
	for (size_t i = 0; i < ARRAY_COUNT(ours); i++)
		if (slice_equal_nocase(slice_until(line, colon), slice_str(ours[i])))
			return "this header is written by rms-load itself";
	return NULL;
}

static bool parse_header(struct load_options *o, const char *text, char *words, size_t cap)
{
	const char *problem = header_problem(slice_str(text));
	if (o->header_count == LOAD_HEADERS_MAX)
		problem = "that is one too many";
	if (problem) {
		say(words, cap, "--header '%.60s': %s", text, problem);
		return false;
	}
	o->headers[o->header_count++] = slice_str(text);
	return true;
}

static bool parse_auth(struct load_options *o, const char *text)
{
	static const char *const names[] = {"none", "negotiate", "ntlm"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (strcmp(text, names[i]) == 0)
			return o->auth = (enum load_auth_how)i, true;
	return false;
}

static bool parse_pattern(struct load_options *o, const char *text)
{
	bool exchange = strcmp(text, "exchange") == 0;
	o->pattern = exchange ? PATTERN_EXCHANGE : PATTERN_KEPT;
	return exchange || strcmp(text, "kept") == 0;
}

/* "CACHE" for all who have none of their own, or "exchange=CACHE". */
static bool parse_credentials(struct load_options *o, const char *text)
{
	for (int c = CALLER_EXCHANGE; c < CALLER_COUNT; c++) {
		size_t n = strlen(load_caller_name((enum load_caller)c));
		if (strncmp(text, load_caller_name((enum load_caller)c), n) == 0 && text[n] == '=')
			return o->caches[c] = text + n + 1, text[n + 1] != 0;
	}
	for (int c = 0; c < CALLER_COUNT; c++)
		if (!o->caches[c])
			o->caches[c] = text;
	return text[0] != 0;
}

/* Bytes as pairs of hexadecimal digits. */
static bool parse_end_point(struct load_options *o, const char *text)
{
	size_t n = strlen(text);
	if (n == 0 || n % 2 || n / 2 > sizeof(o->end_point) || strspn(text, "0123456789abcdefABCDEF") != n)
		return false;
	for (size_t i = 0; i < n / 2; i++) {
		char pair[3] = {text[2 * i], text[2 * i + 1], 0};
		o->end_point[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	o->end_point_len = n / 2;
	return true;
}

static bool parse_target(struct load_options *o, const char *text, char *words, size_t cap)
{
	if (o->target_count == LOAD_TARGETS_MAX) {
		say(words, cap, "%d addresses are the most", LOAD_TARGETS_MAX);
		return false;
	}
	struct load_target *t = &o->targets[o->target_count];
	const char *problem = uri_parse(slice_str(text), &t->uri);
	if (!problem && !slice_equal(t->uri.path, SLICE("")) && !slice_equal(t->uri.path, SLICE("/")))
		problem = "only scheme, host and port: rms-load knows the paths, as the servers do";
	if (problem) {
		say(words, cap, "%.200s: %s", text, problem);
		return false;
	}
	bool v6 = strchr(t->uri.host, ':') != NULL;
	int standard = t->uri.tls ? 443 : 80;
	char port[8] = "";
	if (t->uri.port != standard)
		snprintf(port, sizeof(port), ":%u", t->uri.port);
	say(t->authority, sizeof(t->authority), "%s%s%s%s", v6 ? "[" : "", t->uri.host, v6 ? "]" : "", port);
	say(t->url, sizeof(t->url), "%s://%s", t->uri.tls ? "https" : "http", t->authority);
	o->target_count++;
	return true;
}

static bool parse_unsigned(const char *text, unsigned max, unsigned *out)
{
	double value;
	if (!parse_plain(text, 1, max, &value) || value != (double)(unsigned)value)
		return false;
	*out = (unsigned)value;
	return true;
}

/* One option. false without words: the value is not what the help says. */
static bool take(struct load_options *o, enum option_id id, const char *value, char *words, size_t cap)
{
	uint64_t n = 0;
	switch (id) {
	case OPTION_PROFILE:
		return parse_profile(o, value);
	case OPTION_OP:
		return parse_op(o, value, words, cap);
	case OPTION_REQUEST_BYTES:
		return parse_count(value, LOAD_BODY_MAX, &n) && (o->request_bytes = n, true);
	case OPTION_ANSWER_BYTES:
		return parse_count(value, LOAD_BODY_MAX, &n) && (o->answer_bytes = n, true);
	case OPTION_HEADER:
		return parse_header(o, value, words, cap);
	case OPTION_SEED:
		return parse_count(value, 1e15, &o->seed);
	case OPTION_RATE:
		return parse_plain(value, 0.001, 1000000, &o->rate);
	case OPTION_DURATION:
		return parse_seconds(value, &o->duration_s) && o->duration_s >= 0.001 &&
		       o->duration_s <= LOAD_SECONDS_MAX;
	case OPTION_REQUESTS:
		return parse_count(value, 1e12, &o->requests) && o->requests > 0;
	case OPTION_WARMUP:
		return parse_seconds(value, &o->warmup_s) && o->warmup_s <= LOAD_SECONDS_MAX;
	case OPTION_TIMEOUT:
		return parse_seconds(value, &o->timeout_s) && o->timeout_s >= 0.1 && o->timeout_s <= LOAD_SECONDS_MAX;
	case OPTION_AUTH:
		return parse_auth(o, value);
	case OPTION_PATTERN:
		return parse_pattern(o, value);
	case OPTION_CREDENTIALS:
		return parse_credentials(o, value);
	case OPTION_SPN:
		return o->spn = value, value[0] != 0 && strlen(value) < 256;
	case OPTION_USER:
		return o->user = value, true;
	case OPTION_PASSWORD_FILE:
		return o->password_file = value, true;
	case OPTION_END_POINT:
		return parse_end_point(o, value);
	case OPTION_BODY_ON_EACH_LEG:
		return o->body_on_each_leg = true;
	case OPTION_CONNECTIONS:
		return parse_unsigned(value, LOAD_CONNECTIONS_MAX, &o->connections);
	case OPTION_IN_FLIGHT:
		return parse_unsigned(value, LOAD_CONNECTIONS_MAX, &o->in_flight);
	case OPTION_THREADS:
		return parse_unsigned(value, LOAD_THREADS_MAX, &o->threads);
	case OPTION_VERIFY:
		return parse_share(value, &o->verify);
	case OPTION_CHECK:
		if (o->check_count == LOAD_CHECKS_MAX) {
			say(words, cap, "--check: %d rules are the most", LOAD_CHECKS_MAX);
			return false;
		}
		return load_check_parse(&o->checks[o->check_count++], value, words, cap);
	case OPTION_CA:
		return o->ca_file = value, true;
	case OPTION_JSON:
		return o->json_file = value, true;
	case OPTION_BOOTSTRAP:
		return o->bootstrap = true;
	case OPTION_EXPECT_CONTINUE:
		return o->expect_continue = true;
	case OPTION_CHUNKED:
		return o->chunked = true;
	case OPTION_POISSON:
		return o->poisson = true;
	case OPTION_NEW_CONNECTIONS:
		return o->new_connections = true;
	case OPTION_INSECURE:
		return o->insecure = true;
	case OPTION_RESUME:
		return o->resume = true;
	case OPTION_OWN_SERVER:
		return o->own_server = true;
	case OPTION_QUIET:
		return o->quiet = true;
	case OPTION_HELP:
		return o->action = LOAD_HELP, true;
	case OPTION_VERSION:
		return o->action = LOAD_VERSION, true;
	case OPTION_NONE:
		break;
	}
	return false;
}

/* What only all options together tell. NULL when they agree. */
static const char *disagreement(struct load_options *o)
{
	unsigned kinds = 0;
	for (int c = 0; c < CALLER_COUNT; c++)
		kinds += o->callers[c];
	if (o->target_count == 0)
		return "say where to send: rms-load URL, for example rms-load http://127.0.0.1:8080 --profile exchange";
	for (size_t i = 1; i < o->target_count; i++)
		if (o->targets[i].uri.tls != o->targets[0].uri.tls)
			return "the addresses must be all http or all https";
	if (kinds == 0 && !o->bootstrap)
		return "say what to send: --profile exchange|sharepoint|fci|mixed, --op NAME, or --bootstrap";
	if (o->op && o->profile)
		return "--profile and --op exclude each other";
	if (o->sized && !o->op)
		return "--request-bytes and --answer-bytes belong to --op: a profile has its own sizes";
	if (o->poisson && o->rate <= 0)
		return "--poisson needs --rate";
	if (o->auth == LOAD_AUTH_NTLM && !(o->user && o->password_file))
		return "--auth ntlm needs --user 'DOMAIN\\NAME' and --password-file FILE";
	if (o->auth != LOAD_AUTH_NTLM && (o->user || o->password_file))
		return "--user and --password-file belong to --auth ntlm; Kerberos has a credential cache";
	for (size_t i = 0; i < o->header_count && o->auth; i++)
		if (slice_equal_nocase(slice_until(o->headers[i], 14), SLICE("authorization:")))
			return "--auth writes the Authorization header; it cannot be given with --header too";
	if (o->new_connections && o->pattern == PATTERN_KEPT)
		return "--new-connections and --pattern kept exclude each other";
	if (o->in_flight > o->connections)
		return "--in-flight is more than --connections: a connection carries one request at a time";
	/* each thread has at least one connection of each kind of caller to each node */
	if (kinds && o->connections < kinds * o->threads)
		return "--connections is less than one for each thread and kind of caller";
	if (kinds && o->in_flight && o->in_flight < kinds * o->threads)
		return "--in-flight is less than one for each thread and kind of caller";
	return NULL;
}

bool load_options_parse(struct load_options *o, int argc, char *const argv[], char *words, size_t cap)
{
	*o = (struct load_options){.seed = 1,
	                           .timeout_s = 30,
	                           .connections = 16,
	                           .threads = 1,
	                           .verify = 0.01,
	                           .request_bytes = 2048,
	                           .answer_bytes = 8192};
	opterr = 0;
	optind = 0; /* glibc: start afresh, for tests */
	for (;;) {
		int id = getopt_long(argc, argv, ":", options, NULL);
		if (id == -1)
			break;
		const char *given = argv[optind - 1];
		if (id == ':' || id == '?') {
			bool unknown = id == '?' && strncmp(given, "--", 2) == 0;
			say(words, cap,
			    id == ':' ? "%.80s needs a value; rms-load --help tells which"
			    : unknown ? "%.80s is not an option, or not one alone; rms-load --help lists them"
			              : "%.80s: options begin with two dashes; rms-load --help lists them",
			    given);
			return false;
		}
		words[0] = 0;
		o->sized |= id == OPTION_REQUEST_BYTES || id == OPTION_ANSWER_BYTES;
		if (!take(o, (enum option_id)id, optarg, words, cap)) {
			const struct option *row = &options[id - OPTION_NONE - 1];
			if (!words[0])
				say(words, cap, "--%s %.60s: not a value it can take; rms-load --help tells which",
				    row->name, optarg ? optarg : "");
			return false;
		}
		if (o->action != LOAD_RUN)
			return true;
	}
	for (int i = optind; i < argc; i++)
		if (!parse_target(o, argv[i], words, cap))
			return false;
	if (o->duration_s <= 0)
		o->duration_s = o->requests ? 60 : 10;
	const char *problem = disagreement(o);
	if (problem)
		say(words, cap, "%s", problem);
	if (o->in_flight == 0)
		o->in_flight = o->connections;
	return !problem;
}

void load_options_help(FILE *out)
{
	fputs("rms-load URL... [options]\n"
	      "Plays the servers that call an RMS connector, and measures what they get. URL: http:// or https://, of "
	      "a\n"
	      "connector or of rms-cloud-sim; several are the nodes behind a balancer: connections alternate over "
	      "them.\n",
	      out);
#define HEADING(words) fputs("\n" words "\n", out);
#define OPTION(id, name, argument, help) \
	fprintf(out, "  --%s %-*s %s\n", name, (int)(24 - sizeof(name)), (argument) ? (argument) : "", help);
#include "bench/load_options.def"
#undef OPTION
#undef HEADING
	fputs("\nExit status: 0; 1 a check failed or an answer was wrong; 64 wrong usage; 69 no answer at all.\n", out);
}

bool load_target_resolve(struct load_target *t, bool own_server, char *words, size_t cap)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
	char port[8];
	snprintf(port, sizeof(port), "%u", t->uri.port);
	int problem = getaddrinfo(t->uri.host, port, &hints, &found);
	if (problem || !found) {
		say(words, cap, "%s: %s", t->url, gai_strerror(problem));
		return false;
	}
	const struct addrinfo *chosen = found;
	bool outside = false;
	for (const struct addrinfo *a = found; a; a = a->ai_next) {
		outside |= !address_is_loopback(a->ai_addr);
		if (chosen->ai_family != AF_INET && a->ai_family == AF_INET)
			chosen = a;
	}
	memcpy(&t->address, chosen->ai_addr, chosen->ai_addrlen);
	freeaddrinfo(found);
	if (outside && !own_server) {
		say(words, cap,
		    "%s is not this machine. Load takes a service away from those who need it, and Azure blocks who "
		    "does it: "
		    "if the server is your own and nobody depends on it, add --i-own-this-server",
		    t->url);
		return false;
	}
	return true;
}
