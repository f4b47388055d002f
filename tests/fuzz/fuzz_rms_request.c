/* The stand-in's reader of requests, and the answer to whatever it understood. */
#include "bench/rms_answer.h"

#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct rms_tenant *tenant;
	static struct rms_answers answers;
	if (!tenant) {
		struct rms_tenant_options o = {.url = "https://tenant.example", .templates = 1};
		CHECK(rms_tenant_new(&o, &tenant).code == ERR_NONE);
		rms_answers_init(&answers, tenant);
	}
	struct rms_request r;
	struct text out = {0};
	if (n && rms_request_read(&r, slice_of((const char *)data + 1, n - 1))) {
		unsigned status =
		        rms_answer_make(&answers, data[0] % OP_COUNT, &r, &(struct rms_answer_options){0}, &out);
		CHECK((status == 200 || status == 500) && out.len > 0);
	}
	if (n)
		rms_request_done(&r);
	text_free(&out);
	return 0;
}
