#include "bench/xrml_make.h"

#include <stdio.h>
#include <time.h>

/* The GUIDs that RMS gives its distribution points. */
#define POINT_ACTIVATION "{8BA9EA80-99E4-4a2b-9764-4CD84F77C3A0}"
#define POINT_INTRANET   "{0F45FD50-383B-43EE-90A4-ED013CD0CFE5}"
#define POINT_EXTRANET   "{94BF969A-CA04-44d6-AA96-51071281FEF2}"
#define POINT_TEMPLATE   "{9A23D98E-4449-4ba5-812A-F30808F3CB16}"
#define POINT_REFERRAL   "{81C42010-208A-458A-BAB6-C3C60F06DD5F}"

enum { SEALED_PRIVATE_KEY = 1408, SEALED_CONTENT_KEY = 320 }; /* bytes, as RSA-2048 and AES leave them */

void xrml_times_make(struct xrml_times *t, usec_t wall, unsigned days)
{
	const time_t now = (time_t)(wall / 1000000);
	const time_t at[3] = {now, now - 15 * 60, now + (time_t)days * 86400};
	char *const out[3] = {t->issued, t->from, t->until};
	for (int i = 0; i < 3; i++) {
		struct tm tm;
		gmtime_r(&at[i], &tm);
		strftime(out[i], sizeof t->issued, "%Y-%m-%dT%H:%M", &tm);
	}
}

static void derive(uint8_t out[static CRYPTO_SHA256_BYTES], const char *label, struct slice text, uint32_t block)
{
	struct crypto_sha256 s;
	crypto_sha256_start(&s);
	crypto_sha256_add(&s, label, strlen(label) + 1);
	crypto_sha256_add(&s, &block, sizeof block);
	crypto_sha256_add(&s, text.at, text.len);
	crypto_sha256_end(&s, out);
}

void xrml_guid(char out[static XRML_GUID_LEN + 1], const char *label, struct slice text)
{
	uint8_t d[CRYPTO_SHA256_BYTES];
	derive(d, label, text, 0);
	snprintf(out, XRML_GUID_LEN + 1, "{%02x%02x%02x%02x-%02x%02x-4%01x%02x-%01x%01x%02x-%02x%02x%02x%02x%02x%02x}",
	         d[0], d[1], d[2], d[3], d[4], d[5], d[6] & 15, d[7], 8 + (d[8] & 3), d[9] & 15, d[10], d[11], d[12],
	         d[13], d[14], d[15], d[16]);
}

void xrml_sid(char out[static 64], struct slice text)
{
	uint32_t part[CRYPTO_SHA256_BYTES / 4];
	derive((uint8_t *)part, "sid", text, 0);
	snprintf(out, 64, "S-1-5-21-%u-%u-%u-%u", part[0] | 1u << 30, part[1] | 1u << 30, part[2] | 1u << 30,
	         1100 + part[3] % 8900);
}

void xrml_sealed(struct text *out, const char *label, struct slice seed, size_t n)
{
	uint8_t digest[CRYPTO_SHA256_BYTES], block[CRYPTO_SHA256_BYTES * 96];
	derive(digest, label, seed, 0);
	struct slice short_seed = slice_of((const char *)digest, sizeof digest);
	for (uint32_t number = 0; n;) {
		size_t piece = n < sizeof block ? n : sizeof block;
		for (size_t at = 0; at < piece; at += CRYPTO_SHA256_BYTES)
			derive(block + at, label, short_seed, number++);
		text_add_base64(out, block, piece);
		n -= piece;
	}
}

void xrml_modulus(const struct crypto_key *key, char out[static XRML_MODULUS_LEN + 1])
{
	uint8_t bytes[CRYPTO_RSA_BYTES];
	crypto_key_modulus(key, bytes);
	crypto_base64_encode(bytes, sizeof bytes, out);
}

void xrml_modulus_of_nobody(char out[static XRML_MODULUS_LEN + 1], struct slice seed)
{
	uint8_t bytes[CRYPTO_RSA_BYTES];
	for (uint32_t i = 0; i < CRYPTO_RSA_BYTES / CRYPTO_SHA256_BYTES; i++)
		derive(bytes + i * CRYPTO_SHA256_BYTES, "modulus", seed, i);
	bytes[0] |= 0x80;
	bytes[CRYPTO_RSA_BYTES - 1] |= 1;
	crypto_base64_encode(bytes, sizeof bytes, out);
}

/* ---- parts ---- */

static void add_body_start(struct text *b, const char *type, const struct xrml_times *t, bool validity)
{
	text_format(b, "<BODY type=\"%s\" version=\"3.0\"><ISSUEDTIME>%s</ISSUEDTIME>", type, t->issued);
	if (validity)
		text_format(b, "<VALIDITYTIME><FROM>%s</FROM><UNTIL>%s</UNTIL></VALIDITYTIME>", t->from, t->until);
}

