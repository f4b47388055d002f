#include "core/authd/directory_login.h"

#include "core/authd/own_login.h"
#include "core/base/check.h"

#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { NAMES_MAX = 16, RENEW_BEFORE_S = 300 };

struct directory_login {
	pthread_mutex_t lock;
	krb5_context krb; /* under lock */
	char *keytab, *realm;
	unsigned number; /* of the newest cache; a thread may still use the one before */
	time_t until;    /* 0: there is none */
	struct own_key worked;
};

struct directory_login *directory_login_new(const char *keytab, const char *realm)
{
	struct directory_login *l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->keytab = strdup(keytab);
	l->realm = strdup(realm);
	pthread_mutex_init(&l->lock, NULL);
	if (l->keytab && l->realm && krb5_init_context(&l->krb) == 0)
		return l;
	directory_login_free(l);
	return NULL;
}

static void name_of(const struct directory_login *l, unsigned number, char out[static DIRECTORY_CCACHE])
{
	snprintf(out, DIRECTORY_CCACHE, "MEMORY:directory-%.100s-%u", l->realm, number);
}

static void destroy(struct directory_login *l, unsigned number)
{
	char name[DIRECTORY_CCACHE];
	krb5_ccache cache;
	name_of(l, number, name);
	if (number && krb5_cc_resolve(l->krb, name, &cache) == 0)
		krb5_cc_destroy(l->krb, cache);
}

void directory_login_free(struct directory_login *l)
{
	if (l == NULL)
		return;
	if (l->krb) {
		destroy(l, l->number);
		destroy(l, l->number ? l->number - 1 : 0);
		krb5_free_context(l->krb);
	}
	pthread_mutex_destroy(&l->lock);
	free(l->keytab);
	free(l->realm);
	free(l);
}

/* A KDC gives tickets to accounts, to the names of their services only where an account was made so: accounts of the realm first, then its services,
 * then whatever else may be known there by trust. */
static int rank(const struct directory_login *l, krb5_context krb, krb5_const_principal p)
{
	const krb5_data *realm = krb5_princ_realm(krb, p);
	bool ours = slice_equal_nocase(slice_of(realm->data, realm->length), slice_str(l->realm));
	return (ours ? 0 : 2) + (krb5_princ_size(krb, p) == 1 ? 0 : 1);
}

static void insert(const struct directory_login *l, krb5_principal *names, size_t *count, krb5_principal p)
{
	bool known = *count == NAMES_MAX;
	for (size_t i = 0; i < *count; i++)
		known |= krb5_principal_compare(l->krb, names[i], p);
	if (known) {
		krb5_free_principal(l->krb, p);
		return;
	}
	size_t at = (*count)++;
	for (; at && rank(l, l->krb, names[at - 1]) > rank(l, l->krb, p); at--)
		names[at] = names[at - 1];
	names[at] = p;
}

static size_t names_in(const struct directory_login *l, krb5_keytab keytab, krb5_principal *names)
{
	krb5_kt_cursor cursor;
	krb5_keytab_entry entry;
	size_t count = 0;
	if (krb5_kt_start_seq_get(l->krb, keytab, &cursor))
		return 0;
	while (krb5_kt_next_entry(l->krb, keytab, &entry, &cursor) == 0) {
		krb5_principal copy;
		if (krb5_copy_principal(l->krb, entry.principal, &copy) == 0)
			insert(l, names, &count, copy);
		krb5_free_keytab_entry_contents(l->krb, &entry);
	}
	krb5_kt_end_seq_get(l->krb, keytab, &cursor);
	return count;
}

static krb5_error_code store(struct directory_login *l, krb5_principal who, krb5_creds *got)
{
	char name[DIRECTORY_CCACHE];
	krb5_ccache cache;
	name_of(l, l->number + 1, name);
	krb5_error_code r = krb5_cc_resolve(l->krb, name, &cache);
	if (r)
		return r;
	r = krb5_cc_initialize(l->krb, cache, who);
	if (r == 0)
		r = krb5_cc_store_cred(l->krb, cache, got);
	krb5_cc_close(l->krb, cache);
	if (r == 0) {
		destroy(l, l->number ? l->number - 1 : 0);
		l->number++;
		l->until = got->times.endtime;
	}
	return r;
}

static krb5_error_code ask(struct directory_login *l, krb5_keytab keytab, krb5_principal who)
{
	krb5_creds got = {0};
	krb5_error_code r = own_login(l->krb, keytab, who, NULL, &l->worked, &got);
	if (r == 0) {
		r = store(l, who, &got);
		krb5_free_cred_contents(l->krb, &got);
	}
	return r;
}

static bool log_in(struct directory_login *l, struct directory_problem *why)
{
	krb5_keytab keytab = NULL;
	krb5_principal names[NAMES_MAX];
	krb5_error_code r = krb5_kt_resolve(l->krb, l->keytab, &keytab), first = r;
	size_t count = r ? 0 : names_in(l, keytab, names);
	char *tried = NULL;
	for (size_t i = 0; i < count; i++) {
		r = ask(l, keytab, names[i]);
		if (i == 0) {
			first = r;
			krb5_unparse_name(l->krb, names[0], &tried);
		}
		if (r == 0)
			break;
	}
	if (count == 0)
		snprintf(why->what, sizeof(why->what), "%s: no key in it with which authd could log in to %s",
		         l->keytab, l->realm);
	else if (r) {
		const char *text = krb5_get_error_message(l->krb, first);
		snprintf(why->what, sizeof(why->what), "no ticket for %s: %s", tried ? tried : l->realm, text);
		krb5_free_error_message(l->krb, text);
	}
	why->mend = count == 0 ? "export a keytab that holds the connector account itself, not only its service name"
	                       : "see whether a controller of the realm answers (port 88), and whether the keytab is "
	                         "of the account's present password";
	for (size_t i = 0; i < count; i++)
		krb5_free_principal(l->krb, names[i]);
	krb5_free_unparsed_name(l->krb, tried);
	if (keytab)
		krb5_kt_close(l->krb, keytab);
	return count && r == 0;
}

bool directory_login_get(struct directory_login *l, char ccache[static DIRECTORY_CCACHE], struct directory_problem *why)
{
	pthread_mutex_lock(&l->lock);
	bool good = l->until > time(NULL) + RENEW_BEFORE_S || log_in(l, why);
	name_of(l, l->number, ccache);
	pthread_mutex_unlock(&l->lock);
	return good;
}

void directory_login_forget(struct directory_login *l)
{
	pthread_mutex_lock(&l->lock);
	l->until = 0;
	pthread_mutex_unlock(&l->lock);
}

void directory_login_use(const char *ccache)
{
	OM_uint32 minor;
	gss_krb5_ccache_name(&minor, ccache, NULL);
}
