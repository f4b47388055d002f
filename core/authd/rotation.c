#include "core/authd/rotation.h"

#include "core/base/check.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { PASSWORD_LETTERS = 64, STATE_VERSION = 1 };

/* ---- the file between the steps ---- */

void rotation_path(const char *keytab, char out[static 4200])
{
	snprintf(out, 4200, "%s.rotation", keytab);
}

static bool take_text(const json_t *from, const char *key, char *out, size_t room)
{
	const char *text = json_string_value(json_object_get(from, key));
	return text && snprintf(out, room, "%s", text) < (int)room && *text;
}

bool rotation_read(const char *keytab, struct rotation *out, char problem[static KEYTAB_PROBLEM_BYTES])
{
	char path[4200];
	json_error_t error;
	*problem = 0;
	*out = (struct rotation){.kvno = 0};
	rotation_path(keytab, path);
	if (access(path, F_OK) && errno == ENOENT)
		return false;
	json_t *state = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	json_int_t kvno = json_integer_value(json_object_get(state, "kvno"));
	bool fine = json_integer_value(json_object_get(state, "version")) == STATE_VERSION && kvno > 0 &&
	            kvno <= UINT32_MAX && take_text(state, "account", out->account, sizeof(out->account)) &&
	            take_text(state, "service", out->service, sizeof(out->service)) &&
	            take_text(state, "fingerprint", out->fingerprint, sizeof(out->fingerprint)) &&
	            take_text(state, "password", out->password, sizeof(out->password));
	out->kvno = (uint32_t)kvno;
	out->verified = json_is_true(json_object_get(state, "verified"));
	json_decref(state);
	if (!fine)
		snprintf(problem, KEYTAB_PROBLEM_BYTES,
		         "%.200s cannot be read, or is not what a prepared change leaves", path);
	return fine;
}

bool rotation_write(const char *keytab, const struct rotation *r, char problem[static KEYTAB_PROBLEM_BYTES])
{
	char path[4200];
	rotation_path(keytab, path);
	json_t *state = json_pack("{s:i, s:s, s:s, s:I, s:s, s:s, s:b}", "version", STATE_VERSION, "account",
	                          r->account, "service", r->service, "kvno", (json_int_t)r->kvno, "fingerprint",
	                          r->fingerprint, "password", r->password, "verified", (int)r->verified);
	char *text = state ? json_dumps(state, JSON_INDENT(1)) : NULL;
	bool fine = text && keytab_file_write_bytes(path, slice_str(text), problem);
	if (!text)
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "there is not enough memory");
	else
		explicit_bzero(text, strlen(text));
	free(text);
	json_decref(state);
	return fine;
}

void rotation_remove(const char *keytab)
{
	char path[4200];
	rotation_path(keytab, path);
	unlink(path);
}

/* ---- whose keys ---- */

const struct keytab_key *rotation_newest(const struct keytab_view *v, const char *principal)
{
	const struct keytab_key *best = NULL;
	for (size_t i = 0; i < v->count; i++) {
		const struct keytab_key *k = &v->keys[i];
		if (strcmp(k->principal, principal) == 0 &&
		    (!best || k->kvno > best->kvno ||
		     (k->kvno == best->kvno && k->enctype == 18 && best->enctype != 18)))
			best = k;
	}
	return best;
}

void rotation_names_of(const struct keytab_view *v, const char *service, struct rotation_names *out)
{
	const struct keytab_key *ours = rotation_newest(v, service);
	*out = (struct rotation_names){.count = 0};
	for (size_t i = 0; ours && i < v->count && out->count < ROTATION_NAMES_MAX; i++) {
		const struct keytab_key *k = &v->keys[i];
		bool known = k->kvno != ours->kvno || !keytab_key_same_secret(k, ours) || strcmp(k->realm, ours->realm);
		for (size_t n = 0; n < out->count; n++)
			known |= strcmp(out->at[n], k->principal) == 0;
		if (!known)
			out->at[out->count++] = k->principal;
	}
}

static bool is_wanted(const char *principal, const char *wanted)
{
	size_t n = wanted ? strlen(wanted) : 0;
	return !wanted || (strncasecmp(principal, wanted, n) == 0 && (principal[n] == 0 || principal[n] == '@'));
}

const char *rotation_service(const struct keytab_view *v, const char *wanted, char problem[static KEYTAB_PROBLEM_BYTES])
{
	const char *found = NULL;
	struct rotation_names names;
	*problem = 0;
	for (size_t i = 0; i < v->count; i++) {
		const char *principal = v->keys[i].principal;
		bool ours = strncasecmp(principal, "HTTP/", 5) == 0 && is_wanted(principal, wanted);
		for (size_t n = 0; ours && found && n < names.count; n++)
			ours = strcmp(names.at[n], principal) != 0;
		if (ours && found) {
			snprintf(problem, KEYTAB_PROBLEM_BYTES,
			         "the keytab holds services of several accounts, %.100s and %.100s: say with "
			         "--service which is meant",
			         found, principal);
			return NULL;
		}
		if (ours) {
			found = principal;
			rotation_names_of(v, found, &names);
		}
	}
	if (!found)
		snprintf(problem, KEYTAB_PROBLEM_BYTES, "the keytab holds no key of %.200s",
		         wanted ? wanted : "HTTP/NAME, for any name");
	return found;
}

/* ---- a new password ---- */

bool rotation_password(char out[static KDC_PASSWORD_BYTES])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"; /* 64 */
	for (;;) {
		uint8_t random[PASSWORD_LETTERS];
		unsigned seen = 0;
		if (getrandom(random, sizeof(random), 0) != sizeof(random))
			return false;
		for (size_t i = 0; i < sizeof(random); i++) {
			out[i] = letters[random[i] & 63];
			seen |= islower((unsigned char)out[i])   ? 1u
			        : isupper((unsigned char)out[i]) ? 2u
			        : isdigit((unsigned char)out[i]) ? 4u
			                                         : 8u;
		}
		out[PASSWORD_LETTERS] = 0;
		explicit_bzero(random, sizeof(random));
		if (seen == 15)
			return true;
	}
}
