/* The command line of rms-cloud-sim. */
#pragma once
#include "bench/cloud_sim_login.h"
#include "core/base/err.h"
#include "core/net/listener.h"

enum { SIM_LISTENERS_MAX = 16, SIM_WORKERS_MAX = 64, SIM_PATHS_MAX = 4 };

struct sim_options {
	struct sim_listen {
		struct sockaddr_storage address;
		const char *certificate, *key;    /* NULL: plain HTTP */
		uint16_t tls_lowest, tls_highest; /* 0: 1.2 to 1.3 */
		bool no_tickets;
	} listen[SIM_LISTENERS_MAX];
	unsigned listen_count;
	struct sockaddr_storage control;
	bool has_control, fixed;
	const char *tenant_url, *slc_key, *log, *replay;
	const char *paths[SIM_PATHS_MAX]; /* further ones that the service answers at: "/_wmcs/oauth2" */
	unsigned path_count;
	struct sim_login_options login;
	unsigned workers, templates, delay_ms, seconds, keep;
	uint64_t answer_bytes;
};

/* false: *status is the exit status; what was wrong, or the help, has been printed. Options point into argv, which is cut up. */
bool sim_options_read(struct sim_options *o, int argc, char **argv, int *status);
