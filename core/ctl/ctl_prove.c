#include "core/ctl/ctl_prove.h"

#include "core/base/log.h"
#include "core/base/program.h"
#include "core/cloud/prove.h"
#include "core/ctl/ctl_prove_tell.h"
#include "core/ops/config_load.h"
#include "core/ops/proven.h"
#include "proto/clouds.h"
#include "proto/uri.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { BODY_BYTES = 8 * 1024 * 1024, TIMEOUT_USUAL_MS = 30000 };

struct options {
	const char *url, *cloud, *ca_file, *path, *credential, *out, *timeout_ms, *dns_servers;
	const char *tenant, *client_id, *secret_file, *certificate_file, *key_file, *authorization_file, *login_url,
	        *scope;
	const char *bodies[PROVE_BODIES_MAX];
	size_t body_count;
};

static const struct {
	const char *word, *value, *help;
	size_t offset; /* in struct options */
} rows[] = {
#define OPTION(word, value, member, help)                           \
	{                                                           \
		word, value, help, offsetof(struct options, member) \
	}
        OPTION("--url", "URL", url, "the tenant's RMS service; without it the configuration says everything"),
        OPTION("--cloud", "NAME", cloud, "AzureCloud, AzureChinaCloud, AzureUSGovernment or custom (AzureCloud)"),
        OPTION("--tenant", "ID", tenant, "directory (tenant) id, or a domain of the tenant"),
        OPTION("--client-id", "ID", client_id, "application (client) id of the app registration"),
        OPTION("--secret-file", "FILE", secret_file, "file with the secret's value; readable by nobody else"),
        OPTION("--certificate-file", "FILE", certificate_file,
               "certificate of the app registration; without --tenant: shown in TLS"),
        OPTION("--key-file", "FILE", key_file, "its key"),
        OPTION("--authorization-file", "FILE", authorization_file,
               "a line that is sent as Authorization, instead of a token"),
        OPTION("--login-url", "URL", login_url, "the login service (that of --cloud)"),
        OPTION("--scope", "SCOPE", scope, "what the token is for (that of --cloud)"),
        OPTION("--ca-file", "FILE", ca_file,
               "certificates that both services' certificates must lead to (the system's)"),
        OPTION("--dns-servers", "LIST", dns_servers, "name servers, host:port with commas (the system's)"),
        OPTION("--path", "PATH", path, "a further path to try, beside /_wmcs and /_wmcs/oauth2"),
        OPTION("--credential", "NAME", credential, "which of the configuration's, when it has several"),
        OPTION("--timeout-ms", "N", timeout_ms, "for each request (30000)"),
        OPTION("--out", "FILE", out, "write a transcript, without tokens and licences"),
#undef OPTION
};

void ctl_prove_help(void)
{
	printf("  upstream prove [--url URL ...] [--body FILE ...] [--out FILE]\n"
	       "      try whether the tenant's RMS service takes a credential, at which path and by which scheme (no "
	       "node is needed)\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf("        %-21s %-6s %s\n", rows[i].word, rows[i].value, rows[i].help);
	printf("        %-21s %-6s %s\n", "--body", "FILE",
	       "a recorded body, Certify or AcquireLicense for instance; up to 4 times");
	printf("      Exit codes: 0 usable, 1 refused, 69 not reached\n");
}

static int usage(const char *what, const char *value)
{
	return program_usage_error("rms-connectorctl upstream prove", what, value);
}

static int complain(int code, const char *where, const char *what)
{
	fprintf(stderr, "rms-connectorctl: %s%s%s\n", where, *where ? ": " : "", what);
	return code;
}

static int read_options(struct options *o, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i += 2) {
		const char **into = NULL;
		for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
			if (strcmp(words[i], rows[k].word) == 0)
				into = (const char **)((char *)o + rows[k].offset);
		if (strcmp(words[i], "--body") == 0 && o->body_count < PROVE_BODIES_MAX)
			into = &o->bodies[o->body_count++];
		if (!into)
			return usage("this is no option of it, or is there too often", words[i]);
		if (i + 1 == count)
			return usage("this option needs a value", words[i]);
		if (*into)
			return usage("this option is there twice", words[i]);
		*into = words[i + 1];
	}
	return 0;
}

