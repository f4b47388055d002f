/* Scripts of the cloud stand-in: refused with words, or matched without harm. */
#include "bench/cloud_sim_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sim_script script;
	char why[256] = "";
	sim_script_init(&script);
	if (sim_script_load(&script, slice_of((const char *)data, n), why)) {
		struct sim_asked asked = {.op = OP_CERTIFY,
		                          .path = SLICE("/_wmcs/certification/certification.asmx"),
		                          .user_agent = SLICE("agent"),
		                          .scheme = SLICE("Bearer"),
		                          .connection = 1};
		for (int i = 0; i < 3; i++)
			sim_rule_unref(&script, sim_script_match(&script, &asked, 1));
	} else {
		CHECK(why[0]);
	}
	sim_script_done(&script);
	return 0;
}
