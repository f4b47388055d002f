/* What a realm's KDC does, as seen with the connector's own ticket: which key it makes tickets for a service with, whether ours is the same, how an
 * account's keys are made from its password, and the change of a password (RFC 3244). Nothing is taken from a cache. Blocking: worker threads; one thread at a time. */
#pragma once
#include "core/authd/keytab.h"

enum { KDC_TEXT = 320, KDC_SALTS_MAX = 2, KDC_SALT_BYTES = 256, KDC_PASSWORD_BYTES = 256 };

struct kdc;
/* Logs in to realm by a key of that view. account: a principal of it to be preferred; NULL: the first that the KDC takes. NULL: problem says why not. */
struct kdc *kdc_open(struct keytab_view *keys, const char *realm, const char *account, char problem[static KDC_TEXT]);
void kdc_close(struct kdc *k);
/* Who logged in, "svc-rms@CORP.TEST"; as long as k. */
const char *kdc_account(const struct kdc *k);
/* The KDC's clock is so many seconds ahead of ours. */
int32_t kdc_ahead_s(const struct kdc *k);

enum kdc_verdict {
	KDC_SAME_KEY,
	KDC_OTHER_KEY,   /* the ticket cannot be decrypted by any key of that name */
	KDC_NO_NAME,     /* nobody owns that name, or two do */
	KDC_UNREACHABLE, /* problem */
};
struct kdc_ticket {
	enum kdc_verdict verdict;
	uint32_t kvno;
	int32_t enctype;
	char problem[KDC_TEXT];
};
/* A fresh ticket for service, "HTTP/rms.corp.test@CORP.TEST", held against the keys of that name in keys. */
void kdc_look(struct kdc *k, const struct keytab_view *keys, const char *service, struct kdc_ticket *out);

/* What AES keys of account are salted with now; the KDC tells. false: problem. */
struct kdc_salt {
	char salt[KDC_SALT_BYTES];
	uint8_t parameters[4]; /* of AES: iterations */
	bool has_parameters;
};
bool kdc_salt_of(const char *account, struct kdc_salt *out, char problem[static KDC_TEXT]);

/* By the account's own ticket (admin NULL: a key of keys), or by an administrator's name and password. false: problem; the password is as it was. */
bool kdc_set_password(struct keytab_view *keys, const char *account, const char *password, const char *admin,
                      const char *admin_password, char problem[static KDC_TEXT]);
