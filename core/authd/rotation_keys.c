/* From a password to the keys that a domain controller makes of it. */
#include "core/authd/rotation.h"

#include <krb5.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static krb5_error_code derive(krb5_context krb, const char *password, const struct kdc_salt *salt, struct keytab_key *k)
{
	krb5_data text = {.length = (unsigned)strlen(password), .data = (char *)(uintptr_t)password};
	krb5_data salted = {.length = (unsigned)strlen(salt->salt), .data = (char *)(uintptr_t)salt->salt};
	krb5_data parameters = {.length = sizeof(salt->parameters), .data = (char *)(uintptr_t)salt->parameters};
	krb5_keyblock made = {0};
	bool aes = k->enctype != ENCTYPE_ARCFOUR_HMAC;
	krb5_error_code code = krb5_c_string_to_key_with_params(
	        krb, k->enctype, &text, &salted, aes && salt->has_parameters ? &parameters : NULL, &made);
	if (code)
		return code;
	k->secret_len = (uint8_t)made.length;
	memcpy(k->secret, made.contents, made.length);
	krb5_free_keyblock_contents(krb, &made);
	return 0;
}

size_t rotation_keys(const struct rotation_names *names, uint32_t kvno, const char *password,
                     const struct kdc_salt *salts, size_t salt_count, const int32_t *enctypes, size_t enctype_count,
                     struct keytab_key out[static ROTATION_KEYS_MAX], char problem[static KEYTAB_PROBLEM_BYTES])
{
	krb5_context krb;
	size_t count = 0;
	krb5_error_code code = krb5_init_context(&krb);
	if (code) {
		snprintf(problem, KEYTAB_PROBLEM_BYTES,
		         "Kerberos cannot be used here: is there a mistake in krb5.conf?");
		return 0;
	}
	for (size_t s = 0; !code && s < salt_count; s++)
		for (size_t e = 0; !code && e < enctype_count && count + names->count <= ROTATION_KEYS_MAX; e++) {
			struct keytab_key one = {.kvno = kvno, .enctype = enctypes[e], .made_s = (uint32_t)time(NULL)};
			code = derive(krb, password, &salts[s], &one);
			for (size_t n = 0; !code && n < names->count; n++) {
				out[count] = one;
				out[count++].principal = (char *)(uintptr_t)names->at[n];
			}
			explicit_bzero(&one, sizeof(one));
		}
	if (code) {
		const char *said = krb5_get_error_message(krb, code);
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "a key cannot be made: %s", said);
		krb5_free_error_message(krb, said);
	}
	krb5_free_context(krb);
	return code ? 0 : count;
}
