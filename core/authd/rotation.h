/* A change of the connector account's password in three steps: its keys are put beside the old ones on every node, looked at, and only then is the
 * password set in the domain. Between the steps the new password is in a file beside the keytab, which is as secret as the keytab itself. Any thread, with
 * keytab_file_lock() held. */
#pragma once
#include "core/authd/kdc.h"
#include "core/authd/keytab_file.h"

enum { ROTATION_NAME_BYTES = 256, ROTATION_NAMES_MAX = 64, ROTATION_KEYS_MAX = 512 };

struct rotation {
	char account[ROTATION_NAME_BYTES]; /* "svc-rms@CORP.TEST" */
	char service[ROTATION_NAME_BYTES]; /* "HTTP/rms.corp.test@CORP.TEST": the one that is looked at */
	uint32_t kvno;                     /* of the new keys */
	char fingerprint[KEYTAB_FINGERPRINT_BYTES];
	char password[KDC_PASSWORD_BYTES];
	bool verified;
};

/* "KEYTAB.rotation" */
void rotation_path(const char *keytab, char out[static 4200]);
/* false: there is none, or it is none of ours: problem is empty in the first case. */
bool rotation_read(const char *keytab, struct rotation *out, char problem[static KEYTAB_PROBLEM_BYTES]);
bool rotation_write(const char *keytab, const struct rotation *r, char problem[static KEYTAB_PROBLEM_BYTES]);
void rotation_remove(const char *keytab);
static inline void rotation_done(struct rotation *r)
{
	explicit_bzero(r, sizeof(*r));
}

/* Principals that have their newest key in common with service: all names of one account. Borrowed from v. */
struct rotation_names {
	const char *at[ROTATION_NAMES_MAX];
	size_t count;
};
void rotation_names_of(const struct keytab_view *v, const char *service, struct rotation_names *out);
/* The newest key of a principal, AES-256 before others. NULL: it has none. */
const struct keytab_key *rotation_newest(const struct keytab_view *v, const char *principal);
/* A service HTTP/NAME of v: the one that is wanted (NULL: whichever), with or without realm. NULL: problem says why. */
const char *rotation_service(const struct keytab_view *v, const char *wanted,
                             char problem[static KEYTAB_PROBLEM_BYTES]);

/* Random letters and digits that every rule about passwords is content with. false: no random bytes. */
bool rotation_password(char out[static KDC_PASSWORD_BYTES]);
/* The keys that an account with that password has, of each kind in enctypes, for each name and each salt. Returns how many; 0: problem. out's
 * principals are borrowed from names. */
size_t rotation_keys(const struct rotation_names *names, uint32_t kvno, const char *password,
                     const struct kdc_salt *salts, size_t salt_count, const int32_t *enctypes, size_t enctype_count,
                     struct keytab_key out[static ROTATION_KEYS_MAX], char problem[static KEYTAB_PROBLEM_BYTES]);
