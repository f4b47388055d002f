/* The key that secrets of this node are sealed with: 32 bytes, of one file, the first of these that is said or there:
 *
 *   node.secrets_key_file                       a mounted file
 *   $CREDENTIALS_DIRECTORY/rms-connector-key    systemd's LoadCredential or LoadCredentialEncrypted
 *   node.state_directory/secrets.key            made here when the first secret is set
 *
 * It is read when it is needed, and wiped. Main thread. */
#pragma once
#include "core/base/err.h"
#include "core/base/settings.h"
#include "core/crypto/seal.h"

enum { SECRET_KEY_PATH_BYTES = 4200 };

/* Where the key is, or would be made; false: nowhere, as nothing of the three is set. */
bool secret_key_path(const struct settings *s, char out[static SECRET_KEY_PATH_BYTES]);
/* ERR_SECRET_GONE: it is not there, or is no key; err.what (per thread, until the next call) says which file and what to do. */
struct err secret_key_read(const struct settings *s, struct seal_key *out);
/* The same, but one is made when there is none, mode 0600. *made: it was. */
struct err secret_key_take(const struct settings *s, struct seal_key *out, bool *made);
