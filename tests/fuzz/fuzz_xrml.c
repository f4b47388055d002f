/* Finding and verifying signed elements in any text. */
#include "bench/xrml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice text = slice_of((const char *)data, n);
	size_t count, wrong, at = 0;
	struct xrml x;
	bool good = xrml_verify_all(text, NULL, &count, &wrong);
	CHECK(wrong <= count && good == (count > 0 && wrong == 0));
	while (xrml_next(text, &at, &x)) {
		struct crypto_key *key;
		CHECK(at <= n && x.whole.at >= text.at && x.whole.at + x.whole.len <= text.at + n);
		if (xrml_subject_key(&x, &key))
			crypto_key_free(key);
	}
	return 0;
}
