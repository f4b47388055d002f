#include "core/authd/keytab.h"

#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <krb5.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct krb5_keytab_in_memory {
	krb5_context krb;
	krb5_keytab keytab;
};

/* Every view has a name of its own in this process: files that are only checked, too. */
static _Atomic uint64_t last_name;

static void view_free(struct keytab_view *v)
{
	for (size_t i = 0; i < v->count; i++)
		free(v->keys[i].principal);
	if (v->keys)
		explicit_bzero(v->keys, KEYTAB_KEYS_MAX * sizeof(*v->keys));
	free(v->keys);
	if (v->held) {
		if (v->held->keytab)
			krb5_kt_close(v->held->krb, v->held->keytab);
		if (v->held->krb)
			krb5_free_context(v->held->krb);
		free(v->held);
	}
	free(v);
}

void keytab_view_unref(struct keytab_view *v)
{
	if (v && --v->refs == 0)
		view_free(v);
}

static struct keytab_view *view_new(void)
{
	struct keytab_view *v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	v->refs = 1;
	v->held = calloc(1, sizeof(*v->held));
	v->keys = calloc(KEYTAB_KEYS_MAX, sizeof(*v->keys));
	snprintf(v->name, sizeof(v->name), "MEMORY:rms-connector-%llu", (unsigned long long)++last_name);
	if (v->held && v->keys && !krb5_init_context(&v->held->krb) &&
	    !krb5_kt_resolve(v->held->krb, v->name, &v->held->keytab))
		return v;
	view_free(v);
	return NULL;
}

/* Whether its records end where the file ends. The library takes what is before a record that was cut off for the whole, and leaks. A record of no length
 * ends the file, as in the library; behind it there may be zeros, but no key that is being written. */
static bool is_whole(int fd, size_t size)
{
	uint8_t *bytes = malloc(size);
	bool fine = bytes && pread(fd, bytes, size, 0) == (ssize_t)size && size >= 2 && bytes[0] == 5 && bytes[1] == 2;
	size_t at = 2;
	while (fine && at < size) {
		uint32_t n = 0;
		for (size_t i = 0; i < 4 && at + i < size; i++)
			n = n << 8 | bytes[at + i];
		if (n == 0) {
			while (at < size && bytes[at] == 0)
				at++;
			fine = at == size;
			break;
		}
		n = n & 0x80000000u ? -n : n; /* a hole, of a key that was removed */
		fine = size - at >= 4 && n <= size - at - 4;
		at += 4 + (size_t)n;
	}
	free(bytes);
	return fine;
}

static int open_file(const char *path, char problem[static KEYTAB_PROBLEM_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "the keytab %s cannot be opened: %s%s", path, strerror(errno),
		         errno == EACCES ? " (let the user of rms-connector-authd read it)" : "");
	return fd;
}

static bool is_keytab(int fd, const char *path, char problem[static KEYTAB_PROBLEM_BYTES])
{
	struct stat st;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "the keytab %s is not an ordinary file", path);
	else if (st.st_size == 0)
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "the keytab %s is empty", path);
	else if (st.st_size > KEYTAB_BYTES_MAX)
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "the keytab %s is larger than any keytab", path);
	else if (!is_whole(fd, (size_t)st.st_size))
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "%s is not a valid keytab, or only a part of one", path);
	else
		return true;
	return false;
}

/* false: no memory. */
static bool take_entry(struct keytab_view *v, krb5_keytab_entry *e)
{
	krb5_context krb = v->held->krb;
	struct keytab_key *key = &v->keys[v->count];
	char *name;
	if (krb5_unparse_name(krb, e->principal, &name))
		return false;
	*key = (struct keytab_key){
	        .principal = strdup(name), .kvno = e->vno, .enctype = e->key.enctype, .made_s = (uint32_t)e->timestamp};
	krb5_free_unparsed_name(krb, name);
	if (!key->principal)
		return false;
	if (e->key.length <= sizeof(key->secret)) { /* of every kind that there is */
		key->secret_len = (uint8_t)e->key.length;
		memcpy(key->secret, e->key.contents, e->key.length);
	}
	const char *at = strrchr(key->principal, '@');
	key->realm = at ? at + 1 : "";
	v->count++;
	return krb5_kt_add_entry(krb, v->held->keytab, e) == 0;
}

static bool take_entries(struct keytab_view *v, krb5_keytab file, const char *path,
                         char problem[static KEYTAB_PROBLEM_BYTES])
{
	krb5_context krb = v->held->krb;
	krb5_kt_cursor cursor;
	krb5_keytab_entry e;
	krb5_error_code code = krb5_kt_start_seq_get(krb, file, &cursor);
	bool fine = true;
	if (!code) {
		while (fine && v->count < KEYTAB_KEYS_MAX && !(code = krb5_kt_next_entry(krb, file, &e, &cursor))) {
			fine = take_entry(v, &e);
			krb5_free_keytab_entry_contents(krb, &e);
		}
		krb5_kt_end_seq_get(krb, file, &cursor);
	}
	if (!fine)
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "there is not enough memory to read the keytab %s", path);
	else if (v->count == KEYTAB_KEYS_MAX)
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "the keytab %s holds more than %d keys", path,
		         KEYTAB_KEYS_MAX - 1);
	else if (code && code != KRB5_KT_END)
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "%s is not a valid keytab, or only a part of one", path);
	else if (v->count == 0)
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "the keytab %s holds no key", path);
	else
		return true;
	return false;
}

