#include "core/crypto/crypto.h"

#include "core/base/check.h"

/* BoringSSL's headers come as ours do (see cmake/FindBoringSSL.cmake), so our warnings look into them. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <openssl/base64.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md4.h>
#include <openssl/md5.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rc4.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
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

/* ---- keys ---- */

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
