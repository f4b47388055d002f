/* What is read as a SID prints and parses as the same one; a set that is valid is read whole. */
#include "core/base/check.h"
#include "core/base/sid.h"

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	struct sid s, again;
	char text[SID_TEXT_BYTES];
	if (sid_read(slice_of(bytes, n), &s)) {
		size_t len = sid_print(&s, text);
		CHECK(len < sizeof(text) && sid_parse(slice_of(text, len), &again) && sid_compare(&s, &again) == 0);
	}
	if (sid_parse(slice_of(bytes, n), &s))
		CHECK(sid_read(slice_of((const char *)s.bytes, sizeof(s.bytes)), &again) &&
		      sid_compare(&s, &again) == 0);
	struct sid_set set = {0};
	for (uint32_t count = 0; count < 4; count++)
		CHECK(sid_set_is_valid(slice_of(bytes, n), count) == sid_set_read(slice_of(bytes, n), count, &set));
	sid_set_done(&set);
	return 0;
}
