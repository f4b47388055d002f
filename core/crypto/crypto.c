#include "core/crypto/crypto.h"

#include "core/base/check.h"

/* BoringSSL's headers come as ours do (see cmake/FindBoringSSL.cmake), so our warnings look into them. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <openssl/base64.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#pragma GCC diagnostic pop

void crypto_random(void *out, size_t n)
{
	/* BoringSSL aborts rather than return bytes of poor quality. */
	RAND_bytes(out, n);
}

void crypto_sha256(struct slice data, uint8_t out[static CRYPTO_SHA256_BYTES])
{
	SHA256((const uint8_t *)data.at, data.len, out);
}

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct crypto_sha256), "struct crypto_sha256 is too small");

void crypto_sha256_start(struct crypto_sha256 *s)
{
	SHA256_Init((SHA256_CTX *)(void *)s);
}

void crypto_sha256_add(struct crypto_sha256 *s, const void *data, size_t n)
{
	SHA256_Update((SHA256_CTX *)(void *)s, data, n);
}

void crypto_sha256_end(struct crypto_sha256 *s, uint8_t out[static CRYPTO_SHA256_BYTES])
{
	SHA256_Final(out, (SHA256_CTX *)(void *)s);
}

void crypto_hex(const uint8_t *data, size_t n, char *out)
{
	static const char digits[16] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		*out++ = digits[data[i] >> 4];
		*out++ = digits[data[i] & 15];
	}
	*out = '\0';
}

size_t crypto_base64_encode(const void *data, size_t n, char *out)
{
	return EVP_EncodeBlock((uint8_t *)out, data, n);
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Of our own: BoringSSL's wants room for the padding too and accepts stray bits before it. */
bool crypto_base64_decode(struct slice text, uint8_t *out, size_t cap, size_t *out_len)
{
	size_t used = 0;
	if (text.len % 4)
		return false;
	for (size_t i = 0; i < text.len; i += 4) {
		bool last = i + 4 == text.len;
		int pad = !last || text.at[i + 3] != '=' ? 0 : text.at[i + 2] != '=' ? 1 : 2;
		uint32_t bits = 0;
		for (int k = 0; k < 4 - pad; k++) {
			int digit = base64_digit(text.at[i + k]);
			if (digit < 0)
				return false;
			bits = bits << 6 | (uint32_t)digit;
		}
		bits <<= 6 * pad;
		if ((pad == 1 && (bits & 0xff)) || (pad == 2 && (bits & 0xffff)) || cap - used < (size_t)(3 - pad))
			return false;
		for (int k = 0; k < 3 - pad; k++)
			out[used++] = (uint8_t)(bits >> (16 - 8 * k));
	}
	*out_len = used;
	return true;
}
