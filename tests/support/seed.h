/* Seeds of fuzzers that a unit test builds: the files hold what the test makes. RMS_WRITE_SEEDS=1 in the environment writes them anew. */
#pragma once
#include "core/base/check.h"
#include "core/base/slice.h"

#include <stdio.h>
#include <stdlib.h>

static inline bool seed_is(const char *fuzzer, const char *name, struct slice bytes)
{
	static char room[64 * 1024];
	char path[512];
	snprintf(path, sizeof(path), SOURCE_DIR "/tests/fuzz/corpus/%s/%s", fuzzer, name);
	if (getenv("RMS_WRITE_SEEDS")) {
		FILE *out = fopen(path, "wb");
		CHECK(out && fwrite(bytes.at, 1, bytes.len, out) == bytes.len && fclose(out) == 0);
	}
	FILE *in = fopen(path, "rb");
	if (!in)
		return false;
	size_t n = fread(room, 1, sizeof(room), in);
	fclose(in);
	return slice_equal(bytes, slice_of(room, n));
}
