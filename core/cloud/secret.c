#include "core/cloud/secret.h"

#include "core/cloud/secret_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LABEL_BYTES = 160 };

_Static_assert((int)SECRET_BYTES_MAX == (int)SEAL_PLAIN_MAX && (int)SECRET_ROOM > (int)SEAL_FILE_MAX,
               "what can be sealed can be read, and what is too long shows");

static struct err wrong(enum err_code code, int sys, const char *path, const char *what)
{
	static _Thread_local char text[1200];
	snprintf(text, sizeof(text), "%.400s: %s", path, what);
	return (struct err){code, sys, text};
}

struct secret_place secret_place(const struct settings *s, const struct credential_settings *c)
{
	struct secret_place p = {.settings = s, .credential = c};
	if (c->kind == CREDENTIAL_STATIC) {
		p.member = "authorization_file";
		p.path = c->authorization_file;
	} else if (c->kind == CREDENTIAL_OAUTH2_SECRET) {
		p.member = "secret_file";
		p.path = c->secret_file;
	} else if (c->kind == CREDENTIAL_OAUTH2_CERTIFICATE || c->kind == CREDENTIAL_MTLS) {
		p.member = "key_file";
		p.path = c->key_file;
	}
	return p;
}

static void label_of(const struct secret_place *p, char out[static LABEL_BYTES])
{
	snprintf(out, LABEL_BYTES, "credentials.%s.%s", p->credential->name, p->member);
}

/* ---- reading ---- */

static struct err cannot_open(const struct secret_place *p, enum seal_result why, const struct seal_key *key,
                              const struct seal_seen *seen, const char *label)
{
	char text[700], ours[2 * SEAL_ID_BYTES + 1], again[160];
	snprintf(again, sizeof(again), "bring the right file back, or: rms-connectorctl upstream credential set %.64s",
	         p->credential->name);
	for (size_t i = 0; i < SEAL_ID_BYTES; i++)
		snprintf(ours + 2 * i, 3, "%02x", key->id[i]);
	switch (why) {
	case SEAL_CUT:
		snprintf(text, sizeof(text), "the end of this sealed file is missing; %s", again);
		break;
	case SEAL_VERSION:
		snprintf(text, sizeof(text), "this file was sealed by a newer release; %s", again);
		break;
	case SEAL_OTHER_KEY:
		snprintf(text, sizeof(text),
		         "this file was sealed with another key (%s; this node's is %s): each node has its own; %s",
		         seen->key_id, ours, again);
		break;
	case SEAL_OTHER_LABEL:
		snprintf(text, sizeof(text), "this file was sealed as %s, and here it is to be %s; %s", seen->label,
		         label, again);
		break;
	default:
		snprintf(text, sizeof(text), "this sealed file is damaged, or somebody changed it; %s", again);
	}
	return wrong(ERR_SECRET_GONE, 0, p->path, text);
}

/* In place. */
static struct err open_sealed(const struct secret_place *p, struct secret *s)
{
	char label[LABEL_BYTES];
	struct seal_key key;
	struct seal_seen seen;
	uint8_t *plain = malloc(SEAL_PLAIN_MAX);
	if (!plain)
		return ERR_OF(NO_MEMORY);
	label_of(p, label);
	struct err failed = secret_key_read(p->settings, &key);
	if (!failed.code) {
		enum seal_result r = seal_open(&key, slice_str(label), secret_slice(s), plain, &s->len, &seen);
		if (r == SEAL_OPENED)
			memcpy(s->bytes, plain, s->len);
		else
			failed = cannot_open(p, r, &key, &seen, label);
	}
	explicit_bzero(&key, sizeof(key));
	explicit_bzero(plain, SEAL_PLAIN_MAX);
	free(plain);
	s->sealed = true;
	return failed;
}

static struct err take_plain(const struct secret_place *p, unsigned mode, struct secret *s)
{
	if (s->len > 0 && s->bytes[s->len - 1] == '\n')
		s->len--;
	if (s->len > 0 && s->bytes[s->len - 1] == '\r')
		s->len--;
	/* Of the others the check of the configuration warns. */
	bool strict = strcmp(p->member, "secret_file") == 0;
	if (strict && mode & 07)
		return wrong(ERR_FILE, 0, p->path, "everybody may read this secret: chmod 0640 or stricter");
	return s->len ? OK : wrong(ERR_FILE, 0, p->path, "the file is empty");
}

