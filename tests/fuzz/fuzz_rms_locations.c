/* A question for service locations: what was read can be answered, in the room that is meant for it. */
#include "core/base/check.h"
#include "proto/rms_locations.h"

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	static char out[LOCATIONS_ANSWER_BYTES], origin[LOCATIONS_ORIGIN_BYTES];
	struct rms_locations l;
	memset(origin, 'o', sizeof(origin));
	if (!rms_locations_read(slice_of(bytes, n), &l)) {
		size_t len = rms_locations_answer(&l, SOAP_12, slice_of(origin, sizeof(origin)), out, sizeof(out));
		struct slice child;
		CHECK(l.count > 0 && len > 0 && soap_first_child(out, len, true, &child) == SOAP_FOUND);
	}
	return 0;
}
