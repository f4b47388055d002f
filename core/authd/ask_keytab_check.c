/* Whether the keytab, the KDC and the directory agree, and what to do when they do not. */
#include "core/authd/ask.h"
#include "core/authd/directory_services.h"
#include "core/authd/kdc.h"

#include <stdio.h>
#include <stdlib.h>

enum { PRINCIPALS_MAX = 64, NAMES_MAX = 16, TEXT = 1024, SKEW_WARN_S = 60, ENCTYPES_AES = 8 | 16, ENCTYPE_RC4 = 23 };

struct checking {
	struct authd *authd;
	struct keytab_view *keys;
	json_t *problems;
	struct kdc *kdc; /* of realm */
	const char *realm;
	char kdc_problem[KDC_TEXT];
	char owner[SERVICE_NAME_BYTES * 2]; /* "CORP\svc-rms", of some service in the keytab */
};

static void PRINTF_LIKE(3, 4) complain(struct checking *c, const char *mend, const char *format, ...)
{
	char what[TEXT];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	json_array_append_new(c->problems, json_pack("{s:s%, s:s}", "problem", what, strlen(what), "mend", mend));
}

/* ---- the KDC ---- */

static void enter_realm(struct checking *c, const char *realm)
{
	if (c->realm && strcmp(c->realm, realm) == 0)
		return;
	kdc_close(c->kdc);
	c->realm = realm;
	c->kdc = kdc_open(c->keys, realm, NULL, c->kdc_problem);
	if (!c->kdc) {
		complain(c,
		         "see whether a controller of the realm answers (port 88), and whether the keytab is of the "
		         "account's present password",
		         "%s: %s", realm, c->kdc_problem);
		return;
	}
	int32_t ahead = kdc_ahead_s(c->kdc);
	if (abs(ahead) > SKEW_WARN_S)
		complain(c,
		         "set this machine's clock by the domain's time (chrony, timedatectl); beyond 300 s every "
		         "caller is refused",
		         "the clock of the KDC of %s is %d s %s ours", realm, abs(ahead),
		         ahead > 0 ? "ahead of" : "behind");
}

static void look_at_kdc(struct checking *c, const char *principal, json_t *row)
{
	static const char *const words[] = {"same key", "other key", "no such name", "not known"};
	struct kdc_ticket t = {.verdict = KDC_UNREACHABLE};
	char enctype[64];
	if (c->kdc)
		kdc_look(c->kdc, c->keys, principal, &t);
	json_object_set_new(row, "kdc", json_string(words[t.verdict]));
	if (t.verdict == KDC_SAME_KEY || t.verdict == KDC_OTHER_KEY) {
		json_object_set_new(row, "kdc_kvno", json_integer(t.kvno));
		json_object_set_new(row, "kdc_enctype", json_string(keytab_enctype_name(t.enctype, enctype)));
	}
	if (t.verdict == KDC_OTHER_KEY)
		complain(c,
		         "export the account's present keys and import them: rms-connectorctl auth keytab import FILE "
		         "--keep-old",
		         "the KDC makes tickets for %s with a key (kvno %u) that the keytab does not hold", principal,
		         t.kvno);
	else if (t.verdict == KDC_NO_NAME)
		complain(c, "setspn -Q tells who owns it, setspn -S gives it to the connector account",
		         "the KDC makes no tickets for %s: %s", principal, t.problem);
	else if (t.verdict == KDC_UNREACHABLE && c->kdc)
		complain(c, "see whether a controller of the realm answers (port 88)", "%s: %s", principal, t.problem);
	if (t.verdict == KDC_SAME_KEY && t.enctype == ENCTYPE_RC4)
		complain(c, "set msDS-SupportedEncryptionTypes of the account to 24, change its password, export again",
		         "the KDC makes tickets for %s with RC4, which many systems refuse", principal);
}

/* ---- the directory ---- */

