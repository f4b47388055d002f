/* Answers of any kind, byte for byte as a cloud might send them: whatever is kept is kept within the bounds of its row. */
#include "core/base/check.h"
#include "proto/rms_keep.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	char *copy = malloc(n ? n : 1); /* exactly as long, so that a byte too far shows */
	CHECK(copy);
	if (n)
		memcpy(copy, bytes, n);
	for (unsigned op = 0; op < OP_COUNT; op++) {
		struct rms_keep k;
		if (!rms_keep_for(&rms_ops[op], slice_of(copy, n), 1772323200, &k))
			continue;
		CHECK(rms_ops[op].cache != CACHE_NEVER && k.fresh_s > 0 && k.fresh_s <= 86400 && k.stale_s <= 3600);
	}
	free(copy);
	return 0;
}
