#include "core/crypto/seal.h"

#include "core/base/check.h"
#include "core/crypto/crypto.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <openssl/aead.h>
#include <openssl/err.h>
#pragma GCC diagnostic pop

enum { MAGIC_BYTES = 8, VERSION = 1, NONCE_BYTES = 12, TAG_BYTES = 16, LABEL_AT = MAGIC_BYTES + 2 };

static const uint8_t magic[MAGIC_BYTES] = {0x93, 'R', 'M', 'S', 'S', 'E', 'A', 'L'};

void seal_key_name(struct seal_key *key)
{
	static const char purpose[] = "rms-connector key id";
	uint8_t digest[CRYPTO_SHA256_BYTES];
	struct crypto_sha256 s;
	crypto_sha256_start(&s);
	crypto_sha256_add(&s, purpose, sizeof(purpose));
	crypto_sha256_add(&s, key->bytes, sizeof(key->bytes));
	crypto_sha256_end(&s, digest);
	memcpy(key->id, digest, sizeof(key->id));
}

bool seal_is(struct slice file)
{
	return file.len >= MAGIC_BYTES && memcmp(file.at, magic, MAGIC_BYTES) == 0;
}

static bool is_label(const uint8_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (at[i] <= ' ' || at[i] > '~')
			return false;
	return n > 0 && n <= SEAL_LABEL_MAX;
}

size_t seal_make(const struct seal_key *key, struct slice label, struct slice plain, uint8_t out[static SEAL_FILE_MAX])
{
	EVP_AEAD_CTX c;
	size_t sealed = 0, at = 0;
	if (!is_label((const uint8_t *)label.at, label.len) || plain.len == 0 || plain.len > SEAL_PLAIN_MAX)
		return 0;
	memcpy(out, magic, MAGIC_BYTES);
	out[MAGIC_BYTES] = VERSION;
	out[MAGIC_BYTES + 1] = (uint8_t)label.len;
	memcpy(out + LABEL_AT, label.at, label.len);
	at = LABEL_AT + label.len;
	memcpy(out + at, key->id, SEAL_ID_BYTES);
	at += SEAL_ID_BYTES;
	uint8_t *nonce = out + at;
	crypto_random(nonce, NONCE_BYTES);
	if (!EVP_AEAD_CTX_init(&c, EVP_aead_aes_256_gcm_siv(), key->bytes, SEAL_KEY_BYTES, TAG_BYTES, NULL))
		return 0;
	bool good = EVP_AEAD_CTX_seal(&c, nonce + NONCE_BYTES, &sealed, plain.len + TAG_BYTES, nonce, NONCE_BYTES,
	                              (const uint8_t *)plain.at, plain.len, out, at) == 1;
	EVP_AEAD_CTX_cleanup(&c);
	ERR_clear_error();
	return good ? at + NONCE_BYTES + sealed : 0;
}

static bool unseal(const struct seal_key *key, struct slice head, struct slice rest, uint8_t *out, size_t *len)
{
	EVP_AEAD_CTX c;
	const uint8_t *nonce = (const uint8_t *)rest.at;
	if (!EVP_AEAD_CTX_init(&c, EVP_aead_aes_256_gcm_siv(), key->bytes, SEAL_KEY_BYTES, TAG_BYTES, NULL))
		return false;
	bool good = EVP_AEAD_CTX_open(&c, out, len, SEAL_PLAIN_MAX, nonce, NONCE_BYTES, nonce + NONCE_BYTES,
	                              rest.len - NONCE_BYTES, (const uint8_t *)head.at, head.len) == 1;
	EVP_AEAD_CTX_cleanup(&c);
	ERR_clear_error();
	return good;
}

enum seal_result seal_open(const struct seal_key *key, struct slice label, struct slice file,
                           uint8_t out[static SEAL_PLAIN_MAX], size_t *len, struct seal_seen *seen)
{
	const uint8_t *at = (const uint8_t *)file.at;
	*seen = (struct seal_seen){0};
	*len = 0;
	if (!seal_is(file) || file.len < LABEL_AT)
		return SEAL_CUT;
	if (at[MAGIC_BYTES] != VERSION)
		return SEAL_VERSION;
	size_t n = at[MAGIC_BYTES + 1], head = LABEL_AT + n + SEAL_ID_BYTES;
	if (file.len <= head + NONCE_BYTES + TAG_BYTES)
		return SEAL_CUT;
	if (!is_label(at + LABEL_AT, n) || file.len > head + NONCE_BYTES + SEAL_PLAIN_MAX + TAG_BYTES)
		return SEAL_DAMAGED;
	memcpy(seen->label, at + LABEL_AT, n);
	crypto_hex(at + LABEL_AT + n, SEAL_ID_BYTES, seen->key_id);
	if (!slice_equal(slice_str(seen->label), label))
		return SEAL_OTHER_LABEL;
	if (memcmp(at + LABEL_AT + n, key->id, SEAL_ID_BYTES))
		return SEAL_OTHER_KEY;
	struct slice first = slice_of(file.at, head), rest = slice_of(file.at + head, file.len - head);
	return unseal(key, first, rest, out, len) ? SEAL_OPENED : SEAL_DAMAGED;
}
