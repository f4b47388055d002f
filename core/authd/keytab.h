/* The keys of this connector: a keytab file read whole, checked, and held in memory under a name that GSSAPI knows, so that a file that is half written or
 * gone costs nobody a logon. The only home of krb5's keytab calls. Any thread may look; the main thread reads again. */
#pragma once
#include "core/base/err.h"
#include "core/base/slice.h"

#include <pthread.h>
#include <sys/stat.h>

enum {
	KEYTAB_KEYS_MAX = 4096,
	KEYTAB_BYTES_MAX = 4 * 1024 * 1024,
	KEYTAB_NAME_BYTES = 64,
	KEYTAB_PROBLEM_BYTES = 320,
	KEYTAB_SECRET_BYTES = 64,
};

struct keytab_key {
	char *principal;   /* "HTTP/rms.corp.test@CORP.TEST" */
	const char *realm; /* inside principal, behind its last '@' */
	uint32_t kvno;
	int32_t enctype;
	uint32_t made_s; /* since 1970; 0: not told */
	uint8_t secret_len;
	uint8_t secret[KEYTAB_SECRET_BYTES]; /* the key itself: never into a log or an answer */
};

/* One reading of the file; immutable. */
struct keytab_view {
	_Atomic uint32_t refs;
	uint64_t generation;
	char name[KEYTAB_NAME_BYTES]; /* "MEMORY:..." */
	struct keytab_key *keys;
	size_t count;
	struct krb5_keytab_in_memory *held;
};

struct keytab {
	const char *path;
	pthread_mutex_t lock;
	struct keytab_view *view; /* NULL: there was no usable file yet */
	struct stat seen;         /* of the file that was read last, usable or not */
	bool seen_any;
	uint64_t generation;
	uint64_t read_wall;                 /* when view was read */
	char problem[KEYTAB_PROBLEM_BYTES]; /* of the file as it is now; empty: none. The view is then of before */
};

/* Reads it for the first time. An unusable file is told as an event and is no error. path must outlive it. */
struct err keytab_open(struct keytab *k, const char *path);
void keytab_close(struct keytab *k);
/* Reads the file again when it has changed; true: there is another view now. */
bool keytab_look(struct keytab *k);
/* The same, changed or not. */
bool keytab_read(struct keytab *k);
/* A reference, the caller's; NULL: no key. */
struct keytab_view *keytab_ref(struct keytab *k);
void keytab_view_unref(struct keytab_view *v);
bool keytab_is_usable(struct keytab *k);
/* The current problem in words, empty for none. */
void keytab_problem(struct keytab *k, char out[static KEYTAB_PROBLEM_BYTES], uint64_t *read_wall);

/* A file as it would be used, without using it. NULL: problem says why not. */
struct keytab_view *keytab_load(const char *path, char problem[static KEYTAB_PROBLEM_BYTES]);
/* The same, of what came as bytes. shown: what problem calls it. */
struct keytab_view *keytab_load_bytes(struct slice bytes, const char *shown, char problem[static KEYTAB_PROBLEM_BYTES]);
/* "aes256-cts-hmac-sha1-96"; out: 64 bytes. */
const char *keytab_enctype_name(int32_t enctype, char out[static 64]);
/* DES, triple DES and RC4 are weak. */
bool keytab_enctype_is_weak(int32_t enctype);
