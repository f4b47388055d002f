/* B04: what may stand in a file that begins as a sealed one does; and what is sealed opens again, changed in one place it does not. */
#include "core/base/check.h"
#include "core/crypto/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t file[SEAL_FILE_MAX], plain[SEAL_PLAIN_MAX];
	struct seal_key key = {.bytes = {1, 2, 3}};
	struct seal_seen seen;
	size_t len;
	seal_key_name(&key);
	enum seal_result r = seal_open(&key, SLICE("credentials.a.secret_file"), slice_of((const char *)data, size),
	                               plain, &len, &seen);
	/* Nobody guesses a tag of 128 bits: only a seed that was sealed with this key opens, and none is. */
	CHECK(r != SEAL_OPENED && len == 0);
	for (const char *at = seen.label; *at; at++)
		CHECK(*at > ' ' && *at <= '~');
	CHECK(strlen(seen.key_id) == 0 || strlen(seen.key_id) == 2 * SEAL_ID_BYTES);
	if (size == 0 || size > 300)
		return 0;
	size_t n = seal_make(&key, SLICE("x"), slice_of((const char *)data, size), file);
	CHECK(n > size && seal_is(slice_of((const char *)file, n)));
	CHECK(seal_open(&key, SLICE("x"), slice_of((const char *)file, n), plain, &len, &seen) == SEAL_OPENED);
	CHECK(len == size && memcmp(plain, data, size) == 0);
	file[data[0] * size / 256 % n] ^= 0x10;
	CHECK(seal_open(&key, SLICE("x"), slice_of((const char *)file, n), plain, &len, &seen) != SEAL_OPENED);
	return 0;
}