static void add_descriptor(struct text *b, const char *type, const char *guid)
{
	text_format(b, "<DESCRIPTOR><OBJECT type=\"%s\"><ID type=\"MS-GUID\">%s</ID></OBJECT></DESCRIPTOR>", type,
	            guid);
}

static void add_object(struct text *b, const struct xrml_party *p)
{
	text_format(b, "<OBJECT type=\"%.*s\"><ID type=\"%.*s\">%.*s</ID><NAME>%.*s</NAME>", SLICE_ARG(p->type),
	            SLICE_ARG(p->id_type), SLICE_ARG(p->id), SLICE_ARG(p->name));
	if (p->address.len)
		text_format(b, "<ADDRESS type=\"URL\">%.*s</ADDRESS>", SLICE_ARG(p->address));
	text_add_str(b, "</OBJECT>");
}

static void add_key(struct text *b, struct slice modulus)
{
	if (modulus.len)
		text_format(b,
		            "<PUBLICKEY><ALGORITHM>RSA</ALGORITHM><PARAMETER name=\"public-exponent\"><VALUE "
		            "encoding=\"integer32\">65537</VALUE></PARAMETER><PARAMETER name=\"modulus\"><VALUE "
		            "encoding=\"base64\" size=\"2048\">%.*s</VALUE></PARAMETER></PUBLICKEY>",
		            SLICE_ARG(modulus));
}

static void add_issuer(struct text *b, const struct xrml_party *p)
{
	text_add_str(b, "<ISSUER>");
	add_object(b, p);
	add_key(b, p->modulus);
	text_add_str(b, "</ISSUER>");
}

static void add_sealed(struct text *b, const char *label, struct slice seed, size_t bytes)
{
	text_format(b, "<ENABLINGBITS type=\"sealed-key\"><VALUE encoding=\"base64\" size=\"%zu\">", bytes * 8);
	xrml_sealed(b, label, seed, bytes);
	text_add_str(b, "</VALUE></ENABLINGBITS>");
}

/* sealed_bytes 0: none */
static void add_principal(struct text *b, const struct xrml_party *p, const char *label, struct slice seed,
                          size_t sealed_bytes, const char *level)
{
	text_add_str(b, "<ISSUEDPRINCIPALS><PRINCIPAL internal-id=\"1\">");
	add_object(b, p);
	add_key(b, p->modulus);
	if (sealed_bytes)
		add_sealed(b, label, seed, sealed_bytes);
	text_add_str(b, level);
	text_add_str(b, "</PRINCIPAL></ISSUEDPRINCIPALS>");
}

static void add_point(struct text *b, const char *type, const char *guid, const char *name, struct slice url,
                      const char *path)
{
	text_format(b,
	            "<DISTRIBUTIONPOINT><OBJECT type=\"%s\"><ID type=\"MS-GUID\">%s</ID><NAME>%s</NAME><ADDRESS "
	            "type=\"URL\">%.*s%s</ADDRESS></OBJECT></DISTRIBUTIONPOINT>",
	            type, guid, name, SLICE_ARG(url), path);
}

static void add_licensing_points(struct text *b, const struct xrml_party *tenant)
{
	add_point(b, "License-Acquisition-URL", POINT_INTRANET, "DRM Server Cluster", tenant->address, "/licensing");
	add_point(b, "Extranet-License-Acquisition-URL", POINT_EXTRANET, "DRM Server Cluster", tenant->address,
	          "/licensing");
}

static void add_range(struct text *b, const struct xrml_times *t)
{
	text_format(b, "<TIME><RANGETIME><FROM>%s</FROM><UNTIL>%s</UNTIL></RANGETIME></TIME>", t->from, t->until);
}

static void add_right_to_issue(struct text *b, const struct xrml_times *t, const char *guid)
{
	text_format(b,
	            "<WORK><OBJECT type=\"Issuing-Rights\"><ID type=\"MS-GUID\">%s</ID></OBJECT><RIGHTSGROUP "
	            "name=\"Main-Rights\"><RIGHTSLIST><ISSUE><CONDITIONLIST>",
	            guid);
	add_range(b, t);
	text_add_str(b, "</CONDITIONLIST></ISSUE></RIGHTSLIST></RIGHTSGROUP></WORK>");
}

static void finish(struct text *out, struct text *b, const struct crypto_key *key)
{
	text_add_str(b, "</BODY>");
	xrml_sign(out, text_slice(b), key);
	text_free(b);
}

/* ---- certificates ---- */

