#include "core/authd/kdc.h"

#include "core/authd/own_login.h"
#include "core/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 16, USAGE_TICKET = 2 };

struct kdc {
	krb5_context krb;
	krb5_ccache cache; /* of this look only */
	krb5_principal who;
	char *name;
	struct own_key worked;
};

static _Atomic unsigned last_cache;

static void explain(krb5_context krb, krb5_error_code code, const char *doing, char problem[static KDC_TEXT])
{
	const char *said = krb5_get_error_message(krb, code);
	snprintf(problem, KDC_TEXT, "%s: %s", doing, said);
	krb5_free_error_message(krb, said);
}

/* ---- logging in ---- */

struct names {
	const char *at[NAMES_MAX];
	size_t count;
};

/* A KDC gives tickets to accounts, and to the names of services only where an account was made so. */
static void collect(const struct keytab_view *keys, const char *realm, bool services, struct names *out)
{
	for (size_t i = 0; i < keys->count && out->count < NAMES_MAX; i++) {
		const struct keytab_key *k = &keys->keys[i];
		bool known = strcmp(k->realm, realm) != 0 || (strchr(k->principal, '/') != NULL) != services;
		for (size_t n = 0; n < out->count; n++)
			known |= strcmp(out->at[n], k->principal) == 0;
		if (!known)
			out->at[out->count++] = k->principal;
	}
}

static krb5_error_code log_in(struct kdc *k, struct keytab_view *keys, const char *name)
{
	krb5_keytab keytab;
	krb5_creds got = {0};
	char cache[64];
	krb5_error_code code = krb5_kt_resolve(k->krb, keys->name, &keytab);
	if (code)
		return code;
	krb5_free_principal(k->krb, k->who);
	k->who = NULL;
	code = krb5_parse_name(k->krb, name, &k->who);
	if (!code)
		code = own_login(k->krb, keytab, k->who, NULL, &k->worked, &got);
	krb5_kt_close(k->krb, keytab);
	if (code)
		return code;
	snprintf(cache, sizeof(cache), "MEMORY:kdc-%u", ++last_cache);
	code = krb5_cc_resolve(k->krb, cache, &k->cache);
	if (!code)
		code = krb5_cc_initialize(k->krb, k->cache, k->who);
	if (!code)
		code = krb5_cc_store_cred(k->krb, k->cache, &got);
	krb5_free_cred_contents(k->krb, &got);
	return code;
}

struct kdc *kdc_open(struct keytab_view *keys, const char *realm, const char *account, char problem[static KDC_TEXT])
{
	struct names names = {.count = 0};
	struct kdc *k = calloc(1, sizeof(*k));
	if (!k || krb5_init_context(&k->krb)) {
		snprintf(problem, KDC_TEXT, "Kerberos cannot be used here: is there a mistake in krb5.conf?");
		free(k);
		return NULL;
	}
	if (account)
		names.at[names.count++] = account;
	collect(keys, realm, false, &names);
	collect(keys, realm, true, &names);
	snprintf(problem, KDC_TEXT, "the keytab holds no key of %s", realm);
	char first[KDC_TEXT] = "";
	for (size_t i = 0; i < names.count; i++) {
		krb5_error_code code = log_in(k, keys, names.at[i]);
		if (!code && (k->name = strdup(names.at[i])))
			return k;
		char doing[200];
		snprintf(doing, sizeof(doing), "no ticket for %.150s", names.at[i]);
		explain(k->krb, code, doing, problem);
		if (!*first)
			memcpy(first, problem, sizeof(first));
	}
	if (*first)
		memcpy(problem, first, sizeof(first));
	kdc_close(k);
	return NULL;
}

void kdc_close(struct kdc *k)
{
	if (!k)
		return;
	if (k->cache)
		krb5_cc_destroy(k->krb, k->cache);
	krb5_free_principal(k->krb, k->who);
	krb5_free_context(k->krb);
	free(k->name);
	free(k);
}

const char *kdc_account(const struct kdc *k)
{
	return k->name;
}

int32_t kdc_ahead_s(const struct kdc *k)
{
	krb5_timestamp seconds = 0;
	krb5_int32 micro;
	return krb5_get_time_offsets(k->krb, &seconds, &micro) ? 0 : seconds;
}

/* ---- a ticket for a service ---- */

static bool fits(krb5_context krb, const struct keytab_key *key, const krb5_enc_data *sealed)
{
	krb5_keyblock block = {
	        .enctype = key->enctype, .length = key->secret_len, .contents = (krb5_octet *)(uintptr_t)key->secret};
	krb5_data plain = {.length = sealed->ciphertext.length, .data = malloc(sealed->ciphertext.length)};
	bool good = plain.data && key->enctype == sealed->enctype &&
	            krb5_c_decrypt(krb, &block, USAGE_TICKET, NULL, sealed, &plain) == 0;
	if (plain.data)
		explicit_bzero(plain.data, sealed->ciphertext.length);
	free(plain.data);
	return good;
}

static void judge(struct kdc *k, const struct keytab_view *keys, const char *service, const krb5_ticket *ticket,
                  struct kdc_ticket *out)
{
	out->kvno = ticket->enc_part.kvno;
	out->enctype = ticket->enc_part.enctype;
	out->verdict = KDC_OTHER_KEY;
	for (size_t i = 0; i < keys->count; i++)
		if (strcasecmp(keys->keys[i].principal, service) == 0 && keys->keys[i].kvno == out->kvno &&
		    fits(k->krb, &keys->keys[i], &ticket->enc_part))
			out->verdict = KDC_SAME_KEY;
}

