#include "core/authd/own_login.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { VERSIONS_MAX = 8, TRIES_MAX = 4, SEEN_MAX = 256 };

static _Atomic unsigned last_name;

struct versions {
	struct own_key at[VERSIONS_MAX];
	size_t count;
};

/* Newest first, before all the one that worked. */
static bool before(struct own_key a, struct own_key b, const struct own_key *worked)
{
	bool a_worked = worked && worked->kvno && a.kvno == worked->kvno && a.nth == worked->nth;
	bool b_worked = worked && worked->kvno && b.kvno == worked->kvno && b.nth == worked->nth;
	if (a_worked != b_worked)
		return a_worked;
	return a.kvno != b.kvno ? a.kvno > b.kvno : a.nth < b.nth;
}

static void insert(struct versions *v, struct own_key k, const struct own_key *worked)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->at[i].kvno == k.kvno && v->at[i].nth == k.nth)
			return;
	if (v->count == VERSIONS_MAX) {
		if (before(v->at[v->count - 1], k, worked))
			return;
		v->count--;
	}
	size_t at = v->count++;
	for (; at && before(k, v->at[at - 1], worked); at--)
		v->at[at] = v->at[at - 1];
	v->at[at] = k;
}

/* Walks the keys of one account; with into, copies those of one version there. */
static krb5_error_code walk(krb5_context krb, krb5_keytab keytab, krb5_principal who, struct versions *found,
                            const struct own_key *worked, krb5_keytab into, struct own_key wanted)
{
	struct {
		uint32_t kvno;
		int32_t enctype;
	} seen[SEEN_MAX];
	size_t count = 0;
	krb5_kt_cursor cursor;
	krb5_keytab_entry e;
	krb5_error_code code = krb5_kt_start_seq_get(krb, keytab, &cursor), added = 0;
	if (code)
		return code;
	while (!added && count < SEEN_MAX && krb5_kt_next_entry(krb, keytab, &e, &cursor) == 0) {
		if (krb5_principal_compare(krb, e.principal, who)) {
			struct own_key k = {.kvno = e.vno};
			for (size_t i = 0; i < count; i++)
				k.nth += seen[i].kvno == e.vno && seen[i].enctype == e.key.enctype;
			seen[count].kvno = e.vno;
			seen[count++].enctype = e.key.enctype;
			if (found)
				insert(found, k, worked);
			if (into && k.kvno == wanted.kvno && k.nth == wanted.nth)
				added = krb5_kt_add_entry(krb, into, &e);
		}
		krb5_free_keytab_entry_contents(krb, &e);
	}
	krb5_kt_end_seq_get(krb, keytab, &cursor);
	return added;
}

static krb5_error_code attempt(krb5_context krb, krb5_keytab keytab, krb5_principal who, const char *service,
                               struct own_key k, krb5_creds *out)
{
	char name[64];
	krb5_keytab one;
	snprintf(name, sizeof(name), "MEMORY:own-login-%u", ++last_name);
	krb5_error_code code = krb5_kt_resolve(krb, name, &one);
	if (code)
		return code;
	code = walk(krb, keytab, who, NULL, NULL, one, k);
	if (!code)
		code = krb5_get_init_creds_keytab(krb, out, who, one, 0, service, NULL);
	krb5_kt_close(krb, one);
	return code;
}

static bool is_wrong_key(krb5_error_code code)
{
	return code == KRB5KDC_ERR_PREAUTH_FAILED || code == KRB5_PREAUTH_FAILED ||
	       code == KRB5KRB_AP_ERR_BAD_INTEGRITY || code == KRB5_KT_NOTFOUND || code == KRB5KDC_ERR_ETYPE_NOSUPP;
}

krb5_error_code own_login(krb5_context krb, krb5_keytab keytab, krb5_principal who, const char *service,
                          struct own_key *worked, krb5_creds *out)
{
	struct versions found = {.count = 0};
	krb5_error_code first = walk(krb, keytab, who, &found, worked, NULL, (struct own_key){0});
	if (!first && !found.count)
		first = KRB5_KT_NOTFOUND;
	for (size_t i = 0; i < found.count && i < TRIES_MAX; i++) {
		krb5_error_code code = attempt(krb, keytab, who, service, found.at[i], out);
		if (!code && worked)
			*worked = found.at[i];
		if (!code)
			return 0;
		first = first ? first : code;
		if (!is_wrong_key(code))
			return code;
	}
	return first;
}
