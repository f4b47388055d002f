/* What is taken is written as the same bytes. */
#include "core/base/check.h"
#include "store/directory_record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	struct directory_record r;
	size_t len;
	if (!directory_record_read(slice_of(bytes, n), &r))
		return 0;
	char *again = directory_record_write(&r, &len);
	CHECK(again && slice_equal(slice_of(again, len), slice_of(bytes, n)));
	free(again);
	directory_record_done(&r);
	return 0;
}
