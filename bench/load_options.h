/* What the command line of rms-load asks for, checked. Rows in load_options.def. Made once by the main thread; workers only read. */
#pragma once
#include "bench/load_check.h"
#include "proto/rms_op.h"
#include "proto/uri.h"

#include <netinet/in.h>
#include <stdio.h>

enum {
	LOAD_TARGETS_MAX = 16,
	LOAD_HEADERS_MAX = 16,
	LOAD_THREADS_MAX = 64,
	LOAD_CONNECTIONS_MAX = 100000,
	LOAD_SECONDS_MAX = 3600,
	LOAD_BODY_MAX = 256 * 1024 * 1024,
};

/* Whose calls they are. A profile of the command line is one of these or all of them (mixed); FIXED is --op. */
enum load_caller { CALLER_FIXED, CALLER_EXCHANGE, CALLER_SHAREPOINT, CALLER_FCI, CALLER_COUNT };
const char *load_caller_name(enum load_caller c);

struct load_target { /* one node */
	struct uri uri;
	char url[300];       /* without path, for reports */
	char authority[300]; /* value of Host */
	struct sockaddr_storage address;
};

enum load_auth_how { LOAD_AUTH_NONE, LOAD_AUTH_NEGOTIATE, LOAD_AUTH_NTLM };
enum load_pattern { PATTERN_OF_PROFILE, PATTERN_EXCHANGE, PATTERN_KEPT };

enum load_action { LOAD_RUN, LOAD_HELP, LOAD_VERSION };

struct load_options {
	enum load_action action;
	struct load_target targets[LOAD_TARGETS_MAX];
	size_t target_count;
	bool callers[CALLER_COUNT]; /* none: only the bootstrap */
	const char *profile;        /* as given; NULL */
	const struct rms_op *op;    /* CALLER_FIXED */
	bool sized; /* --op with sizes: rms-cloud-sim's measuring mode. Without: its natural size and a real answer */
	size_t request_bytes, answer_bytes;
	bool bootstrap, expect_continue, chunked, poisson, new_connections, insecure, resume, own_server, quiet;
	struct slice headers[LOAD_HEADERS_MAX]; /* whole lines without CRLF, borrowed from argv */
	size_t header_count;
	uint64_t seed, requests; /* requests 0: no such limit */
	double rate;             /* 0: closed loop */
	double duration_s, warmup_s, timeout_s;
	unsigned connections, in_flight, threads;
	enum load_auth_how auth;
	enum load_pattern pattern;
	const char *spn;                  /* NULL: HTTP/ and the target's host */
	const char *caches[CALLER_COUNT]; /* NULL: KRB5CCNAME, or the default */
	const char *user, *password_file;
	bool body_on_each_leg;
	uint8_t end_point[64]; /* hash of the server's certificate for channel binding */
	size_t end_point_len;  /* 0: none */
	const char *ca_file, *json_file;
	double verify; /* share of the answers, 0 to 1 */
	struct load_check checks[LOAD_CHECKS_MAX];
	size_t check_count;
};

/* false: *words say what is wrong and how to mend it. Does not resolve names: load_target_resolve() does. */
bool load_options_parse(struct load_options *o, int argc, char *const argv[], char *words, size_t cap);
void load_options_help(FILE *out);
/* Fills address, v4 before v6. Refuses what is not loopback unless own_server. */
bool load_target_resolve(struct load_target *t, bool own_server, char *words, size_t cap);
