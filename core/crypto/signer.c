#include "core/crypto/signer.h"

#include "core/base/check.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <openssl/bio.h>
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

enum { KEY_BITS_LEAST = 2048, PSS_SALT_BYTES = 32 };

struct crypto_signer {
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

static struct err load_key(struct crypto_signer *s, struct slice key, const char *file)
{
	BIO *text = BIO_new_mem_buf(key.at, (int)key.len);
	if (!text)
		return ERR_OF(NO_MEMORY);
	s->key = PEM_read_bio_PrivateKey(text, NULL, NULL, NULL);
	BIO_free(text);
	if (!s->key)
		return wrong(0, file, "no private key in PEM form; a key with a pass phrase is not read");
	if (EVP_PKEY_id(s->key) != EVP_PKEY_RSA || EVP_PKEY_bits(s->key) < KEY_BITS_LEAST ||
	    EVP_PKEY_size(s->key) > CRYPTO_SIGNATURE_MAX)
		return wrong(0, file, "the key must be an RSA key of 2048 bits or more");
	return OK;
}

static struct err load_certificate(struct crypto_signer *s, const char *file, const char *key_file)
{
	FILE *f = fopen(file, "re");
	if (!f)
		return wrong(errno, file, strerror(errno));
	X509 *certificate = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	if (!certificate)
		return wrong(0, file, "no certificate in PEM form");
	unsigned n = sizeof(s->thumbprint);
	int days = 0, seconds = 0;
	bool fits = X509_check_private_key(certificate, s->key) == 1;
	bool known = X509_digest(certificate, EVP_sha256(), s->thumbprint, &n) == 1 &&
	             ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1; /* from now */
	s->ends = time(NULL) + days * (int64_t)86400 + seconds;
	X509_free(certificate);
	if (!fits)
		return wrong(0, key_file, "the key is not that of the certificate");
	return known ? OK : wrong(0, file, "the certificate cannot be read");
}

struct err crypto_signer_load(const char *certificate_file, struct slice key, const char *key_file,
                              struct crypto_signer **out)
{
	struct crypto_signer *s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_OF(NO_MEMORY);
	struct err failed = load_key(s, key, key_file);
	if (!failed.code)
		failed = load_certificate(s, certificate_file, key_file);
	if (failed.code)
		crypto_signer_free(s);
	else
		*out = s;
	return failed;
}

void crypto_signer_free(struct crypto_signer *s)
{
	if (!s)
		return;
	EVP_PKEY_free(s->key);
	free(s);
}

const uint8_t *crypto_signer_thumbprint(const struct crypto_signer *s)
{
	return s->thumbprint;
}

int64_t crypto_signer_ends(const struct crypto_signer *s)
{
	return s->ends;
}

size_t crypto_signer_sign_ps256(const struct crypto_signer *s, struct slice data,
                                uint8_t out[static CRYPTO_SIGNATURE_MAX])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;
	size_t n = CRYPTO_SIGNATURE_MAX;
	bool good = c && EVP_DigestSignInit(c, &how, EVP_sha256(), NULL, s->key) == 1 &&
	            EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
	            EVP_PKEY_CTX_set_rsa_pss_saltlen(how, PSS_SALT_BYTES) == 1 &&
	            EVP_DigestSign(c, out, &n, (const uint8_t *)data.at, data.len) == 1;
	EVP_MD_CTX_free(c);
	if (!good)
		ERR_clear_error();
	return good ? n : 0;
}