static krb5_error_code ask(struct kdc *k, const char *service, krb5_creds **got, krb5_ticket **ticket)
{
	krb5_creds wanted = {.client = k->who};
	krb5_error_code code = krb5_parse_name(k->krb, service, &wanted.server);
	if (!code)
		code = krb5_get_credentials(k->krb, KRB5_GC_NO_STORE, k->cache, &wanted, got);
	if (!code)
		code = krb5_decode_ticket(&(*got)->ticket, ticket);
	krb5_free_principal(k->krb, wanted.server);
	return code;
}

void kdc_look(struct kdc *k, const struct keytab_view *keys, const char *service, struct kdc_ticket *out)
{
	krb5_creds *got = NULL;
	krb5_ticket *ticket = NULL;
	*out = (struct kdc_ticket){.verdict = KDC_UNREACHABLE};
	krb5_error_code code = ask(k, service, &got, &ticket);
	if (!code)
		judge(k, keys, service, ticket, out);
	else
		explain(k->krb, code, "no ticket", out->problem);
	if (code == KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN || code == KRB5KDC_ERR_PRINCIPAL_NOT_UNIQUE)
		out->verdict = KDC_NO_NAME;
	if (ticket)
		krb5_free_ticket(k->krb, ticket);
	if (got)
		krb5_free_creds(k->krb, got);
}

/* ---- passwords ---- */

bool kdc_salt_of(const char *account, struct kdc_salt *out, char problem[static KDC_TEXT])
{
	krb5_context krb;
	krb5_principal who = NULL;
	krb5_enctype enctype;
	krb5_data salt = {0}, parameters = {0};
	*out = (struct kdc_salt){.has_parameters = false};
	if (krb5_init_context(&krb)) {
		snprintf(problem, KDC_TEXT, "Kerberos cannot be used here: is there a mistake in krb5.conf?");
		return false;
	}
	krb5_error_code code = krb5_parse_name(krb, account, &who);
	if (!code)
		code = krb5_get_etype_info(krb, who, NULL, &enctype, &salt, &parameters);
	if (code)
		explain(krb, code, "the KDC does not tell how the account's keys are made", problem);
	bool fine = !code && salt.length < sizeof(out->salt) && salt.length;
	if (!code && !fine)
		snprintf(problem, KDC_TEXT, "the KDC's salt for %.100s has %u bytes", account, salt.length);
	if (fine) {
		memcpy(out->salt, salt.data, salt.length);
		out->has_parameters = parameters.length == sizeof(out->parameters);
		if (out->has_parameters)
			memcpy(out->parameters, parameters.data, sizeof(out->parameters));
	}
	krb5_free_data_contents(krb, &salt);
	krb5_free_data_contents(krb, &parameters);
	krb5_free_principal(krb, who);
	krb5_free_context(krb);
	return fine;
}

static krb5_error_code change(krb5_context krb, krb5_creds *creds, krb5_principal account, const char *password,
                              bool own, char problem[static KDC_TEXT])
{
	int result = 0;
	krb5_data word = {0}, text = {0};
	char *said = NULL;
	krb5_error_code code =
	        own ? krb5_change_password(krb, creds, (char *)(uintptr_t)password, &result, &word, &text)
	            : krb5_set_password(krb, creds, (char *)(uintptr_t)password, account, &result, &word, &text);
	if (code) {
		explain(krb, code, "the password could not be sent to the domain (port 464)", problem);
	} else if (result) {
		krb5_chpw_message(krb, &text, &said);
		snprintf(problem, KDC_TEXT, "the domain refuses the new password: %.*s%s%s", (int)word.length,
		         word.data ? word.data : "", said ? ": " : "", said ? said : "");
		code = KRB5_CHPW_FAIL;
	}
	krb5_free_string(krb, said);
	krb5_free_data_contents(krb, &word);
	krb5_free_data_contents(krb, &text);
	return code;
}

bool kdc_set_password(struct keytab_view *keys, const char *account, const char *password, const char *admin,
                      const char *admin_password, char problem[static KDC_TEXT])
{
	krb5_context krb;
	krb5_principal who = NULL, target = NULL;
	krb5_keytab keytab = NULL;
	krb5_creds creds = {0};
	if (krb5_init_context(&krb)) {
		snprintf(problem, KDC_TEXT, "Kerberos cannot be used here: is there a mistake in krb5.conf?");
		return false;
	}
	krb5_error_code code = krb5_parse_name(krb, account, &target);
	if (!code)
		code = krb5_parse_name(krb, admin ? admin : account, &who);
	if (!code)
		code = krb5_kt_resolve(krb, keys->name, &keytab);
	if (!code)
		code = admin ? krb5_get_init_creds_password(krb, &creds, who, admin_password, NULL, NULL, 0,
		                                            "kadmin/changepw", NULL)
		             : own_login(krb, keytab, who, "kadmin/changepw", NULL, &creds);
	if (code) {
		char doing[200];
		snprintf(doing, sizeof(doing), "no ticket for %.120s to change a password with",
		         admin ? admin : account);
		explain(krb, code, doing, problem);
	} else {
		code = change(krb, &creds, target, password, !admin, problem);
	}
	krb5_free_cred_contents(krb, &creds);
	if (keytab)
		krb5_kt_close(krb, keytab);
	krb5_free_principal(krb, who);
	krb5_free_principal(krb, target);
	krb5_free_context(krb);
	return code == 0;
}