/* The whole file, up to SECRET_ROOM. ERR_FILE with sys, in words; then there is nothing to end. */
static struct err read_file(const char *path, unsigned *mode, struct secret *s)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return wrong(ERR_FILE, errno, path, strerror(errno));
	s->bytes = malloc(SECRET_ROOM);
	ssize_t n = s->bytes ? read(fd, s->bytes, SECRET_ROOM) : 0;
	int sys = n < 0 || fstat(fd, &st) ? errno : 0;
	close(fd);
	if (!s->bytes)
		return ERR_OF(NO_MEMORY);
	if (sys) {
		secret_done(s);
		return wrong(ERR_FILE, sys, path, strerror(sys));
	}
	s->len = (size_t)n;
	*mode = st.st_mode;
	return OK;
}

struct err secret_read(const struct secret_place *p, struct secret *out)
{
	struct secret s = {0};
	unsigned mode;
	struct err failed = read_file(p->path, &mode, &s);
	if (failed.code == ERR_FILE && failed.sys == ENOENT) {
		char text[200];
		snprintf(text, sizeof(text),
		         "the secret is not there; set it: rms-connectorctl upstream credential set %.64s",
		         p->credential->name);
		return wrong(ERR_SECRET_GONE, ENOENT, p->path, text);
	}
	TRY(failed);
	failed = seal_is(secret_slice(&s)) ? open_sealed(p, &s) : take_plain(p, mode, &s);
	if (!failed.code && s.len > SECRET_BYTES_MAX)
		failed = wrong(ERR_FILE, 0, p->path, "this is longer than a secret can be");
	if (failed.code)
		secret_done(&s);
	else
		*out = s;
	return failed;
}

struct err secret_read_plain(const char *path, struct secret *out)
{
	const struct secret_place p = {.member = "", .path = path}; /* of no credential */
	struct secret s = {0};
	unsigned mode;
	TRY(read_file(path, &mode, &s));
	struct err failed = seal_is(secret_slice(&s)) ? wrong(ERR_FILE, 0, path, "a sealed file cannot be used here")
	                                              : take_plain(&p, mode, &s);
	if (failed.code)
		secret_done(&s);
	else
		*out = s;
	return failed;
}

void secret_done(struct secret *s)
{
	if (s->bytes)
		explicit_bzero(s->bytes, SECRET_ROOM);
	free(s->bytes);
	*s = (struct secret){0};
}

/* ---- writing ---- */

static bool sync_directory(const char *path)
{
	char directory[4200];
	snprintf(directory, sizeof(directory), "%s", path);
	char *slash = strrchr(directory, '/');
	slash[slash == directory] = 0;
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return done;
}

static struct err put(const char *path, const uint8_t *bytes, size_t n)
{
	char fresh[4200];
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	unlink(fresh); /* of a write that was cut off */
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return wrong(ERR_FILE, errno, fresh, strerror(errno));
	bool written = write(fd, bytes, n) == (ssize_t)n && fsync(fd) == 0;
	int sys = written ? 0 : errno;
	close(fd);
	if (written && rename(fresh, path) == 0 && sync_directory(path))
		return OK;
	sys = sys ? sys : errno;
	unlink(fresh);
	return wrong(ERR_FILE, sys, path, strerror(sys));
}

struct err secret_write(const struct secret_place *p, struct slice bytes, bool *made_key)
{
	char label[LABEL_BYTES];
	struct seal_key key;
	TRY(secret_key_take(p->settings, &key, made_key));
	uint8_t *sealed = malloc(SEAL_FILE_MAX);
	label_of(p, label);
	size_t n = sealed ? seal_make(&key, slice_str(label), bytes, sealed) : 0;
	explicit_bzero(&key, sizeof(key));
	struct err failed = !sealed ? ERR_OF(NO_MEMORY)
	                    : n     ? put(p->path, sealed, n)
	                            : wrong(ERR_FILE, 0, p->path, "a secret has 1 to 16384 bytes");
	free(sealed);
	return failed;
}
