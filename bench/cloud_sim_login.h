/* The login service of the cloud stand-in: OAuth 2.0 client credentials at /TENANT/oauth2/v2.0/token, as Entra ID documents them. Secrets and assertions
 * (PS256) are really checked, and so are its tokens when the service asks for them. Shared by all workers: immutable but for the ids of assertions, under
 * a lock, and the generation, which is atomic. */
#pragma once
#include "bench/text.h"
#include "core/base/err.h"

#include <pthread.h>
#include <stdint.h>

enum { SIM_APPS_MAX = 8, SIM_IDS_MAX = 1024, SIM_TOKEN_LIFE_S = 3599 };

struct sim_app_options {                                        /* borrowed from the command line */
	const char *client_id, *secret_file, *certificate_file; /* one of both files */
};

struct sim_login_options {
	const char *tenant; /* NULL: there is no login service */
	struct sim_app_options apps[SIM_APPS_MAX];
	unsigned app_count;
	unsigned token_life_s;
	const char *scheme; /* of --require-token: "Bearer", "MSOID" or "any"; NULL: the service asks for no token */
};

struct crypto_verifier;

struct sim_login {
	const struct sim_login_options *options;
	char path[128]; /* "/TENANT/oauth2/v2.0/token" */
	struct sim_app {
		const char *client_id;
		char *secret; /* owned */
		size_t secret_len;
		struct crypto_verifier *certificate; /* owned */
	} apps[SIM_APPS_MAX];
	unsigned app_count;
	uint8_t key[32];     /* of its tokens */
	uint32_t generation; /* tokens of an earlier one are no good */
	uint32_t given;      /* tokens; atomic */
	pthread_mutex_t lock;
	uint64_t ids[SIM_IDS_MAX]; /* hashes of the last assertions' jti */
	size_t next_id;
};

/* err.what names the file that is wrong. Call sim_login_done() in any case. */
struct err sim_login_init(struct sim_login *l, const struct sim_login_options *o);
void sim_login_done(struct sim_login *l);

/* Any case of letters. */
bool sim_login_is_path(const struct sim_login *l, struct slice path);
/* The answer to a token request; its status. host: of the request, for the audience of assertions. Appends JSON. */
unsigned sim_login_answer(struct sim_login *l, struct slice host, struct slice body, int64_t now_s, struct text *out);
/* An error as the service words it. */
void sim_login_refusal(struct text *out, unsigned code, const char *what, int64_t now_s);
/* Every token given up to now is refused from now on. */
void sim_login_forget(struct sim_login *l);

enum sim_token { SIM_TOKEN_GOOD, SIM_TOKEN_MISSING, SIM_TOKEN_SCHEME, SIM_TOKEN_WRONG, SIM_TOKEN_ENDED };
/* What an Authorization value is worth. client: of the application it was given to; empty unless it is good. */
enum sim_token sim_login_check(const struct sim_login *l, struct slice authorization, int64_t now_s,
                               char client[static 80]);
