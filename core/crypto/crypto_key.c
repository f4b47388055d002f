/* RSA keys: in a file of their own, so that a program which neither signs nor decrypts has none of it. */
#include "core/crypto/crypto.h"

#include "core/base/check.h"

/* BoringSSL's headers come as ours do (see cmake/FindBoringSSL.cmake), so our warnings look into them. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#pragma GCC diagnostic pop

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct crypto_key {
	RSA *rsa;
	bool whole;
};

static struct err key_error(enum err_code code, int sys, const char *file, const char *what)
{
	static _Thread_local char text[512];
	ERR_clear_error();
	snprintf(text, sizeof text, "%s: %s", file, what);
	return (struct err){.code = code, .sys = sys, .what = text};
}

/* Takes rsa, also when there is no memory for the rest. */
static bool key_of(RSA *rsa, bool whole, struct crypto_key **out)
{
	struct crypto_key *k = malloc(sizeof *k);
	if (!k) {
		RSA_free(rsa);
		return false;
	}
	*k = (struct crypto_key){.rsa = rsa, .whole = whole};
	*out = k;
	return true;
}

struct err crypto_key_make(struct crypto_key **out)
{
	RSA *rsa = RSA_new();
	BIGNUM *e = BN_new();
	bool made = rsa && e && BN_set_word(e, RSA_F4) && RSA_generate_key_ex(rsa, CRYPTO_RSA_BYTES * 8, e, NULL);
	BN_free(e);
	if (!made) {
		RSA_free(rsa);
		return key_error(ERR_SYSTEM, 0, "RSA-2048", "no key could be made");
	}
	return key_of(rsa, true, out) ? OK : ERR_OF(NO_MEMORY);
}

struct err crypto_key_load(const char *file, struct crypto_key **out)
{
	FILE *f = fopen(file, "re");
	if (!f)
		return key_error(ERR_FILE, errno, file, strerror(errno));
	EVP_PKEY *pkey = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	if (!pkey)
		return key_error(ERR_FILE, 0, file, "no private key in PEM form; a key with a pass phrase is not read");
	RSA *rsa = EVP_PKEY_get1_RSA(pkey);
	EVP_PKEY_free(pkey);
	if (!rsa || RSA_size(rsa) != CRYPTO_RSA_BYTES) {
		RSA_free(rsa);
		return key_error(ERR_FILE, 0, file, "the key is not an RSA key of 2048 bits");
	}
	return key_of(rsa, true, out) ? OK : ERR_OF(NO_MEMORY);
}

struct err crypto_key_save(const struct crypto_key *k, const char *file)
{
	if (!k->whole)
		return key_error(ERR_FILE, 0, file, "only the public half of the key is known");
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return key_error(ERR_FILE, errno, file, strerror(errno));
	FILE *f = fdopen(fd, "w");
	if (!f) {
		int sys = errno;
		close(fd);
		return key_error(ERR_FILE, sys, file, strerror(sys));
	}
	EVP_PKEY *pkey = EVP_PKEY_new();
	bool written = pkey && EVP_PKEY_set1_RSA(pkey, k->rsa) &&
	               PEM_write_PKCS8PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL);
	EVP_PKEY_free(pkey);
	if (fclose(f) != 0 || !written) {
		unlink(file);
		return key_error(ERR_FILE, EIO, file, "the key could not be written; is the disk full?");
	}
	return OK;
}

bool crypto_key_public(const uint8_t modulus[static CRYPTO_RSA_BYTES], uint32_t exponent, struct crypto_key **out)
{
	RSA *rsa = RSA_new();
	BIGNUM *n = BN_bin2bn(modulus, CRYPTO_RSA_BYTES, NULL), *e = BN_new();
	bool made = rsa && n && e && BN_set_word(e, exponent) && RSA_set0_key(rsa, n, e, NULL);
	if (made) {
		n = e = NULL;
		made = RSA_size(rsa) == CRYPTO_RSA_BYTES && RSA_check_key(rsa);
	}
	BN_free(n);
	BN_free(e);
	if (!made) {
		RSA_free(rsa);
		ERR_clear_error();
		return false;
	}
	return key_of(rsa, false, out);
}

void crypto_key_free(struct crypto_key *k)
{
	if (!k)
		return;
	RSA_free(k->rsa);
	free(k);
}

void crypto_key_modulus(const struct crypto_key *k, uint8_t out[static CRYPTO_RSA_BYTES])
{
	CHECK(BN_bn2bin_padded(out, CRYPTO_RSA_BYTES, RSA_get0_n(k->rsa)));
}

uint32_t crypto_key_exponent(const struct crypto_key *k)
{
	return (uint32_t)BN_get_word(RSA_get0_e(k->rsa));
}

bool crypto_key_sign(const struct crypto_key *k, const uint8_t digest[static CRYPTO_SHA256_BYTES],
                     uint8_t out[static CRYPTO_RSA_BYTES])
{
	unsigned n = 0;
	if (!k->whole || !RSA_sign(NID_sha256, digest, CRYPTO_SHA256_BYTES, out, &n, k->rsa)) {
		ERR_clear_error();
		return false;
	}
	return n == CRYPTO_RSA_BYTES;
}

bool crypto_key_verify(const struct crypto_key *k, const uint8_t digest[static CRYPTO_SHA256_BYTES],
                       const uint8_t *signature, size_t n)
{
	bool good = RSA_verify(NID_sha256, digest, CRYPTO_SHA256_BYTES, signature, n, k->rsa) == 1;
	if (!good)
		ERR_clear_error();
	return good;
}
