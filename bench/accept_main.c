#include "bench/accept.h"
#include "bench/text.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
        "usage: rms-accept --spn NAME [--credentials CACHE] [--count N] HOW\n"
        "Makes N Kerberos tokens (1000) for a service, then has them accepted, and prints one line of JSON.\n"
        "  --keytab FILE [--threads N] [--pac]   by gss_accept_sec_context() and nothing else, in N threads (1);\n"
        "                                        --pac: and the logon information of the PAC is read\n"
        "  --authd SOCKET [--in-flight N]        by rms-connector-authd, N at a time (16)\n"
        "  --print                               by nobody: prints them, a line of base64 each\n";

struct options {
	const char *spn, *cache, *keytab, *authd;
	size_t count;
	unsigned threads, in_flight;
	bool pac, print;
};

static _Noreturn void refuse(const char *what)
{
	fprintf(stderr, "rms-accept: %s\n%s", what, usage);
	exit(64);
}

static unsigned long number(const char *text, unsigned long most, const char *what)
{
	char *end = NULL;
	unsigned long n = strtoul(text, &end, 10);
	if (!end || end == text || *end || n < 1 || n > most)
		refuse(what);
	return n;
}

static void options_read(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {{"spn", required_argument, NULL, 's'},
	                                      {"credentials", required_argument, NULL, 'c'},
	                                      {"count", required_argument, NULL, 'n'},
	                                      {"keytab", required_argument, NULL, 'k'},
	                                      {"threads", required_argument, NULL, 't'},
	                                      {"pac", no_argument, NULL, 'p'},
	                                      {"authd", required_argument, NULL, 'a'},
	                                      {"in-flight", required_argument, NULL, 'f'},
	                                      {"print", no_argument, NULL, 'w'},
	                                      {"help", no_argument, NULL, 'h'},
	                                      {0}};
	for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		switch (option) {
		case 's':
			o->spn = optarg;
			break;
		case 'c':
			o->cache = optarg;
			break;
		case 'n':
			o->count = number(optarg, ACCEPT_TOKENS_MAX, "--count is 1 to 200000");
			break;
		case 'k':
			o->keytab = optarg;
			break;
		case 't':
			o->threads = (unsigned)number(optarg, ACCEPT_THREADS_MAX, "--threads is 1 to 16");
			break;
		case 'p':
			o->pac = true;
			break;
		case 'a':
			o->authd = optarg;
			break;
		case 'f':
			o->in_flight = (unsigned)number(optarg, 1024, "--in-flight is 1 to 1024");
			break;
		case 'w':
			o->print = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			refuse("an option is wrong");
		}
	}
	if (optind < argc || !o->spn)
		refuse(o->spn ? "there is a word too many" : "--spn is needed");
	if (!!o->keytab + !!o->authd + o->print != 1)
		refuse("one of --keytab, --authd and --print is needed");
}

static void print_tokens(const struct accept_tokens *t)
{
	struct text line = {0};
	for (size_t i = 0; i < t->count; i++) {
		text_clear(&line);
		text_add_base64(&line, t->at[i].at, t->at[i].len);
		printf("%.*s\n", (int)line.len, line.at);
	}
	text_free(&line);
}

int main(int argc, char **argv)
{
	struct options o = {.count = 1000, .threads = 1, .in_flight = 16};
	struct accept_tokens tokens = {0};
	struct accept_result result = {0};
	char words[ACCEPT_WORDS] = "";
	options_read(&o, argc, argv);
	bool fine = accept_tokens_make(o.cache, o.spn, o.count, &tokens, words);
	size_t bytes = fine ? tokens.at[0].len : 0;
	if (fine && o.keytab)
		fine = accept_bare(&tokens, o.keytab, o.threads, o.pac, &result, words);
	else if (fine && o.authd)
		fine = accept_authd(&tokens, o.authd, o.in_flight, &result, words);
	else if (fine)
		print_tokens(&tokens);
	accept_tokens_free(&tokens);
	if (!fine) {
		fprintf(stderr, "rms-accept: %s\n", words);
		return 1;
	}
	if (!o.print)
		printf("{\"accepted\": %zu, \"seconds\": %.6f, \"cpu_us_each\": %.3f, \"token_bytes\": %zu}\n",
		       result.accepted, result.seconds, result.cpu_s / (double)result.accepted * 1e6, bytes);
	return 0;
}