static struct directory_realm *directory_of(struct checking *c, const char *realm)
{
	struct directory *d = c->authd->directory;
	for (size_t i = 0; d && i < directory_realm_count(d); i++)
		if (strcasecmp(directory_realm_name(directory_realm_at(d, i)), realm) == 0)
			return directory_realm_at(d, i);
	return NULL;
}

static void name_owner(const struct service_owner *o, char out[static SERVICE_NAME_BYTES * 2])
{
	if (*o->account)
		snprintf(out, SERVICE_NAME_BYTES * 2, "%s\\%s", o->domain, o->account);
	else
		snprintf(out, SERVICE_NAME_BYTES * 2, "%s", o->dn);
}

static void judge_owner(struct checking *c, const struct service_owner *o, const char *name, const char *service)
{
	if (o->kind == SERVICE_COMPUTER)
		complain(c, "let an ordinary account, the same for all nodes, own it: setspn -D, then setspn -S",
		         "%s, which owns %s, is a computer account: its machine changes its password itself", name,
		         service);
	if (o->disabled)
		complain(c, "enable it", "%s, which owns %s, is disabled", name, service);
	if (o->enctypes >= 0 ? !(o->enctypes & ENCTYPES_AES) : o->kind == SERVICE_USER)
		complain(c,
		         "Set-ADUser -KerberosEncryptionType AES128,AES256 (msDS-SupportedEncryptionTypes 24), then "
		         "change its password and export again",
		         "%s, which owns %s, is not marked as able to use AES, so its tickets may be RC4 alone", name,
		         service);
}

/* false: nobody owns it, or that is not known. */
static bool look_at_directory(struct checking *c, const char *service, const char *realm, json_t *row, bool *known)
{
	struct service_owners owners;
	struct directory_problem why;
	struct directory_realm *r = directory_of(c, realm);
	*known = r && directory_service_owners(r, service, &owners, &why) == DIRECTORY_OK;
	if (!*known) {
		if (r)
			complain(c, why.mend, "%s", why.what);
		return false;
	}
	json_t *names = json_array();
	char all[TEXT] = "", name[SERVICE_NAME_BYTES * 2];
	for (size_t i = 0; i < owners.count; i++) {
		name_owner(&owners.at[i], name);
		json_array_append_new(names, json_string(name));
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "", name);
	}
	json_object_set_new(row, "owners", names);
	if (owners.count > 1)
		complain(c,
		         "the KDC gives nobody a ticket for a name with two owners: setspn -D takes it from the wrong "
		         "one",
		         "%s is registered %zu times: %s", service, owners.count, all);
	for (size_t i = 0; i < owners.count; i++) {
		name_owner(&owners.at[i], name);
		judge_owner(c, &owners.at[i], name, service);
	}
	if (owners.count == 1)
		memcpy(c->owner, name, sizeof(name));
	return owners.count > 0;
}

/* ---- rows ---- */

static bool seen(const struct keytab_view *v, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(v->keys[i].principal, v->keys[at].principal) == 0)
			return true;
	return false;
}

static json_t *versions_of(const struct keytab_view *v, const char *principal)
{
	json_t *rows = json_array();
	char enctype[64];
	for (size_t i = 0; i < v->count; i++)
		if (strcmp(v->keys[i].principal, principal) == 0)
			json_array_append_new(rows,
			                      json_pack("{s:I, s:s}", "kvno", (json_int_t)v->keys[i].kvno, "enctype",
			                                keytab_enctype_name(v->keys[i].enctype, enctype)));
	return rows;
}

static void add_principal(struct checking *c, const char *principal, json_t *rows)
{
	const char *at = strrchr(principal, '@');
	char service[256];
	bool known;
	json_t *row = json_pack("{s:s, s:o}", "principal", principal, "keys", versions_of(c->keys, principal));
	snprintf(service, sizeof(service), "%.*s", at ? (int)(at - principal) : 0, principal);
	if (at && strchr(service, '/')) {
		enter_realm(c, at + 1);
		look_at_kdc(c, principal, row);
		look_at_directory(c, service, at + 1, row, &known);
	}
	json_array_append_new(rows, row);
}

