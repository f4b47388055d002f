/* A record that is taken is written as the same bytes. */
#include "core/base/check.h"
#include "store/decision_record.h"

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	struct slice in = slice_of(bytes, n);
	struct decision_record r;
	char again[DECISION_RECORD_BYTES];
	while (decision_record_read(&in, &r)) {
		size_t len = decision_record_write(&r, again);
		CHECK(len <= sizeof(again));
		CHECK(slice_equal(slice_of(again, len), slice_of(in.at - len, len)));
	}
	return 0;
}
