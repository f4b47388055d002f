#include "core/crypto/crypto.h"

#include "core/base/check.h"

/* BoringSSL's headers come as ours do (see cmake/FindBoringSSL.cmake), so our warnings look into them. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md4.h>
#include <openssl/md5.h>
#include <openssl/rc4.h>
#pragma GCC diagnostic pop

void crypto_md4(struct slice data, uint8_t out[static CRYPTO_MD_BYTES])
{
	MD4((const uint8_t *)data.at, data.len, out);
}

void crypto_md5(struct slice data, uint8_t out[static CRYPTO_MD_BYTES])
{
	MD5((const uint8_t *)data.at, data.len, out);
}

void crypto_hmac_md5(const uint8_t key[static CRYPTO_MD_BYTES], const struct slice *parts, size_t count,
                     uint8_t out[static CRYPTO_MD_BYTES])
{
	HMAC_CTX h;
	HMAC_CTX_init(&h);
	bool fine = HMAC_Init_ex(&h, key, CRYPTO_MD_BYTES, EVP_md5(), NULL);
	for (size_t i = 0; i < count && fine; i++)
		fine = HMAC_Update(&h, (const uint8_t *)parts[i].at, parts[i].len);
	unsigned len = 0;
	CHECK(fine && HMAC_Final(&h, out, &len) && len == CRYPTO_MD_BYTES); /* else: no memory */
	HMAC_CTX_cleanup(&h);
}

void crypto_rc4(const uint8_t key[static CRYPTO_MD_BYTES], const uint8_t *in, uint8_t *out, size_t n)
{
	RC4_KEY state;
	RC4_set_key(&state, CRYPTO_MD_BYTES, key);
	RC4(&state, n, in, out);
}
