/* What a login service, or something in its place, may answer. */
#include "core/base/check.h"
#include "core/cloud/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct token_answer a;
	if (size < 2)
		return 0;
	unsigned status = 100 + (data[0] * 256u + data[1]) % 500;
	token_answer_read(&a, status, slice_of((const char *)data + 2, size - 2));
	CHECK((a.outcome == TOKEN_GOOD) == (a.token != NULL));
	for (const char *at = a.token ? a.token : a.advice; *at; at++)
		CHECK(*at >= ' ' && *at < 127 && (!a.token || *at != ' '));
	CHECK(a.token ? strlen(a.token) <= TOKEN_BYTES_MAX && a.expires_in_s <= 86400 : strlen(a.advice) > 0);
	token_answer_done(&a);
	return 0;
}