/* ---- what to prove ---- */

struct subject {
	struct settings *settings;
	struct credential_settings *all; /* the credentials that were loaded, for settings_free() */
	size_t all_count;
	bool from_config;
};

static bool set_text(struct settings *s, enum setting_id id, const char *text)
{
	return !text || settings_set_text(s, id, text, strlen(text));
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static int from_options(const struct options *o, struct subject *s)
{
	struct uri uri;
	const char *wrong = uri_parse(slice_str(o->url), &uri);
	if (wrong)
		return usage("--url is not right", wrong);
	if (o->cloud && !cloud_find(slice_str(o->cloud)))
		return usage("--cloud is one of", cloud_names());
	if (o->credential)
		return usage("--credential names one of a configuration, so it does not go with --url", NULL);
	bool token = o->tenant || o->client_id || o->secret_file;
	if (token && (!o->tenant || !o->client_id || !o->secret_file == !o->certificate_file))
		return usage("a token needs --tenant, --client-id and either --secret-file or --certificate-file",
		             NULL);
	if (!o->certificate_file != !o->key_file)
		return usage("--certificate-file and --key-file belong together", NULL);
	if (o->authorization_file && (token || o->certificate_file))
		return usage("--authorization-file is a credential of its own", NULL);
	s->settings = settings_new();
	struct credential_settings *c = calloc(1, sizeof(*c));
	if (!s->settings || !c) {
		free(c);
		return complain(EX_OSERR, "", "out of memory");
	}
	s->settings->credentials = c;
	s->settings->credential_count = 1;
	c->kind = o->authorization_file     ? CREDENTIAL_STATIC
	          : token && o->secret_file ? CREDENTIAL_OAUTH2_SECRET
	          : token                   ? CREDENTIAL_OAUTH2_CERTIFICATE
	          : o->certificate_file     ? CREDENTIAL_MTLS
	                                    : CREDENTIAL_NONE;
	c->name = strdup("given");
	c->tenant = copy(o->tenant);
	c->client_id = copy(o->client_id);
	c->secret_file = copy(o->secret_file);
	c->certificate_file = copy(o->certificate_file);
	c->key_file = copy(o->key_file);
	c->authorization_file = copy(o->authorization_file);
	c->login_url = copy(o->login_url);
	c->scope = copy(o->scope);
	/* Its path is the document's way to name the service; which one it is, is tried. */
	bool good = settings_set_text(s->settings, SETTING_upstream_url, o->url, strlen(o->url) - uri.path.len) &&
	            set_text(s->settings, SETTING_upstream_cloud, o->cloud) &&
	            set_text(s->settings, SETTING_upstream_ca_file, o->ca_file) &&
	            set_text(s->settings, SETTING_upstream_dns_servers, o->dns_servers) && c->name;
	return good ? 0 : complain(EX_OSERR, "", "out of memory");
}

/* The one that is meant comes first, alone. */
static int choose(const struct options *o, struct subject *s)
{
	struct settings *all = s->settings;
	size_t found = all->credential_count == 1 && !o->credential ? 0 : all->credential_count;
	for (size_t i = 0; i < all->credential_count && o->credential; i++)
		if (strcmp(all->credentials[i].name, o->credential) == 0)
			found = i;
	if (found == all->credential_count) {
		fprintf(stderr, "rms-connectorctl: %s --credential NAME; the configuration has:",
		        o->credential ? "there is no such credential:" : "which credential?");
		for (size_t i = 0; i < all->credential_count; i++)
			fprintf(stderr, " %s", all->credentials[i].name);
		fputc('\n', stderr);
		return EX_USAGE;
	}
	s->all = all->credentials;
	s->all_count = all->credential_count;
	all->credentials += found;
	all->credential_count = 1;
	return 0;
}

static int from_config(const struct options *o, const char *config, struct subject *s)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *given = *(const char *const *)((const char *)o + rows[i].offset);
		bool ours = strcmp(rows[i].word, "--credential") == 0 || strcmp(rows[i].word, "--path") == 0 ||
		            strcmp(rows[i].word, "--timeout-ms") == 0 || strcmp(rows[i].word, "--out") == 0;
		if (given && !ours)
			return usage("without --url the configuration says this", rows[i].word);
	}
	struct config_problems problems;
	struct err failed = config_load(config ? config : PROGRAM_CONFIG_FILE, &s->settings, &problems);
	if (failed.code)
		config_problems_print(&problems, stderr);
	config_problems_done(&problems);
	s->from_config = true;
	return failed.code ? EX_CONFIG : choose(o, s);
}

