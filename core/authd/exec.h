/* A program of the administrator that prints what is said to the cloud (credentials of the kind exec). It is one that root owns and nobody else may write,
 * run without a shell, without arguments, with nothing but PATH and LANG in its environment, no input and no other file than its output. What it prints is
 * one JSON object, {"header": "Bearer ...", "expires": SECONDS SINCE 1970}, within 10 s and 32 KiB; what it writes to standard error is not kept. */
#pragma once
#include "core/base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXEC_OUTPUT_BYTES = 32 * 1024, EXEC_HEADER_BYTES = 12 * 1024, EXEC_PROBLEM_BYTES = 320, EXEC_TIME_MS = 10000 };

struct exec_answer {
	char header[EXEC_HEADER_BYTES + 1];
	int64_t expires_s;
	char problem[EXEC_PROBLEM_BYTES]; /* "": none, and the others are set */
};
/* Blocks, for EXEC_TIME_MS at most. out: to be wiped. */
void exec_run(const char *program, msec_t time_ms, struct exec_answer *out);
