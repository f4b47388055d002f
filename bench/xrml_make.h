/* The certificates and licences of an RMS tenant and of the machines that use it: XrML BODY texts in the shapes and sizes of crypto mode 2
 * (RSA-2048, SHA-256), signed by xrml_sign(). What a real service would encrypt is bytes derived from a seed. Pure; any thread. */
#pragma once
#include "bench/xrml.h"
#include "core/base/clock.h"

struct xrml_party {           /* texts as they stand in XML, escaped */
	struct slice type;    /* "MS-DRM-Server", "Group-Identity", "Machine-Unique-Identifier" */
	struct slice id_type; /* "MS-GUID", "Windows" */
	struct slice id, name;
	struct slice address; /* empty: none */
	struct slice modulus; /* base64; empty: no key */
};

struct xrml_times { /* "2026-11-22T10:51" */
	char issued[17], from[17], until[17];
};
void xrml_times_make(struct xrml_times *t, usec_t wall, unsigned days);

/* "{8-4-4-4-12}", 38 characters and a NUL, the same for the same label and text. */
enum { XRML_GUID_LEN = 38 };
void xrml_guid(char out[static XRML_GUID_LEN + 1], const char *label, struct slice text);
/* "S-1-5-21-...", the same for the same text. */
void xrml_sid(char out[static 64], struct slice text);
/* n bytes in base64, the same for the same seed. */
void xrml_sealed(struct text *out, const char *label, struct slice seed, size_t n);
/* A modulus nobody has the factors of, for accounts that are only named. */
enum { XRML_MODULUS_LEN = 344 };
void xrml_modulus(const struct crypto_key *key, char out[static XRML_MODULUS_LEN + 1]);
void xrml_modulus_of_nobody(char out[static XRML_MODULUS_LEN + 1], struct slice seed);

/* All append one signed XrML element; key signs for the issuer. */

/* A link of a chain: "Server-Licensor-Certificate", "Enrollment-Service", "Certificate-Authority". issuing: with the right to issue. */
void xrml_make_link(struct text *out, const char *type, const struct xrml_party *issuer,
                    const struct xrml_party *subject, const struct crypto_key *key, const struct xrml_times *t,
                    bool issuing);
void xrml_make_machine(struct text *out, const struct xrml_party *issuer, const struct xrml_party *machine,
                       const struct crypto_key *key, const struct xrml_times *t);
/* seed: the text of the machine's certificate, to whose key the account's would be sealed. */
void xrml_make_rac(struct text *out, const struct xrml_party *tenant, const struct xrml_party *account,
                   struct slice machine_guid, bool persistent, struct slice seed, const struct crypto_key *key,
                   const struct xrml_times *t);
void xrml_make_clc(struct text *out, const struct xrml_party *tenant, const struct xrml_party *account,
                   struct slice seed, const struct crypto_key *key, const struct xrml_times *t);
/* A publishing licence. author: who signs (a CLC's account, or the tenant); data_bytes: encrypted rights data, 6201 is usual.
 * key NULL: unsigned, for the server to sign; then without ISSUER, when the author has no key. */
void xrml_make_pl(struct text *out, const struct xrml_party *author, const struct xrml_party *tenant,
                  struct slice content_guid, size_t data_bytes, const struct crypto_key *key,
                  const struct xrml_times *t);
/* A use licence. rights: "OWNER", or several with spaces between. seed: the text of the publishing licence. */
void xrml_make_ul(struct text *out, const struct xrml_party *tenant, const struct xrml_party *account,
                  struct slice content_guid, const char *rights, struct slice seed, const struct crypto_key *key,
                  const struct xrml_times *t);
void xrml_make_template(struct text *out, const struct xrml_party *tenant, struct slice guid, const char *name,
                        const struct crypto_key *key, const struct xrml_times *t);

/* Signs a body that came without an issuer, or with another's: the issuer is put in, every other byte stays. */
void xrml_sign_issued(struct text *out, struct slice body, const struct xrml_party *issuer,
                      const struct crypto_key *key);