void xrml_make_link(struct text *out, const char *type, const struct xrml_party *issuer,
                    const struct xrml_party *subject, const struct crypto_key *key, const struct xrml_times *t,
                    bool issuing)
{
	struct text b = {0};
	char guid[XRML_GUID_LEN + 1], work[XRML_GUID_LEN + 1];
	xrml_guid(guid, type, subject->id);
	xrml_guid(work, "work", subject->id);
	add_body_start(&b, "LICENSE", t, true);
	add_descriptor(&b, type, guid);
	add_issuer(&b, issuer);
	add_principal(&b, subject, "", SLICE(""), 0, "");
	if (issuing)
		add_right_to_issue(&b, t, work);
	finish(out, &b, key);
}

void xrml_make_machine(struct text *out, const struct xrml_party *issuer, const struct xrml_party *machine,
                       const struct crypto_key *key, const struct xrml_times *t)
{
	struct text b = {0};
	char guid[XRML_GUID_LEN + 1];
	xrml_guid(guid, "machine-certificate", machine->id);
	add_body_start(&b, "LICENSE", t, false);
	add_descriptor(&b, "Machine-Certificate", guid);
	add_issuer(&b, issuer);
	add_principal(&b, machine, "", SLICE(""), 0, "<SECURITYLEVEL name=\"Platform\" value=\"2.6.2.9200\"/>");
	finish(out, &b, key);
}

void xrml_make_rac(struct text *out, const struct xrml_party *tenant, const struct xrml_party *account,
                   struct slice machine_guid, bool persistent, struct slice seed, const struct crypto_key *key,
                   const struct xrml_times *t)
{
	struct text b = {0};
	char guid[XRML_GUID_LEN + 1];
	xrml_guid(guid, "rac", seed);
	add_body_start(&b, "LICENSE", t, true);
	add_descriptor(&b, "Group-Identity-Credential", guid);
	add_issuer(&b, tenant);
	add_point(&b, "Activation", POINT_ACTIVATION, "DRM Server Cluster", tenant->address, "/certification");
	add_principal(&b, account, "", SLICE(""), 0,
	              persistent ? "<SECURITYLEVEL name=\"Group-Identity-Credential-Type\" value=\"Persistent\"/>"
	                         : "<SECURITYLEVEL name=\"Group-Identity-Credential-Type\" value=\"Temporary\"/>");
	text_format(&b,
	            "<FEDERATIONPRINCIPALS><PRINCIPAL><OBJECT type=\"Machine-Unique-Identifier\"><ID "
	            "type=\"MS-GUID\">%.*s</ID><NAME>Machine</NAME></OBJECT>",
	            SLICE_ARG(machine_guid));
	add_sealed(&b, "rac-key", seed, SEALED_PRIVATE_KEY);
	text_add_str(&b, "</PRINCIPAL></FEDERATIONPRINCIPALS>");
	finish(out, &b, key);
}

void xrml_make_clc(struct text *out, const struct xrml_party *tenant, const struct xrml_party *account,
                   struct slice seed, const struct crypto_key *key, const struct xrml_times *t)
{
	struct text b = {0};
	char guid[XRML_GUID_LEN + 1], work[XRML_GUID_LEN + 1];
	xrml_guid(guid, "clc", seed);
	xrml_guid(work, "clc-work", seed);
	add_body_start(&b, "LICENSE", t, false);
	add_descriptor(&b, "Client-Licensor-Certificate", guid);
	add_issuer(&b, tenant);
	add_licensing_points(&b, tenant);
	add_principal(&b, account, "clc-key", seed, SEALED_PRIVATE_KEY, "");
	add_right_to_issue(&b, t, work);
	finish(out, &b, key);
}

/* ---- licences ---- */

void xrml_make_pl(struct text *out, const struct xrml_party *author, const struct xrml_party *tenant,
                  struct slice content_guid, size_t data_bytes, const struct crypto_key *key,
                  const struct xrml_times *t)
{
	struct text b = {0};
	add_body_start(&b, "Microsoft Rights Label", t, false);
	if (author->modulus.len)
		add_issuer(&b, author);
	add_licensing_points(&b, tenant);
	add_principal(&b, tenant, "pl-key", content_guid, SEALED_CONTENT_KEY, "");
	text_format(&b,
	            "<DISTRIBUTIONPOINT><OBJECT type=\"Referral-Info\"><ID type=\"MS-GUID\">" POINT_REFERRAL
	            "</ID><NAME>"
	            "%.*s</NAME><ADDRESS type=\"URL\">mailto:%.*s</ADDRESS></OBJECT></DISTRIBUTIONPOINT><WORK><OBJECT>"
	            "<ID type=\"MS-GUID\">%.*s</ID></OBJECT><METADATA><OWNER><OBJECT><ID type=\"Windows\"/><NAME>%.*s"
	            "</NAME></OBJECT></OWNER></METADATA></WORK><AUTHENTICATEDDATA id=\"Encrypted-Rights-Data\">",
	            SLICE_ARG(author->name), SLICE_ARG(author->name), SLICE_ARG(content_guid), SLICE_ARG(author->name));
	xrml_sealed(&b, "rights", content_guid, data_bytes / 3 * 3);
	text_add_str(&b, "</AUTHENTICATEDDATA>");
	if (!key) {
		text_format(out, "<XrML xmlns=\"\" version=\"1.2\">%.*s</BODY></XrML>", SLICE_ARG(text_slice(&b)));
		text_free(&b);
		return;
	}
	finish(out, &b, key);
}

