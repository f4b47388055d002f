#include "core/authd/gss.h"

#include "core/authd/identity.h"
#include "core/authd/refusal.h"
#include "proto/ap_req.h"
#include "proto/spnego.h"

#include <errno.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <profile.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef GSS_C_CHANNEL_BOUND_FLAG
#define GSS_C_CHANNEL_BOUND_FLAG 2048 /* of libkrb5 1.19 and later: the caller's token had our binding in it */
#endif

enum { SKEW_S = 300 };

static bool skew_is_ours; /* set before threads are */

static const char pac_name[] = "urn:mspac:"; /* all of it */

/* A credential belongs to one reading of the keytab. */
static _Thread_local struct {
	uint64_t generation;
	gss_cred_id_t credential;
} mine;

/* As the library reads it from the files of KRB5_CONFIG. false: they cannot be read now. */
static bool find_skew(int *out)
{
	krb5_context krb;
	profile_t profile = NULL;
	if (krb5_init_context(&krb))
		return false;
	bool found = !krb5_get_profile(krb, &profile) &&
	             !profile_get_integer(profile, "libdefaults", "clockskew", NULL, SKEW_S, out);
	if (profile)
		profile_release(profile);
	krb5_free_context(krb);
	return found;
}

/* Of several files of Kerberos' configuration the first that has a value decides. Ours is in memory, and its descriptor stays open. */
static struct err override_skew(void)
{
	char ours[64], all[4096];
	const char *theirs = getenv("KRB5_CONFIG");
	int fd = memfd_create("krb5.conf", MFD_CLOEXEC);
	int n = snprintf(ours, sizeof(ours), "[libdefaults]\n clockskew = %d\n", SKEW_S);
	if (fd < 0 || write(fd, ours, (size_t)n) != n)
		return ERR_OF(SYSTEM, .sys = errno, .what = "there is no memory for a file");
	n = snprintf(all, sizeof(all), "/proc/self/fd/%d:%s", fd, theirs && *theirs ? theirs : "/etc/krb5.conf");
	if (n >= (int)sizeof(all))
		return ERR_OF(SETTINGS, .what = "KRB5_CONFIG in the environment is too long");
	if (setenv("KRB5_CONFIG", all, 1))
		return ERR_OF(NO_MEMORY);
	skew_is_ours = true;
	return OK;
}

/* The library looks at each of its files five times for a ticket, and a path through /proc is the slowest of all: so where they say what we want, and nearly
 * all do, because it is the library's own value, ours is left out. */
struct err gss_prepare(void)
{
	int skew;
	if (setenv("GSS_MECH_CONFIG", "/dev/null", 1))
		return ERR_OF(NO_MEMORY);
	return find_skew(&skew) && skew == SKEW_S ? OK : override_skew();
}

bool gss_is_prepared(void)
{
	int skew;
	return skew_is_ours || !find_skew(&skew) || skew == SKEW_S;
}

void gss_thread_end(void)
{
	OM_uint32 minor;
	if (mine.credential)
		gss_release_cred(&minor, &mine.credential);
	mine.credential = GSS_C_NO_CREDENTIAL;
	mine.generation = 0;
}

/* What one acceptance holds; ended in any case. */
struct acceptance {
	struct authd *authd;
	struct job *job;
	struct keytab_view *keys;
	struct ap_req ticket;
	gss_ctx_id_t context;
	gss_name_t caller;
	gss_buffer_desc answer, name, pac;
	char service[AUTHD_DETAIL_BYTES];
};

static void end(struct acceptance *x)
{
	OM_uint32 minor;
	gss_buffer_t buffers[] = {&x->answer, &x->name, &x->pac};
	for (size_t i = 0; i < ARRAY_COUNT(buffers); i++)
		gss_release_buffer(&minor, buffers[i]);
	if (x->caller)
		gss_release_name(&minor, &x->caller);
	if (x->context)
		gss_delete_sec_context(&minor, &x->context, GSS_C_NO_BUFFER);
	keytab_view_unref(x->keys);
}

/* The replay table is ours, so the library keeps none. */
static OM_uint32 use_keys(struct keytab_view *keys, OM_uint32 *minor)
{
	if (mine.credential && mine.generation == keys->generation)
		return GSS_S_COMPLETE;
	gss_thread_end();
	gss_key_value_element_desc elements[] = {{"keytab", keys->name}, {"rcache", "none:"}};
	gss_key_value_set_desc store = {ARRAY_COUNT(elements), elements};
	gss_OID_set_desc kerberos = {1, (gss_OID)(uintptr_t)gss_mech_krb5};
	OM_uint32 major = gss_acquire_cred_from(minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &kerberos, GSS_C_ACCEPT, &store,
	                                        &mine.credential, NULL, NULL);
	if (major == GSS_S_COMPLETE)
		mine.generation = keys->generation;
	return major;
}

static struct slice slice_of_buffer(const gss_buffer_desc *b)
{
	return slice_of(b->value, b->length);
}

/* The library shows no PAC whose signature is not right, but still names it. */
static void find_why_hidden(struct acceptance *x, struct identity_facts *f)
{
	OM_uint32 minor;
	gss_buffer_set_t names = GSS_C_NO_BUFFER_SET;
	f->unreadable = gss_inquire_name(&minor, x->caller, NULL, NULL, &names) != GSS_S_COMPLETE;
	for (size_t i = 0; names && i < names->count; i++)
		if (slice_equal(slice_of_buffer(&names->elements[i]), slice_str(pac_name)))
			f->verified = false;
	gss_release_buffer_set(&minor, &names);
}

