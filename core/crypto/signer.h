/* A certificate with its RSA key, to prove by a signature who we are (PS256, RFC 7518 3.5). Any thread. */
#pragma once
#include "core/base/err.h"
#include "core/base/slice.h"

#include <stdint.h>

enum { CRYPTO_SIGNATURE_MAX = 1024 /* RSA-8192 */ };

struct crypto_signer;

/* A PEM file, a chain whose first certificate is ours, and its RSA key of 2048 bits or more as PEM text that came from key_file. err.what (per thread,
 * until the next call) says what is wrong with which file. */
struct err crypto_signer_load(const char *certificate_file, struct slice key, const char *key_file,
                              struct crypto_signer **out);
void crypto_signer_free(struct crypto_signer *s);
/* SHA-256 of the certificate in DER, 32 bytes. */
const uint8_t *crypto_signer_thumbprint(const struct crypto_signer *s);
/* When the certificate ends, seconds since 1970. */
int64_t crypto_signer_ends(const struct crypto_signer *s);
/* Length of the signature over SHA-256 of data, 0: no memory. */
size_t crypto_signer_sign_ps256(const struct crypto_signer *s, struct slice data,
                                uint8_t out[static CRYPTO_SIGNATURE_MAX]);
