/* Seeds of fuzzers that a unit test builds: the files hold what the test makes. RMS_WRITE_SEEDS=1 in the environment writes them anew. */
#pragma once
#include "core/base/check.h"
#include "core/base/slice.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEED_ROOM = 64 * 1024 };

/* Bytes of a seed, in out; at is NULL when there is none. */
static inline struct slice seed_read(const char *fuzzer, const char *name, char out[static SEED_ROOM])
{
	char path[512];
	snprintf(path, sizeof(path), SOURCE_DIR "/tests/fuzz/corpus/%s/%s", fuzzer, name);
	FILE *in = fopen(path, "rb");
	if (!in)
		return slice_of(NULL, 0);
	size_t n = fread(out, 1, SEED_ROOM, in);
	fclose(in);
	return slice_of(out, n);
}

static inline bool seed_is(const char *fuzzer, const char *name, struct slice bytes)
{
	static char room[SEED_ROOM];
	if (getenv("RMS_WRITE_SEEDS")) {
		char path[512];
		snprintf(path, sizeof(path), SOURCE_DIR "/tests/fuzz/corpus/%s/%s", fuzzer, name);
		FILE *out = fopen(path, "wb");
		CHECK(out && fwrite(bytes.at, 1, bytes.len, out) == bytes.len && fclose(out) == 0);
	}
	return slice_equal(bytes, seed_read(fuzzer, name, room));
}
