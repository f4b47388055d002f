/* A sealed file: a secret under AES-256-GCM-SIV (RFC 8452) with a key of the node, and in clear what it is for. All of it is authenticated, so that
 * neither another credential's file nor half of one is taken. Pure; any thread. Bytes:
 *
 *   93 'R' 'M' 'S' 'S' 'E' 'A' 'L'   8    what begins so is a sealed file, and no secret
 *   1                                1    version
 *   n, label                         1+n  what it is for: "credentials.tenant.secret_file"; printable ASCII without spaces
 *   key id                           8    which key; says nothing about the key itself
 *   nonce                            12
 *   ciphertext                            as long as the secret, and 16 bytes of tag; all before the nonce is its associated data */
#pragma once
#include "core/base/slice.h"

#include <stdint.h>

enum {
	SEAL_KEY_BYTES = 32,
	SEAL_ID_BYTES = 8,
	SEAL_LABEL_MAX = 120,
	SEAL_PLAIN_MAX = 16384,
	SEAL_FILE_MAX = 8 + 1 + 1 + SEAL_LABEL_MAX + SEAL_ID_BYTES + 12 + SEAL_PLAIN_MAX + 16,
};

struct seal_key {
	uint8_t bytes[SEAL_KEY_BYTES];
	uint8_t id[SEAL_ID_BYTES];
};
/* Of key->bytes, which are set. */
void seal_key_name(struct seal_key *key);

/* Whether it begins as a sealed file does, whole or not. */
bool seal_is(struct slice file);
/* The bytes written; 0: plain is empty or too long, label is no label, or no memory. */
size_t seal_make(const struct seal_key *key, struct slice label, struct slice plain, uint8_t out[static SEAL_FILE_MAX]);

enum seal_result { SEAL_OPENED, SEAL_CUT, SEAL_VERSION, SEAL_OTHER_KEY, SEAL_OTHER_LABEL, SEAL_DAMAGED };

struct seal_seen { /* what the file says of itself, not proven by anything unless it could be opened; "" where it is not that far */
	char label[SEAL_LABEL_MAX + 1];
	char key_id[2 * SEAL_ID_BYTES + 1];
};
/* out: *len bytes of the secret when SEAL_OPENED, else nothing. seen is always set. */
enum seal_result seal_open(const struct seal_key *key, struct slice label, struct slice file,
                           uint8_t out[static SEAL_PLAIN_MAX], size_t *len, struct seal_seen *seen);