void xrml_make_ul(struct text *out, const struct xrml_party *tenant, const struct xrml_party *account,
                  struct slice content_guid, const char *rights, struct slice seed, const struct crypto_key *key,
                  const struct xrml_times *t)
{
	struct text b = {0};
	char guid[XRML_GUID_LEN + 1];
	xrml_guid(guid, "ul", seed);
	add_body_start(&b, "LICENSE", t, false);
	add_descriptor(&b, "Content-License", guid);
	add_issuer(&b, tenant);
	add_principal(&b, account, "ul-key", seed, SEALED_CONTENT_KEY, "");
	text_format(
	        &b,
	        "<WORK><OBJECT><ID type=\"MS-GUID\">%.*s</ID></OBJECT><RIGHTSGROUP name=\"Main-Rights\"><RIGHTSLIST>",
	        SLICE_ARG(content_guid));
	for (struct slice rest = slice_str(rights); rest.len; rest = slice_trim(rest)) {
		size_t n = slice_find(rest, ' ');
		text_format(&b, "<RIGHT name=\"%.*s\"><CONDITIONLIST><ACCESS><PRINCIPAL internal-id=\"1\"/></ACCESS>",
		            (int)n, rest.at);
		add_range(&b, t);
		text_add_str(&b, "</CONDITIONLIST></RIGHT>");
		rest = slice_from(rest, n);
	}
	text_add_str(&b, "</RIGHTSLIST></RIGHTSGROUP></WORK>");
	finish(out, &b, key);
}

void xrml_make_template(struct text *out, const struct xrml_party *tenant, struct slice guid, const char *name,
                        const struct crypto_key *key, const struct xrml_times *t)
{
	static const char *const rights[] = {"VIEW",    "EDIT",  "DOCEDIT",  "PRINT",
	                                     "EXTRACT", "REPLY", "REPLYALL", "FORWARD"};
	struct text b = {0};
	add_body_start(&b, "Microsoft Official Rights Template", t, false);
	text_format(&b,
	            "<DESCRIPTOR><OBJECT><ID type=\"MS-GUID\">%.*s</ID><NAME>LCID 1033:NAME %s:DESCRIPTION Made by the "
	            "cloud stand-in for tests;</NAME></OBJECT></DESCRIPTOR>",
	            SLICE_ARG(guid), name);
	add_issuer(&b, tenant);
	add_point(&b, "Publishing-URL", POINT_TEMPLATE, "Publishing Point", tenant->address, "/licensing");
	text_format(
	        &b,
	        "<WORK><OBJECT><ID type=\"MS-GUID\">%.*s</ID></OBJECT><RIGHTSGROUP name=\"Main-Rights\"><RIGHTSLIST>",
	        SLICE_ARG(guid));
	for (size_t i = 0; i < ARRAY_COUNT(rights); i++)
		text_format(&b,
		            "<%s><CONDITIONLIST><ACCESS><PRINCIPAL><OBJECT><ID "
		            "type=\"Windows\"/><NAME>staff@contoso.example"
		            "</NAME></OBJECT></PRINCIPAL></ACCESS></CONDITIONLIST></%s>",
		            rights[i], rights[i]);
	text_add_str(&b, "</RIGHTSLIST></RIGHTSGROUP></WORK>");
	finish(out, &b, key);
}

void xrml_sign_issued(struct text *out, struct slice body, const struct xrml_party *issuer,
                      const struct crypto_key *key)
{
	static const char issued[] = "</ISSUEDTIME>";
	struct text b = {0};
	const char *start = memmem(body.at, body.len, "<ISSUER>", 8), *end = NULL;
	if (start)
		end = memmem(start, body.len - (size_t)(start - body.at), "</ISSUER>", 9);
	if (end) {
		end += 9;
	} else {
		start = memmem(body.at, body.len, issued, sizeof issued - 1);
		start = start ? start + sizeof issued - 1 : body.at + slice_find(body, '>') + 1;
		end = start;
	}
	size_t head = (size_t)(start - body.at);
	text_add(&b, slice_until(body, head));
	add_issuer(&b, issuer);
	text_add(&b, slice_from(body, (size_t)(end - body.at)));
	xrml_sign(out, text_slice(&b), key);
	text_free(&b);
}
