#include "core/crypto/verifier.h"

#include "core/base/check.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#pragma GCC diagnostic pop

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PSS_SALT_BYTES = 32 };

struct crypto_verifier {
	EVP_PKEY *key;
	uint8_t thumbprint[32];
	int64_t ends;
};

static struct err wrong(int sys, const char *file, const char *what)
{
	static _Thread_local char text[512];
	ERR_clear_error();
	snprintf(text, sizeof(text), "%s: %s", file, what);
	return (struct err){ERR_FILE, sys, text};
}

struct err crypto_verifier_load(const char *file, struct crypto_verifier **out)
{
	FILE *f = fopen(file, "re");
	if (!f)
		return wrong(errno, file, strerror(errno));
	X509 *certificate = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	if (!certificate)
		return wrong(0, file, "no certificate in PEM form");
	struct crypto_verifier *v = calloc(1, sizeof(*v));
	unsigned n = sizeof(v->thumbprint);
	int days = 0, seconds = 0;
	bool known = v && X509_digest(certificate, EVP_sha256(), v->thumbprint, &n) == 1 &&
	             ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1; /* from now */
	if (known) {
		v->key = X509_get_pubkey(certificate);
		v->ends = time(NULL) + days * (int64_t)86400 + seconds;
	}
	X509_free(certificate);
	if (!known || !v->key || EVP_PKEY_id(v->key) != EVP_PKEY_RSA) {
		crypto_verifier_free(v);
		return wrong(0, file, "the certificate cannot be read, or its key is not RSA");
	}
	*out = v;
	return OK;
}

void crypto_verifier_free(struct crypto_verifier *v)
{
	if (!v)
		return;
	EVP_PKEY_free(v->key);
	free(v);
}

const uint8_t *crypto_verifier_thumbprint(const struct crypto_verifier *v)
{
	return v->thumbprint;
}

int64_t crypto_verifier_ends(const struct crypto_verifier *v)
{
	return v->ends;
}

bool crypto_verifier_check_ps256(const struct crypto_verifier *v, struct slice data, struct slice signature)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;
	bool good = c && EVP_DigestVerifyInit(c, &how, EVP_sha256(), NULL, v->key) == 1 &&
	            EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
	            EVP_PKEY_CTX_set_rsa_pss_saltlen(how, PSS_SALT_BYTES) == 1 &&
	            EVP_DigestVerify(c, (const uint8_t *)signature.at, signature.len, (const uint8_t *)data.at,
	                             data.len) == 1;
	EVP_MD_CTX_free(c);
	ERR_clear_error();
	return good;
}
