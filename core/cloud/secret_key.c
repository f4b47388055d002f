#include "core/cloud/secret_key.h"

#include "core/crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err wrong(int sys, const char *path, const char *what)
{
	static _Thread_local char text[640];
	snprintf(text, sizeof(text), "%.400s: %s", path, what);
	return (struct err){ERR_SECRET_GONE, sys, text};
}

bool secret_key_path(const struct settings *s, char out[static SECRET_KEY_PATH_BYTES])
{
	const char *systemd = getenv("CREDENTIALS_DIRECTORY");
	if (*s->node_secrets_key_file) {
		snprintf(out, SECRET_KEY_PATH_BYTES, "%s", s->node_secrets_key_file);
		return true;
	}
	snprintf(out, SECRET_KEY_PATH_BYTES, "%.4000s/rms-connector-key", systemd ? systemd : "");
	if (systemd && access(out, F_OK) == 0)
		return true;
	snprintf(out, SECRET_KEY_PATH_BYTES, "%s/secrets.key", s->node_state_directory);
	return *s->node_state_directory != 0;
}

struct err secret_key_read(const struct settings *s, struct seal_key *out)
{
	char path[SECRET_KEY_PATH_BYTES];
	uint8_t bytes[SEAL_KEY_BYTES + 1];
	struct stat st;
	if (!secret_key_path(s, path))
		return ERR_OF(SECRET_GONE,
		              .what = "this node has no key for sealed secrets: set node.secrets_key_file or "
		                      "node.state_directory, or give it rms-connector-key by systemd");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return wrong(errno, path,
		             errno == ENOENT
		                     ? "the key of this node's sealed secrets is not there: bring it back, or set "
		                       "each secret again (rms-connectorctl upstream credential set)"
		                     : strerror(errno));
	ssize_t n = read(fd, bytes, sizeof(bytes));
	int failed = n < 0 || fstat(fd, &st) ? errno : 0;
	close(fd);
	const char *what = failed               ? strerror(failed)
	                   : st.st_mode & 07    ? "everybody may read this key: chmod 0600, and consider it known"
	                   : n < SEAL_KEY_BYTES ? "this is shorter than the 32 bytes of a key"
	                   : n > SEAL_KEY_BYTES ? "this is longer than the 32 bytes of a key"
	                                        : NULL;
	if (!what) {
		memcpy(out->bytes, bytes, SEAL_KEY_BYTES);
		seal_key_name(out);
	}
	explicit_bzero(bytes, sizeof(bytes));
	return what ? wrong(failed, path, what) : OK;
}

static struct err make(const char *path)
{
	uint8_t bytes[SEAL_KEY_BYTES];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return wrong(errno, path, strerror(errno));
	crypto_random(bytes, sizeof(bytes));
	bool written = write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes) && fsync(fd) == 0;
	int failed = errno;
	explicit_bzero(bytes, sizeof(bytes));
	close(fd);
	if (written)
		return OK;
	unlink(path);
	return wrong(failed, path, strerror(failed));
}

struct err secret_key_take(const struct settings *s, struct seal_key *out, bool *made)
{
	char path[SECRET_KEY_PATH_BYTES];
	*made = secret_key_path(s, path) && access(path, F_OK) && errno == ENOENT;
	if (*made)
		TRY(make(path));
	return secret_key_read(s, out);
}
