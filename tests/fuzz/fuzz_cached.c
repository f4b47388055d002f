/* A record that is taken is written as the same bytes; an answer of any bytes comes back as it was, and with one other bit it is refused. */
#include "core/base/check.h"
#include "store/cached.h"

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	struct cached *read = cached_read(slice_of(bytes, n));
	if (read) {
		struct cached *same = cached_new(&read->facts, read->head, read->body);
		CHECK(same && slice_equal(cached_record(same), slice_of(bytes, n)));
		cached_unref(same);
		cached_unref(read);
	}
	struct cached_facts facts = {
	        .operation = "GetServerInfo", .born_s = 1, .fresh_until_s = 2 + n, .stale_until_s = 3 + n};
	struct cached *made = cached_new(&facts, slice_of(bytes, n / 2), slice_of(bytes + n / 2, n - n / 2));
	if (!made)
		return 0; /* too long */
	read = cached_read(cached_record(made));
	CHECK(read && slice_equal(read->head, made->head) && slice_equal(read->body, made->body));
	CHECK(memcmp(&read->facts, &made->facts, sizeof(facts)) == 0);
	cached_unref(read);
	if (n) {
		made->record[(unsigned char)bytes[0] * 257u % made->len] ^= (char)(1 << (n & 7));
		CHECK(!cached_read(cached_record(made)));
	}
	cached_unref(made);
	return 0;
}
