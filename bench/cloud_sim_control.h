/* The control port: HTTP/1.1 and JSON on loopback, in the main thread. GET /health, GET /seen, POST /script, POST /reset, POST /close. */
#pragma once
#include "bench/cloud_sim_worker.h"

struct sim_control {
	struct sim *sim;
	struct loop *loop;
	struct listener listener;
	struct list connections;
	bool open, refusing;
};

struct err sim_control_open(struct sim_control *c, struct sim *sim, struct loop *loop,
                            const struct sockaddr_storage *address);
/* Closes the listener and its connections over the next turns of the loop. */
void sim_control_close(struct sim_control *c);
/* "https://127.0.0.1:1234" */
void sim_address_text(const struct sockaddr_storage *a, bool tls, struct text *out);