/* ---- names in callers' URLs ---- */

/* The lines that cure it, for each tool that administrators have. */
static void cure(struct checking *c, const char *service, bool registered)
{
	const char *realm = c->realm ? c->realm : "REALM", *owner = *c->owner ? c->owner : "CORP\\ACCOUNT";
	const char *account = strchr(owner, '\\') ? strchr(owner, '\\') + 1 : owner;
	char name[4 * TEXT], key[4 * TEXT], mend[9 * TEXT];
	snprintf(name, sizeof(name), "setspn -S %s %s (or samba-tool spn add %s %s, or adutil spn add -n %s -s %s); ",
	         service, account, service, account, account, service);
	snprintf(key, sizeof(key),
	         "ktpass -princ %s@%s -mapuser %s -crypto AES256-SHA1 -ptype KRB5_NT_PRINCIPAL -pass * -out FILE (this "
	         "sets the password; or "
	         "samba-tool domain exportkeytab FILE --principal=%s, or adutil keytab create -k FILE -p %s); "
	         "rms-connectorctl auth keytab import FILE --keep-old",
	         service, realm, owner, service, service);
	snprintf(mend, sizeof(mend), "%s%s", registered ? "" : name, key);
	complain(c, mend,
	         registered ? "%s is registered, but the keytab holds no key of it"
	                    : "%s is neither registered nor in the keytab",
	         service);
}

static bool in_keytab(const struct keytab_view *v, const char *service)
{
	size_t n = strlen(service);
	for (size_t i = 0; i < v->count; i++)
		if (strncasecmp(v->keys[i].principal, service, n) == 0 && v->keys[i].principal[n] == '@')
			return true;
	return false;
}

static void check_names(struct checking *c, const json_t *names)
{
	const json_t *value;
	size_t i;
	json_array_foreach(names, i, value)
	{
		char service[256];
		bool known = false;
		const char *name = json_string_value(value);
		if (!name || i >= NAMES_MAX || strlen(name) > 200)
			continue;
		snprintf(service, sizeof(service), "%s%s", strncasecmp(name, "HTTP/", 5) ? "HTTP/" : "", name);
		if (in_keytab(c->keys, service))
			continue;
		json_t *row = json_object();
		bool registered = c->realm && look_at_directory(c, service, c->realm, row, &known);
		json_decref(row);
		cure(c, service, registered);
	}
}

json_t *ask_keytab_check(struct authd *a, const json_t *question)
{
	char problem[KEYTAB_PROBLEM_BYTES];
	struct checking c = {.authd = a, .problems = json_array()};
	json_t *rows = json_array();
	size_t count = 0;
	bool http = false;
	c.keys = keytab_load(a->keytab.path, problem);
	if (!c.keys)
		complain(&c, "put a keytab with the keys of HTTP/NAME there; it is read within a second", "%s",
		         problem);
	for (size_t i = 0; c.keys && i < c.keys->count && count < PRINCIPALS_MAX; i++) {
		if (seen(c.keys, i))
			continue;
		count++;
		http |= strncasecmp(c.keys->keys[i].principal, "HTTP/", 5) == 0;
		add_principal(&c, c.keys->keys[i].principal, rows);
	}
	if (c.keys && !http)
		complain(&c,
		         "export the key for the service name: ktpass -princ HTTP/NAME@REALM, or samba-tool domain "
		         "exportkeytab --principal=HTTP/NAME",
		         "no key is for HTTP/NAME, which callers' tickets are for");
	if (c.keys)
		check_names(&c, json_object_get(question, "names"));
	json_t *answer = json_pack("{s:b, s:s, s:o, s:o, s:o}", "ok", 1, "path", a->keytab.path, "skew_s",
	                           c.kdc ? json_integer(kdc_ahead_s(c.kdc)) : json_null(), "principals", rows,
	                           "problems", c.problems);
	kdc_close(c.kdc);
	keytab_view_unref(c.keys);
	return answer;
}
