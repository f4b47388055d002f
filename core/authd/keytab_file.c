#include "core/authd/keytab_file.h"

#include <errno.h>
#include <fcntl.h>
#include <krb5.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

void keytab_file_lock(void)
{
	pthread_mutex_lock(&changing);
}

void keytab_file_unlock(void)
{
	pthread_mutex_unlock(&changing);
}

/* ---- comparing ---- */

bool keytab_key_same_secret(const struct keytab_key *a, const struct keytab_key *b)
{
	return a->enctype == b->enctype && a->secret_len == b->secret_len &&
	       memcmp(a->secret, b->secret, a->secret_len) == 0;
}

static bool same_place(const struct keytab_key *a, const struct keytab_key *b)
{
	return a->kvno == b->kvno && a->enctype == b->enctype && strcmp(a->principal, b->principal) == 0;
}

static bool take(struct keytab_merge *m, const struct keytab_key *k, bool is_new)
{
	bool conflict = false;
	for (size_t i = 0; i < m->count; i++) {
		if (!same_place(&m->keys[i], k))
			continue;
		if (keytab_key_same_secret(&m->keys[i], k)) {
			m->same++;
			m->added -= !is_new;
			return true;
		}
		conflict = true;
	}
	if (m->count == KEYTAB_KEYS_MAX - 1)
		return false;
	m->conflicts += conflict;
	m->added += is_new;
	m->keys[m->count++] = *k;
	return true;
}

bool keytab_merge(const struct keytab_key *first, size_t first_count, const struct keytab_view *then,
                  struct keytab_merge *out)
{
	*out = (struct keytab_merge){.keys = calloc(KEYTAB_KEYS_MAX, sizeof(*first))};
	bool fine = out->keys;
	for (size_t i = 0; fine && i < first_count; i++)
		fine = take(out, &first[i], true);
	for (size_t i = 0; fine && then && i < then->count; i++)
		fine = take(out, &then->keys[i], false);
	return fine;
}

void keytab_merge_done(struct keytab_merge *m)
{
	if (m->keys)
		explicit_bzero(m->keys, KEYTAB_KEYS_MAX * sizeof(*m->keys));
	free(m->keys);
	m->keys = NULL;
}

/* A checksum that needs the key to be made, over words of ours: tells nothing of the key, and is the same wherever it is. Each key's is added up, so that
 * order and repetition do not count. */
bool keytab_fingerprint(const struct keytab_view *v, const char *principal, uint32_t kvno,
                        char out[static KEYTAB_FINGERPRINT_BYTES])
{
	uint8_t sum[(KEYTAB_FINGERPRINT_BYTES - 1) / 2] = {0};
	krb5_context krb;
	size_t used = 0;
	if (krb5_init_context(&krb))
		return false;
	for (size_t i = 0; i < v->count; i++) {
		const struct keytab_key *k = &v->keys[i];
		char words[512];
		krb5_checksum got = {0};
		if (k->kvno != kvno || strcmp(k->principal, principal))
			continue;
		snprintf(words, sizeof(words), "rms-connector keytab %s %u %d", k->principal, k->kvno, k->enctype);
		krb5_keyblock key = {
		        .enctype = k->enctype, .length = k->secret_len, .contents = (krb5_octet *)(uintptr_t)k->secret};
		krb5_data text = {.length = (unsigned)strlen(words), .data = words};
		if (krb5_c_make_checksum(krb, 0, &key, 1024, &text, &got))
			continue;
		for (size_t b = 0; b < sizeof(sum) && b < got.length; b++)
			sum[b] ^= got.contents[b];
		krb5_free_checksum_contents(krb, &got);
		used++;
	}
	krb5_free_context(krb);
	for (size_t b = 0; b < sizeof(sum); b++)
		snprintf(out + 2 * b, 3, "%02x", sum[b]);
	return used;
}

/* ---- writing ---- */

struct replacement {
	char path[PATH_MAX], fresh[PATH_MAX + 8]; /* path: the file itself, behind links */
	const char *shown;
	int fd;
};

static bool failed(const struct replacement *r, const char *doing, char problem[static KEYTAB_PROBLEM_BYTES])
{
	int error = errno;
	const char *mend = "";
	if (error == EACCES || error == EPERM || error == EROFS)
		mend = "; let the user of rms-connector-authd own the file and write into its directory, such as "
		       "/var/lib/rms-connector-authd, and name it in auth.keytab";
	snprintf(problem, KEYTAB_PROBLEM_BYTES, "%s: %s: %s%s", r->shown, doing, strerror(error), mend);
	if (r->fd >= 0)
		unlink(r->fresh);
	return false;
}

