/* XrML 1.2 as RMS uses it: <XrML><BODY/><SIGNATURE/></XrML>, SHA-256 over the literal text of BODY with its tags, RSA PKCS#1 v1.5. Signing,
 * finding and verifying on text as it stands, never parsed and written again. Pure; any thread. */
#pragma once
#include "bench/text.h"
#include "core/crypto/crypto.h"

/* Appends an XrML element. body: the whole BODY element. */
void xrml_sign(struct text *out, struct slice body, const struct crypto_key *key);

/* One XrML element inside a larger text; slices borrow the text, an absent part is empty. */
struct xrml {
	struct slice whole, body, signature; /* elements with their tags */
	struct slice type;                   /* "Group-Identity-Credential"; for licences without one BODY's own type */
	struct slice guid;                   /* of the DESCRIPTOR's object */
	struct slice issuer_name, issuer_modulus;
	struct slice subject_id, subject_name, subject_modulus; /* ISSUEDPRINCIPALS; moduli in base64 */
	struct slice work_guid;                                 /* content id of a licence or template */
	struct slice machine_guid;                              /* of the machine a RAC is bound to */
	struct slice until;                                     /* end of VALIDITYTIME or of the first RANGETIME */
};
/* Finds the next element at or after *at and moves *at behind it. false: none left. */
bool xrml_next(struct slice text, size_t *at, struct xrml *out);

enum xrml_verdict { XRML_GOOD, XRML_MALFORMED, XRML_DIGEST_WRONG, XRML_SIGNATURE_WRONG, XRML_ISSUER_WRONG };
const char *xrml_verdict_text(enum xrml_verdict v);
/* issuer NULL: the key that the element names as its issuer's, which shows that nothing was changed, not who made it. */
enum xrml_verdict xrml_verify(const struct xrml *x, const struct crypto_key *issuer);

/* Verifies every XrML element of an answer, those in escaped templates too. slc: the tenant's key; the certificates and licences a tenant issues
 * must be signed by it (NULL: not demanded). true: *count > 0 and *wrong == 0. */
bool xrml_verify_all(struct slice answer, const struct crypto_key *slc, size_t *count, size_t *wrong);

/* The key of the element's subject. false: none, or not RSA-2048. */
bool xrml_subject_key(const struct xrml *x, struct crypto_key **out);
