/* Hashes, random bytes, base64 and RSA signatures. With core/net/tls.c the only files that see BoringSSL. Any thread; a key may be used by
 * several threads at once, a running hash by one. */
#pragma once
#include "core/base/err.h"
#include "core/base/slice.h"

enum { CRYPTO_SHA256_BYTES = 32, CRYPTO_RSA_BYTES = 256 /* keys are RSA-2048, always */ };

/* Unpredictable bytes; cannot fail. */
void crypto_random(void *out, size_t n);

void crypto_sha256(struct slice data, uint8_t out[static CRYPTO_SHA256_BYTES]);
/* The same over pieces. */
struct crypto_sha256 {
	uint64_t state[14];
};
void crypto_sha256_start(struct crypto_sha256 *s);
void crypto_sha256_add(struct crypto_sha256 *s, const void *data, size_t n);
void crypto_sha256_end(struct crypto_sha256 *s, uint8_t out[static CRYPTO_SHA256_BYTES]);

/* What NTLM is made of, for the load tool that imitates it: none of these protects anything. */
enum { CRYPTO_MD_BYTES = 16 };
void crypto_md4(struct slice data, uint8_t out[static CRYPTO_MD_BYTES]);
void crypto_md5(struct slice data, uint8_t out[static CRYPTO_MD_BYTES]);
/* Over the parts, one after the other. */
void crypto_hmac_md5(const uint8_t key[static CRYPTO_MD_BYTES], const struct slice *parts, size_t count,
                     uint8_t out[static CRYPTO_MD_BYTES]);
/* The first n bytes under that key. */
void crypto_rc4(const uint8_t key[static CRYPTO_MD_BYTES], const uint8_t *in, uint8_t *out, size_t n);

/* Lower-case hex, 2 * n characters and a NUL. */
void crypto_hex(const uint8_t *data, size_t n, char *out);

/* Characters that n bytes become, without the NUL that crypto_base64_encode() writes behind them. */
static inline size_t crypto_base64_len(size_t n)
{
	return (n + 2) / 3 * 4;
}
/* out: crypto_base64_len(n) + 1 bytes. Returns the characters written. */
size_t crypto_base64_encode(const void *data, size_t n, char *out);
/* Strict: padded, no white space. out: text.len / 4 * 3 bytes. false: not base64, or more than cap. */
bool crypto_base64_decode(struct slice text, uint8_t *out, size_t cap, size_t *out_len);

struct crypto_key; /* RSA-2048, whole or only its public half */

/* Takes some 100 ms. */
struct err crypto_key_make(struct crypto_key **out);
/* PEM, a private key. err.what (per thread, until the next call) names the file and what is wrong with it. */
struct err crypto_key_load(const char *file, struct crypto_key **out);
/* PKCS#8 PEM, mode 0600; refuses to write over an existing file. */
struct err crypto_key_save(const struct crypto_key *k, const char *file);
/* A public key from its modulus, most significant byte first, and its exponent. false: no usable RSA-2048 key. */
bool crypto_key_public(const uint8_t modulus[static CRYPTO_RSA_BYTES], uint32_t exponent, struct crypto_key **out);
void crypto_key_free(struct crypto_key *k);
/* The public half, as crypto_key_public() takes it. */
void crypto_key_modulus(const struct crypto_key *k, uint8_t out[static CRYPTO_RSA_BYTES]);
uint32_t crypto_key_exponent(const struct crypto_key *k);

/* RSASSA-PKCS1-v1_5 with SHA-256 over a digest made before. false: a public key, or out of memory. */
bool crypto_key_sign(const struct crypto_key *k, const uint8_t digest[static CRYPTO_SHA256_BYTES],
                     uint8_t out[static CRYPTO_RSA_BYTES]);
bool crypto_key_verify(const struct crypto_key *k, const uint8_t digest[static CRYPTO_SHA256_BYTES],
                       const uint8_t *signature, size_t n);
