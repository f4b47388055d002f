/* A record that is taken is written as the same bytes; bytes of any kind, put into a whole record, come back as they were. */
#include "core/base/check.h"
#include "store/state_record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

static void write_again(const struct state_record *list, struct slice same)
{
	size_t len;
	char *record = state_record_write(STATE_LIST, list, &len);
	CHECK(record && slice_equal(slice_of(record, len), same));
	free(record);
}

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	struct state_record list, read;
	size_t len;
	if (state_record_read(STATE_LIST, slice_of(bytes, n), &list))
		write_again(&list, slice_of(bytes, n));
	list = (struct state_record){.confirmed_s = n, .document = slice_of(bytes, n)};
	char *record = state_record_write(STATE_LIST, &list, &len);
	CHECK(record && state_record_read(STATE_LIST, slice_of(record, len), &read));
	CHECK(read.confirmed_s == n && slice_equal(read.document, list.document));
	if (n) { /* one other bit, and it is refused */
		record[(unsigned char)bytes[0] * 257u % len] ^= (char)(1 << (n & 7));
		CHECK(!state_record_read(STATE_LIST, slice_of(record, len), &read));
	}
	free(record);
	return 0;
}
