#include "bench/load_gss.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct load_gss {
	gss_cred_id_t credential;
	gss_name_t service; /* of the last token: a caller asks for few, and importing a name costs */
	char spn[300];
};

struct load_gss_context {
	gss_ctx_id_t gss;
	struct load_gss *of;
	uint8_t end_point[64];
	size_t end_point_len;
};

/* GSSAPI's structs know no const; nothing writes through them. */
static char kerberos_bytes[] = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02", spnego_bytes[] = "\x2b\x06\x01\x05\x05\x02",
            principal_bytes[] = "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01";
static gss_OID_desc kerberos = {9, kerberos_bytes}, spnego = {6, spnego_bytes}, principal_name = {10, principal_bytes};

/* ---- words ---- */

static size_t add_status(char *words, size_t used, OM_uint32 code, int type)
{
	OM_uint32 minor, more = 0;
	do {
		gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
		if (gss_display_status(&minor, code, type, &kerberos, &more, &text) != GSS_S_COMPLETE)
			break;
		used += (size_t)snprintf(words + used, LOAD_GSS_WORDS - used, "%s%.*s", used ? ": " : "",
		                         (int)text.length, (const char *)text.value);
		gss_release_buffer(&minor, &text);
		if (used >= LOAD_GSS_WORDS)
			return LOAD_GSS_WORDS - 1;
	} while (more);
	return used;
}

/* "Unspecified GSS failure" says nothing: then only what the mechanism has to say. */
static bool fail(char *words, OM_uint32 major, OM_uint32 minor)
{
	words[0] = 0;
	size_t used = minor ? add_status(words, 0, minor, GSS_C_MECH_CODE) : 0;
	if (!used || GSS_ROUTINE_ERROR(major) != GSS_S_FAILURE)
		add_status(words, used, major, GSS_C_GSS_CODE);
	return false;
}

static bool say(char *words, const char *text)
{
	snprintf(words, LOAD_GSS_WORDS, "%s", text);
	return false;
}

/* ---- no OpenSSL beside BoringSSL ---- */

static int look_at_object(struct dl_phdr_info *info, size_t size, void *found)
{
	const char *base = strrchr(info->dlpi_name, '/');
	base = base ? base + 1 : info->dlpi_name;
	if (strncmp(base, "libcrypto.so.", 13) != 0 && strncmp(base, "libssl.so.", 10) != 0)
		return 0;
	if (strcmp(base, "libcrypto.so.0") == 0 || strcmp(base, "libssl.so.0") == 0) /* Debian's BoringSSL */
		return 0;
	*(const char **)found = info->dlpi_name;
	return 1;
}

const char *load_gss_openssl(void)
{
	const char *found = NULL;
	dl_iterate_phdr(look_at_object, &found);
	return found;
}

/* ---- credentials ---- */

static bool acquire(const char *cache, gss_cred_id_t *out, char *words)
{
	/* no keytab: asking for a first ticket would load a plug-in that brings OpenSSL */
	gss_key_value_element_desc elements[] = {{"client_keytab", "FILE:/dev/null"}, {"ccache", cache}};
	gss_key_value_set_desc store = {cache ? 2 : 1, elements};
	gss_OID_desc both[] = {kerberos, spnego};
	gss_OID_set_desc mechs = {2, both}, only_kerberos = {1, &kerberos};
	OM_uint32 minor, major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechs, GSS_C_INITIATE,
	                                               &store, out, NULL, NULL);
	if (GSS_ERROR(major))
		return fail(words, major, minor);
	major = gss_set_neg_mechs(&minor, *out, &only_kerberos);
	return !GSS_ERROR(major) || fail(words, major, minor);
}

static bool copy_to_memory(gss_cred_id_t from, const char *name, char *words)
{
	gss_key_value_element_desc element = {"ccache", name};
	gss_key_value_set_desc store = {1, &element};
	OM_uint32 minor, major = gss_store_cred_into(&minor, from, GSS_C_INITIATE, &kerberos, 1, 1, &store, NULL, NULL);
	return !GSS_ERROR(major) || fail(words, major, minor);
}

bool load_gss_open(const char *cache, struct load_gss **out, char words[static LOAD_GSS_WORDS])
{
	static unsigned number;
	/* Mechanisms that others have installed here (gss-ntlmssp) bring OpenSSL; must be said before the first call. */
	setenv("GSS_MECH_CONFIG", "/dev/null", 1);
	struct load_gss *g = calloc(1, sizeof(*g));
	if (!g)
		return say(words, "no memory");
	gss_cred_id_t found = GSS_C_NO_CREDENTIAL;
	char name[64];
	snprintf(name, sizeof(name), "MEMORY:rms-load-%d-%u", (int)getpid(), number++);
	bool fine = acquire(cache, &found, words) && copy_to_memory(found, name, words) &&
	            acquire(name, &g->credential, words);
	OM_uint32 minor;
	gss_release_cred(&minor, &found);
	if (!fine) {
		load_gss_free(g);
		return false;
	}
	*out = g;
	return true;
}