/* The whole PAC in one call: each asks the library for a new context, which costs as much as a fifth of a ticket's cryptography. */
static void name_caller(struct acceptance *x, bool anonymous, struct identity_facts *f)
{
	OM_uint32 minor;
	int authenticated = 0, complete = 0, more = -1;
	gss_buffer_desc attribute = {strlen(pac_name), (void *)(uintptr_t)pac_name}, display = GSS_C_EMPTY_BUFFER;
	f->principal = slice_of_buffer(&x->name);
	f->anonymous = anonymous;
	f->verified = true;
	OM_uint32 major = gss_get_name_attribute(&minor, x->caller, &attribute, &authenticated, &complete, &x->pac,
	                                         &display, &more);
	gss_release_buffer(&minor, &display);
	if (major != GSS_S_COMPLETE) {
		find_why_hidden(x, f);
		return;
	}
	f->verified = authenticated && complete && !more;
	f->unreadable = !pac_split(slice_of_buffer(&x->pac), &f->pac, &f->has_pac);
}

/* Into the job's memory, in SPNEGO when the token came in it. false: no memory. */
static bool put_answer(struct acceptance *x, struct slice mech_oid)
{
	struct job *j = x->job;
	struct slice token = slice_of_buffer(&x->answer);
	if (mech_oid.len == 0) {
		j->reply.answer = arena_copy(&j->arena, token);
		return token.len == 0 || j->reply.answer.at;
	}
	char *out = arena_take(&j->arena, token.len + SPNEGO_ANSWER_EXTRA);
	if (out)
		j->reply.answer = slice_of(out, spnego_accepted(mech_oid, token, out));
	return out;
}

static void accepted(struct acceptance *x, OM_uint32 flags, OM_uint32 lifetime_s, struct slice mech_oid)
{
	struct job *j = x->job;
	const struct authd_request *q = &j->msg.request;
	struct identity_facts facts = {.keys = x->keys};
	if (q->flags & AUTHD_BINDING_REQUIRED && !(flags & GSS_C_CHANNEL_BOUND_FLAG)) {
		job_refuse(j, AUTHD_BINDING_MISSING, x->service);
		return;
	}
	if (x->ticket.authenticator.len < REPLAY_CIPHER_MIN) {
		job_refuse(j, AUTHD_MALFORMED, x->service);
		return;
	}
	enum replay_verdict verdict = replay_take(&x->authd->replay, x->ticket.authenticator);
	if (verdict != REPLAY_NEW) {
		job_refuse(j, verdict == REPLAY_SEEN ? AUTHD_REPLAY : AUTHD_BUSY, x->service);
		return;
	}
	name_caller(x, flags & GSS_C_ANON_FLAG, &facts);
	if (!identity_make(x->authd->settings, &facts, j))
		return;
	/* The library adds the clock skew that it tolerates; the identity ends with the ticket. */
	uint64_t left = lifetime_s == GSS_C_INDEFINITE ? SKEW_S * 2 : lifetime_s;
	j->reply.until_s = clock_wall() / 1000000 + (left > SKEW_S + 1 ? left - SKEW_S : 1);
	j->reply.detail = arena_copy(&j->arena, slice_str(x->service));
	if (!put_answer(x, mech_oid))
		job_refuse(j, AUTHD_INTERNAL, "no memory");
}

static void accept_once(struct acceptance *x, struct slice token, struct slice mech_oid)
{
	struct job *j = x->job;
	const struct authd_request *q = &j->msg.request;
	struct gss_channel_bindings_struct bindings = {
	        .application_data = {q->binding.len, (void *)(uintptr_t)q->binding.at}};
	gss_buffer_desc input = {token.len, (void *)(uintptr_t)token.at};
	gss_OID mech = GSS_C_NO_OID;
	OM_uint32 minor = 0, other, flags = 0, lifetime_s = 0, major = use_keys(x->keys, &minor);
	if (major != GSS_S_COMPLETE) {
		refusal_internal(j, major, minor);
		return;
	}
	major = gss_accept_sec_context(&minor, &x->context, mine.credential, &input,
	                               q->binding.len ? &bindings : GSS_C_NO_CHANNEL_BINDINGS, &x->caller, &mech,
	                               &x->answer, &flags, &lifetime_s, NULL);
	if (major != GSS_S_COMPLETE)
		refusal_explain(j, x->keys, &x->ticket, x->service, major, minor);
	else if (gss_display_name(&other, x->caller, &x->name, NULL) != GSS_S_COMPLETE)
		job_refuse(j, AUTHD_INTERNAL, x->service);
	else
		accepted(x, flags, lifetime_s, mech_oid);
}

/* The key may have come into the file a moment ago. */
static bool may_be_new(const struct job *j)
{
	enum authd_reason r = j->reply.reason;
	return r == AUTHD_NO_KEY_FOR_SPN || r == AUTHD_WRONG_KVNO || r == AUTHD_WRONG_ENCTYPE ||
	       r == AUTHD_DECRYPT_FAILED || r == AUTHD_KEYTAB_UNUSABLE;
}

static void try_once(struct authd *a, struct job *j, struct slice token, struct slice mech_oid)
{
	struct acceptance x = {.authd = a, .job = j};
	const char *wrong = ap_req_read(token, &x.ticket);
	if (wrong) {
		job_refuse(j, AUTHD_MALFORMED, wrong);
		return;
	}
	refusal_describe(&x.ticket, x.service);
	x.keys = keytab_ref(&a->keytab);
	if (x.keys)
		accept_once(&x, token, mech_oid);
	else
		job_refuse(j, AUTHD_KEYTAB_UNUSABLE, x.service);
	end(&x);
}

void gss_accept(struct authd *a, struct job *j, struct slice token, struct slice mech_oid)
{
	try_once(a, j, token, mech_oid);
	if (j->reply.outcome == AUTHD_REFUSED && may_be_new(j) && keytab_look(&a->keytab))
		try_once(a, j, token, mech_oid);
}