static void subject_done(struct subject *s)
{
	if (s->all) {
		s->settings->credentials = s->all;
		s->settings->credential_count = s->all_count;
	}
	settings_free(s->settings);
}

/* ---- recorded requests ---- */

/* *owned: the bytes, for free(). */
static int read_body(const char *file, struct prove_body *out, char **owned)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char *bytes = *owned = malloc(BODY_BYTES + 1);
	size_t n = 0;
	ssize_t got = fd < 0 || !bytes ? -1 : 1;
	while (got > 0 && n <= BODY_BYTES) {
		got = read(fd, bytes + n, BODY_BYTES + 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	int failed = errno;
	if (fd >= 0)
		close(fd);
	out->bytes = slice_of(bytes, n);
	if (got < 0)
		return complain(EX_NOINPUT, file, strerror(failed));
	struct slice child;
	out->op = OP_NONE;
	if (n <= BODY_BYTES && soap_first_child(bytes, n, true, &child) == SOAP_FOUND)
		for (enum rms_op_id op = 0; op < OP_NONE; op++)
			if (slice_equal(rms_ops[op].name, child))
				out->op = op;
	out->soap =
	        memmem(bytes, n < 1024 ? n : 1024, "http://www.w3.org/2003/05/soap-envelope", 39) ? SOAP_12 : SOAP_11;
	return out->op != OP_NONE ? 0 : complain(EX_DATAERR, file, "this is no SOAP request of an RMS operation");
}

/* ---- running it ---- */

struct running {
	struct prove prove; /* first: on_end() has only that */
	struct loop loop;
};

static void on_end(struct prove *p)
{
	struct running *r = (struct running *)p;
	prove_close(p);
	loop_stop(&r->loop);
}

static int run(struct running *r)
{
	const char *where = "";
	struct err failed = loop_init(&r->loop);
	if (failed.code)
		return complain(EX_OSERR, "", err_text(failed));
	r->prove.on_end = on_end;
	failed = prove_open(&r->prove, &r->loop, &where);
	if (failed.code) {
		complain(EX_CONFIG, where, err_text(failed));
		on_end(&r->prove);
	}
	loop_run(&r->loop);
	prove_done(&r->prove);
	loop_done(&r->loop);
	return failed.code ? EX_CONFIG : 0;
}

static void leave_mark(const struct subject *s, const struct prove *p, const struct prove_verdict *v)
{
	struct proven mark = {.licences = v->licences > 0};
	if (!s->from_config || v->result != PROVE_USABLE || !v->shows_token || !*s->settings->node_state_directory)
		return;
	clock_format(clock_wall(), mark.at);
	snprintf(mark.host, sizeof(mark.host), "%s:%u", p->service.host, p->service.port);
	snprintf(mark.base, sizeof(mark.base), "%s", v->base);
	snprintf(mark.scheme, sizeof(mark.scheme), "%s", v->scheme);
	for (size_t i = 0, n = 0; i < p->call_count; i++) {
		const struct prove_call *c = &p->calls[i];
		if (c->answer.outcome == PROVE_GOOD && strcmp(c->base, v->base) == 0 &&
		    strcmp(c->scheme, v->scheme) == 0 && n < sizeof(mark.operations))
			n += (size_t)snprintf(mark.operations + n, sizeof(mark.operations) - n, "%s%.*s", n ? ", " : "",
			                      SLICE_ARG(rms_ops[c->op].name));
	}
	struct err failed = proven_write(s->settings->node_state_directory, &mark);
	if (failed.code)
		fprintf(stderr, "rms-connectorctl: the node will not know of this proof: %s\n", err_text(failed));
}

static int tell(const struct options *o, const struct subject *s, const struct prove *p, bool json)
{
	struct prove_verdict v;
	prove_conclude(p, &v);
	json_t *transcript = ctl_prove_transcript(p, &v);
	int code = v.result == PROVE_USABLE ? 0 : v.result == PROVE_DENIED ? 1 : EX_UNAVAILABLE;
	leave_mark(s, p, &v);
	if (json) {
		json_t *answer = json_pack("{s:i, s:b, s:O}", "version", 1, "ok", code == 0, "result", transcript);
		json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
		json_decref(answer);
	} else {
		ctl_prove_tell(stdout, p, &v);
	}
	if (o->out && json_dump_file(transcript, o->out, JSON_INDENT(1) | JSON_REAL_PRECISION(9))) {
		fprintf(stderr, "rms-connectorctl: %s: %s\n", o->out, strerror(errno));
		code = EX_CANTCREAT;
	}
	json_decref(transcript);
	return fflush(stdout) ? EX_IOERR : code;
}

int ctl_prove(const char *const *words, size_t count, const char *config, bool json)
{
	struct options o = {0};
	struct subject s = {0};
	struct prove_body bodies[PROVE_BODIES_MAX] = {0};
	char *owned[PROVE_BODIES_MAX] = {0};
	struct running *r = calloc(1, sizeof(*r));
	int code = r ? read_options(&o, words, count) : complain(EX_OSERR, "", "out of memory");
	char *end = NULL;
	unsigned long timeout = o.timeout_ms ? strtoul(o.timeout_ms, &end, 10) : TIMEOUT_USUAL_MS;
	if (!code && (timeout < 100 || timeout > 600000 || (end && *end)))
		code = usage("--timeout-ms takes a number from 100 to 600000", o.timeout_ms);
	if (!code && o.path && (o.path[0] != '/' || strpbrk(o.path, " \t\r\n?#") || strlen(o.path) > 200))
		code = usage("--path is like /_wmcs", o.path);
	if (!code)
		code = o.url ? from_options(&o, &s) : from_config(&o, config, &s);
	for (size_t i = 0; i < o.body_count && !code; i++)
		code = read_body(o.bodies[i], &bodies[i], &owned[i]);
	if (!code) {
		/* Its own events are for a service's journal; here the verdict says it. */
		(void)!log_open("rms-connectorctl", "/dev/null").code;
		struct prove *p = &r->prove;
		const char *bases[] = {s.from_config ? s.settings->upstream_path : "/_wmcs", "/_wmcs", "/_wmcs/oauth2",
		                       o.path};
		for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
			bool known = !bases[i];
			for (size_t k = 0; k < p->base_count && !known; k++)
				known = strcmp(p->bases[k], bases[i]) == 0;
			if (!known)
				p->bases[p->base_count++] = bases[i];
		}
		p->settings = s.settings;
		p->bodies = bodies;
		p->body_count = o.body_count;
		p->timeout = timeout;
		code = run(r);
		if (!code)
			code = tell(&o, &s, p, json);
		log_close();
	}
	for (size_t i = 0; i < PROVE_BODIES_MAX; i++)
		free(owned[i]);
	subject_done(&s);
	free(r);
	return code;
}
