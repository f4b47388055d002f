/* Another's certificate, to check what it signed (PS256, RFC 7518 3.5): for the stand-in of the login service. Any thread. */
#pragma once
#include "core/base/err.h"
#include "core/base/slice.h"

#include <stdint.h>

struct crypto_verifier;

/* A PEM file whose first certificate holds an RSA key. err.what (per thread, until the next call) says what is wrong with which file. */
struct err crypto_verifier_load(const char *certificate_file, struct crypto_verifier **out);
void crypto_verifier_free(struct crypto_verifier *v);
/* SHA-256 of the certificate in DER, 32 bytes. */
const uint8_t *crypto_verifier_thumbprint(const struct crypto_verifier *v);
/* When the certificate ends, seconds since 1970. */
int64_t crypto_verifier_ends(const struct crypto_verifier *v);
bool crypto_verifier_check_ps256(const struct crypto_verifier *v, struct slice data, struct slice signature);
