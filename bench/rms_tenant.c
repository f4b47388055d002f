#include "bench/rms_tenant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEMPLATES_MAX = 200 }; /* callers refuse more */

/* ---- keys ---- */

static struct err key_get(const char *file, const char *suffix, struct crypto_key **out)
{
	char path[512];
	if (!file)
		return crypto_key_make(out);
	snprintf(path, sizeof path, "%s%s", file, suffix);
	if (access(path, F_OK) == 0)
		return crypto_key_load(path, out);
	struct crypto_key *made;
	TRY(crypto_key_make(&made));
	struct err e = crypto_key_save(made, path);
	if (e.code) {
		crypto_key_free(made);
		/* Another simulator was started with the same name at the same time and was faster. */
		return e.sys == EEXIST ? crypto_key_load(path, out) : e;
	}
	*out = made;
	return OK;
}

/* ---- chain ---- */

static void add_certificate(struct text *chain, const struct text *xrml)
{
	text_add_str(chain, "<Certificate>");
	text_add(chain, text_slice(xrml));
	text_add_str(chain, "</Certificate>");
}

void rms_chain_make(struct text *chain, struct text *slc_text, const struct xrml_party *tenant,
                    const struct crypto_key *authority)
{
	static const char *const names[] = {"Stand-in Enrollment Service", "Stand-in Enrollment CA",
	                                    "Stand-in Root CA"};
	static const char *const kinds[] = {"Enrollment-Service", "Certificate-Authority", "Certificate-Authority"};
	static const struct xrml_times times = {"2024-01-01T00:00", "2024-01-01T00:00", "2044-01-01T00:00"};
	char guids[3][XRML_GUID_LEN + 1], modulus[XRML_MODULUS_LEN + 1];
	struct xrml_party links[3];
	struct text one = {0};
	xrml_modulus(authority, modulus);
	for (size_t i = 0; i < ARRAY_COUNT(links); i++) {
		xrml_guid(guids[i], "hierarchy", slice_str(names[i]));
		links[i] = (struct xrml_party){.type = SLICE("MS-DRM-Server"),
		                               .id_type = SLICE("MS-GUID"),
		                               .id = slice_str(guids[i]),
		                               .name = slice_str(names[i]),
		                               .modulus = slice_str(modulus)};
	}
	xrml_make_link(slc_text, "Server-Licensor-Certificate", &links[0], tenant, authority, &times, true);
	add_certificate(chain, slc_text);
	for (size_t i = 0; i < ARRAY_COUNT(links); i++) {
		text_clear(&one);
		xrml_make_link(&one, kinds[i], &links[i + 1 < ARRAY_COUNT(links) ? i + 1 : i], &links[i], authority,
		               &times, true);
		add_certificate(chain, &one);
	}
	text_free(&one);
}

/* ---- templates ---- */

void rms_tenant_template_guid(const char *url, unsigned n, char out[static XRML_GUID_LEN + 1])
{
	char label[32];
	snprintf(label, sizeof label, "template-%u", n);
	xrml_guid(out, label, slice_str(url));
}

static void make_template(struct rms_tenant *t, const char *url, unsigned n)
{
	struct rms_template *template = &t->templates[n];
	struct text plain = {0};
	char name[64];
	uint8_t digest[CRYPTO_SHA256_BYTES];
	rms_tenant_template_guid(url, n, template->guid);
	snprintf(name, sizeof name, "Contoso - Confidential %u", n);
	xrml_make_template(&plain, &t->party, slice_str(template->guid), name, t->slc, &t->times);
	crypto_sha256(text_slice(&plain), digest);
	crypto_base64_encode(digest, sizeof digest, template->hash);
	text_add_escaped(&template->escaped, text_slice(&plain));
	text_free(&plain);
}

const struct rms_template *rms_tenant_template(const struct rms_tenant *t, struct slice guid)
{
	for (size_t i = 0; i < t->template_count; i++) {
		if (slice_equal_nocase(guid, slice_str(t->templates[i].guid)))
			return &t->templates[i];
	}
	return NULL;
}

/* ---- tenant ---- */

struct err rms_tenant_new(const struct rms_tenant_options *o, struct rms_tenant **out)
{
	struct slice url = slice_str(o->url);
	size_t host = slice_starts_with(url, SLICE("https://")) ? 8 : slice_starts_with(url, SLICE("http://")) ? 7 : 0;
	size_t end = host + slice_find(slice_from(url, host), '/');
	if (!host || end == host || end > 256 || strpbrk(o->url, "<>&\"' \t\r\n?#,"))
		return ERR_OF(SETTINGS, .what = "the tenant URL is not https://HOST[:PORT]");
	if (o->templates > TEMPLATES_MAX)
		return ERR_OF(SETTINGS, .what = "a tenant has at most 200 templates; callers refuse more");
	struct rms_tenant *t = calloc(1, sizeof *t);
	CHECK(t);
	struct err e = key_get(o->key_file, "", &t->slc);
	if (!e.code)
		e = key_get(o->key_file, ".authority", &t->authority);
	if (e.code) {
		rms_tenant_free(t);
		return e;
	}
	snprintf(t->base, sizeof t->base, "%.*s/_wmcs", (int)end, o->url);
	xrml_guid(t->guid, "tenant", slice_str(t->base));
	xrml_modulus(t->slc, t->modulus);
	t->party = (struct xrml_party){.type = SLICE("MS-DRM-Server"),
	                               .id_type = SLICE("MS-GUID"),
	                               .id = slice_str(t->guid),
	                               .name = SLICE("Contoso-Tenant"),
	                               .address = slice_str(t->base),
	                               .modulus = slice_str(t->modulus)};
	xrml_times_make(&t->times, clock_wall(), 365);
	rms_chain_make(&t->chain, &t->slc_text, &t->party, t->authority);
	t->template_count = o->templates;
	t->templates = calloc(o->templates + 1u, sizeof *t->templates);
	CHECK(t->templates);
	for (unsigned i = 0; i < o->templates; i++)
		make_template(t, o->url, i);
	*out = t;
	return OK;
}

void rms_tenant_free(struct rms_tenant *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->template_count; i++)
		text_free(&t->templates[i].escaped);
	free(t->templates);
	text_free(&t->chain);
	text_free(&t->slc_text);
	crypto_key_free(t->slc);
	crypto_key_free(t->authority);
	free(t);
}
