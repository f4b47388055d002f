/* A secret of a file, plain or sealed (core/crypto/seal.h). Plain: any bytes but that one end of line behind them is not part of it; sealed: any bytes.
 * Wiped when done. Main thread. */
#pragma once
#include "core/base/err.h"
#include "core/base/settings.h"
#include "core/base/slice.h"

enum { SECRET_BYTES_MAX = 16384, SECRET_ROOM = SECRET_BYTES_MAX + 256 /* of a file, sealed */ };

struct secret {
	char *bytes; /* owned: SECRET_ROOM of them */
	size_t len;
	bool sealed; /* as it was in the file */
};

struct secret_place { /* borrowed */
	const struct settings *settings;
	const struct credential_settings *credential;
	const char *member; /* "secret_file"; NULL: its kind has no secret */
	const char *path;
};
/* Where the secret of a credential is. */
struct secret_place secret_place(const struct settings *s, const struct credential_settings *c);

/* err.what (per thread, until the next call) names the file and what to do. ERR_SECRET_GONE: it is not there, or it is sealed and cannot be opened: setting
 * it again mends that. ERR_FILE: else; an empty one, or a plain secret_file that others than its owner and group may read. */
struct err secret_read(const struct secret_place *p, struct secret *out);
/* Of what is no credential: plain only. ERR_FILE with words. */
struct err secret_read_plain(const char *path, struct secret *out);
/* Puts these bytes there, sealed, mode 0600, as a whole or not at all; on the disk when it returns OK. *made_key: this node's key was made for it. */
struct err secret_write(const struct secret_place *p, struct slice bytes, bool *made_key);
void secret_done(struct secret *s);

static inline struct slice secret_slice(const struct secret *s)
{
	return slice_of(s->bytes, s->len);
}