/* The file is looked at through one descriptor: krb5 opens it by a name that cannot be another file meanwhile. */
static struct keytab_view *load(int fd, const char *path, char problem[static KEYTAB_PROBLEM_BYTES])
{
	char name[64];
	krb5_keytab file;
	if (!is_keytab(fd, path, problem))
		return NULL;
	struct keytab_view *v = view_new();
	bool fine = false;
	snprintf(name, sizeof(name), "FILE:/proc/self/fd/%d", fd);
	if (!v || krb5_kt_resolve(v->held->krb, name, &file)) {
		snprintf(problem, KEYTAB_PROBLEM_BYTES,
		         "Kerberos cannot be used here: is there a mistake in krb5.conf? (read for the keytab %s)",
		         path);
	} else {
		fine = take_entries(v, file, path, problem);
		krb5_kt_close(v->held->krb, file);
	}
	if (fine)
		return v;
	keytab_view_unref(v);
	return NULL;
}

struct keytab_view *keytab_load(const char *path, char problem[static KEYTAB_PROBLEM_BYTES])
{
	*problem = 0;
	int fd = open_file(path, problem);
	struct keytab_view *v = fd < 0 ? NULL : load(fd, path, problem);
	if (fd >= 0)
		close(fd);
	return v;
}

struct keytab_view *keytab_load_bytes(struct slice bytes, const char *shown, char problem[static KEYTAB_PROBLEM_BYTES])
{
	*problem = 0;
	int fd = memfd_create("keytab", MFD_CLOEXEC);
	struct keytab_view *v = NULL;
	if (fd < 0 || write(fd, bytes.at, bytes.len) != (ssize_t)bytes.len)
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "there is not enough memory to read the keytab %s", shown);
	else
		v = load(fd, shown, problem);
	if (fd >= 0)
		close(fd);
	return v;
}

/* ---- the one that is used ---- */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* With the lock. */
static bool read_again(struct keytab *k, const struct stat *now)
{
	char problem[KEYTAB_PROBLEM_BYTES];
	struct keytab_view *v = keytab_load(k->path, problem);
	bool told = strcmp(problem, k->problem) == 0 && *problem;
	k->seen = *now;
	k->seen_any = true;
	memcpy(k->problem, problem, sizeof(problem));
	if (!v && !told)
		event_log(EVENT_KEYTAB_UNUSABLE, "%s; %s", problem,
		          k->view ? "the keys that were read before are used further"
		                  : "until it can be read, nobody can be authenticated by Kerberos. Put the keys of "
		                    "HTTP/NAME there, for each name in callers' URLs (docs/keytabs.md says how); they "
		                    "are "
		                    "taken within a second, nothing has to be started again");
	if (!v)
		return false;
	keytab_view_unref(k->view);
	k->view = v;
	v->generation = ++k->generation;
	k->read_wall = clock_wall();
	event_log(EVENT_KEYTAB_READ, "%zu keys of %s", v->count, k->path);
	return true;
}

static bool look(struct keytab *k, bool even_unchanged)
{
	struct stat now = {0};
	pthread_mutex_lock(&k->lock);
	if (stat(k->path, &now))
		memset(&now, 0, sizeof(now));
	bool changed = (even_unchanged || !k->seen_any || !same_file(&now, &k->seen)) && read_again(k, &now);
	pthread_mutex_unlock(&k->lock);
	return changed;
}

bool keytab_look(struct keytab *k)
{
	return look(k, false);
}

bool keytab_read(struct keytab *k)
{
	return look(k, true);
}

struct err keytab_open(struct keytab *k, const char *path)
{
	*k = (struct keytab){.path = path};
	pthread_mutex_init(&k->lock, NULL);
	keytab_look(k);
	return OK;
}

void keytab_close(struct keytab *k)
{
	if (!k->path)
		return;
	keytab_view_unref(k->view);
	k->view = NULL;
	k->path = NULL;
	pthread_mutex_destroy(&k->lock);
}

struct keytab_view *keytab_ref(struct keytab *k)
{
	pthread_mutex_lock(&k->lock);
	struct keytab_view *v = k->view;
	if (v)
		v->refs++;
	pthread_mutex_unlock(&k->lock);
	return v;
}

bool keytab_is_usable(struct keytab *k)
{
	pthread_mutex_lock(&k->lock);
	bool usable = k->view;
	pthread_mutex_unlock(&k->lock);
	return usable;
}

void keytab_problem(struct keytab *k, char out[static KEYTAB_PROBLEM_BYTES], uint64_t *read_wall)
{
	pthread_mutex_lock(&k->lock);
	memcpy(out, k->problem, KEYTAB_PROBLEM_BYTES);
	*read_wall = k->read_wall;
	pthread_mutex_unlock(&k->lock);
}

const char *keytab_enctype_name(int32_t enctype, char out[static 64])
{
	if (krb5_enctype_to_name(enctype, 0, out, 64))
		snprintf(out, 64, "enctype %d", enctype);
	return out;
}

bool keytab_enctype_is_weak(int32_t enctype)
{
	return enctype < ENCTYPE_AES128_CTS_HMAC_SHA1_96 || enctype == ENCTYPE_ARCFOUR_HMAC ||
	       enctype == ENCTYPE_ARCFOUR_HMAC_EXP;
}
