/* What a service, or something in its place, may answer to a proof: the texts are printable and never hold the token. */
#include "core/base/check.h"
#include "core/cloud/prove_answer.h"
#include "proto/http_guard.h"
#include "proto/http_parse.h"

static void is_clean(const char *text)
{
	CHECK(!strstr(text, "T0KEN"));
	for (; *text; text++)
		CHECK(*text >= ' ' && *text <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct guard_limits limits = {32 * 1024, 32 * 1024};
	const char *bytes = (const char *)data;
	enum guard_reason why;
	struct http_head head;
	struct prove_answer a;
	size_t scanned = 0;
	long n = http_guard_answer(bytes, size, &scanned, &limits, &why);
	if (n <= 0 || !http_parse_answer(bytes, (size_t)n, HTTP_POST, &head, &why))
		return 0;
	prove_answer_read(&a, OP_CERTIFY, &head, slice_of(bytes + n, size - (size_t)n), SLICE("T0KEN"));
	is_clean(a.fault);
	is_clean(a.challenge);
	is_clean(a.location);
	is_clean(a.server);
	is_clean(a.content_type);
	is_clean(a.until);
	CHECK(prove_outcome_word(a.outcome));
	return 0;
}