void load_gss_free(struct load_gss *g)
{
	if (!g)
		return;
	OM_uint32 minor;
	gss_release_cred(&minor, &g->credential);
	gss_release_name(&minor, &g->service);
	free(g);
}

/* ---- tokens ---- */

/* A principal name, not a host-based one: what the administrator wrote is asked for, no name server changes it. */
static bool import_service(struct load_gss *g, const char *spn, char *words)
{
	if (g->service && strcmp(g->spn, spn) == 0)
		return true;
	OM_uint32 minor;
	gss_release_name(&minor, &g->service);
	gss_buffer_desc text = {strlen(spn), (void *)(uintptr_t)spn};
	OM_uint32 major = gss_import_name(&minor, &text, &principal_name, &g->service);
	if (GSS_ERROR(major))
		return fail(words, major, minor);
	snprintf(g->spn, sizeof(g->spn), "%s", spn);
	return true;
}

/* One step of the conversation. token: what the other side said, empty at first. */
static OM_uint32 step(struct load_gss_context *c, gss_name_t service, struct slice token, gss_buffer_t out,
                      OM_uint32 *minor)
{
	static const char prefix[] = "tls-server-end-point:";
	char bound[sizeof(prefix) + sizeof(c->end_point)];
	memcpy(bound, prefix, sizeof(prefix) - 1);
	memcpy(bound + sizeof(prefix) - 1, c->end_point, c->end_point_len);
	struct gss_channel_bindings_struct bindings = {
	        .application_data = {sizeof(prefix) - 1 + c->end_point_len, bound}};
	gss_buffer_desc in = {token.len, (void *)(uintptr_t)token.at};
	return gss_init_sec_context(minor, c->of->credential, &c->gss, service, &spnego,
	                            GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG, 0,
	                            c->end_point_len ? &bindings : GSS_C_NO_CHANNEL_BINDINGS, token.len ? &in : NULL,
	                            NULL, out, NULL, NULL);
}

bool load_gss_token(struct load_gss *g, const char *spn, struct slice end_point, struct text *token,
                    struct load_gss_context **context, char words[static LOAD_GSS_WORDS])
{
	if (!import_service(g, spn, words))
		return false;
	struct load_gss_context *c = calloc(1, sizeof(*c));
	if (!c || end_point.len > sizeof(c->end_point)) {
		free(c);
		return say(words, "no memory");
	}
	c->of = g;
	memcpy(c->end_point, end_point.at ? end_point.at : "", end_point.len);
	c->end_point_len = end_point.len;
	gss_buffer_desc out = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, major = step(c, g->service, SLICE(""), &out, &minor);
	bool fine = !GSS_ERROR(major) && out.length;
	if (fine)
		text_add(token, slice_of(out.value, out.length));
	else
		fail(words, major, minor);
	gss_release_buffer(&minor, &out);
	if (!fine) {
		load_gss_forget(c);
		return false;
	}
	*context = c;
	return true;
}

bool load_gss_check(struct load_gss_context *c, struct slice answer, char words[static LOAD_GSS_WORDS])
{
	if (!answer.len)
		return say(words, "the answer holds no proof of the service (WWW-Authenticate: Negotiate and a token)");
	gss_buffer_desc out = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, major = step(c, c->of->service, answer, &out, &minor);
	OM_uint32 flags = 0, ignored;
	bool fine = major == GSS_S_COMPLETE && !out.length;
	if (GSS_ERROR(major))
		fail(words, major, minor);
	else if (!fine)
		say(words, "the service wants another leg with its answer");
	gss_release_buffer(&ignored, &out);
	if (!fine)
		return false;
	major = gss_inquire_context(&minor, c->gss, NULL, NULL, NULL, NULL, &flags, NULL, NULL);
	if (GSS_ERROR(major))
		return fail(words, major, minor);
	return flags & GSS_C_MUTUAL_FLAG ? true : say(words, "the service did not prove itself");
}

void load_gss_forget(struct load_gss_context *c)
{
	if (!c)
		return;
	OM_uint32 minor;
	gss_delete_sec_context(&minor, &c->gss, GSS_C_NO_BUFFER);
	free(c);
}
