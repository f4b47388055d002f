/* Connections of the benchmark mode: fixed bytes for every request, as many as its User-Agent asks for ("answer=8192"). One write for an answer,
 * nothing signed, nothing kept. Used in one worker's thread. */
#pragma once
#include "bench/cloud_sim_conn.h"
#include "bench/text.h"

struct sim_fixed {
	struct fixed_answer {
		uint64_t bytes;
		struct text wire;
	} answers[32];
	size_t count, next;
	char *filler;
	uint64_t requests, request_bytes, answer_bytes; /* written by the worker, read by any thread */
};

void sim_fixed_init(struct sim_fixed *f);
void sim_fixed_done(struct sim_fixed *f);
void sim_fixed_accept(struct sim_worker *w, struct sim_listener *l);