static bool begin(struct replacement *r, const char *path, bool as_before, char problem[static KEYTAB_PROBLEM_BYTES])
{
	struct stat st;
	*r = (struct replacement){.shown = path, .fd = -1};
	if (!realpath(path, r->path) &&
	    (errno != ENOENT || snprintf(r->path, sizeof(r->path), "%s", path) >= (int)sizeof(r->path)))
		return failed(r, "cannot be found", problem);
	snprintf(r->fresh, sizeof(r->fresh), "%s.new", r->path);
	unlink(r->fresh); /* of an attempt that was cut off */
	r->fd = open(r->fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd < 0)
		return failed(r, "a new file cannot be made beside it", problem);
	if (as_before && stat(r->path, &st) == 0 &&
	    (fchown(r->fd, st.st_uid == geteuid() ? (uid_t)-1 : st.st_uid,
	            st.st_gid == getegid() ? (gid_t)-1 : st.st_gid) ||
	     fchmod(r->fd, st.st_mode & 0777)))
		return failed(r, "the new file cannot be given its owner and mode", problem);
	return true;
}

/* On the disk before it counts, and the name of it too. */
static bool finish(struct replacement *r, char problem[static KEYTAB_PROBLEM_BYTES])
{
	char folder[PATH_MAX];
	snprintf(folder, sizeof(folder), "%s", r->path);
	char *slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = 0;
	if (fsync(r->fd) || rename(r->fresh, r->path))
		return failed(r, "cannot be replaced", problem);
	int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	return true;
}

static krb5_error_code add(krb5_context krb, krb5_keytab file, const struct keytab_key *k)
{
	krb5_keytab_entry e = {.timestamp = (krb5_timestamp)k->made_s,
	                       .vno = k->kvno,
	                       .key = {.enctype = k->enctype,
	                               .length = k->secret_len,
	                               .contents = (krb5_octet *)(uintptr_t)k->secret}};
	krb5_error_code code = krb5_parse_name(krb, k->principal, &e.principal);
	if (!code)
		code = krb5_kt_add_entry(krb, file, &e);
	krb5_free_principal(krb, e.principal);
	return code;
}

/* By libkrb5, which appends to what is there: a file that holds its version only. It writes times of its own. */
static krb5_error_code add_all(int fd, const struct keytab_key *keys, size_t count)
{
	krb5_context krb;
	krb5_keytab file;
	char name[64];
	if (write(fd, "\5\2", 2) != 2)
		return errno;
	krb5_error_code code = krb5_init_context(&krb);
	if (code)
		return code;
	snprintf(name, sizeof(name), "WRFILE:/proc/self/fd/%d", fd);
	code = krb5_kt_resolve(krb, name, &file);
	if (!code) {
		for (size_t i = 0; !code && i < count; i++)
			code = add(krb, file, &keys[i]);
		krb5_error_code closed = krb5_kt_close(krb, file);
		code = code ? code : closed;
	}
	krb5_free_context(krb);
	return code;
}

bool keytab_file_write(const char *path, const struct keytab_key *keys, size_t count,
                       char problem[static KEYTAB_PROBLEM_BYTES])
{
	struct replacement r;
	bool fine = begin(&r, path, true, problem);
	if (fine) {
		errno = EIO;
		krb5_error_code code = add_all(r.fd, keys, count);
		if (code > 0 && code < 256)
			errno = code;
		fine = code ? failed(&r, "the keys cannot be written", problem) : true;
	}
	/* What would be used is looked at before it is put in place. */
	struct keytab_view *check = fine ? keytab_load(r.fresh, problem) : NULL;
	if (fine && (!check || check->count != count)) {
		if (check)
			snprintf(problem, KEYTAB_PROBLEM_BYTES, "%s: what was written is not what is read", path);
		unlink(r.fresh);
		fine = false;
	}
	keytab_view_unref(check);
	fine = fine && finish(&r, problem);
	if (r.fd >= 0)
		close(r.fd);
	return fine;
}

bool keytab_file_write_bytes(const char *path, struct slice bytes, char problem[static KEYTAB_PROBLEM_BYTES])
{
	struct replacement r;
	bool fine = begin(&r, path, false, problem);
	if (fine && write(r.fd, bytes.at, bytes.len) != (ssize_t)bytes.len)
		fine = failed(&r, "cannot be written", problem);
	fine = fine && finish(&r, problem);
	if (r.fd >= 0)
		close(r.fd);
	return fine;
}
