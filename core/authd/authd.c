#include "core/authd/authd.h"

#include "core/authd/ask.h"
#include "core/authd/directory.h"
#include "core/authd/gss.h"
#include "core/authd/ntlm.h"
#include "core/base/log.h"
#include "proto/spnego.h"

#include <signal.h>
#include <unistd.h>

static void add_realm(struct directory_realm_settings *realms, size_t *count, const char *name)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(realms[i].name, name) == 0)
			return;
	realms[(*count)++] = (struct directory_realm_settings){.name = name};
}

/* Without realms in the settings: those of the keytab. */
static struct err open_directory(struct authd *a)
{
	if (a->directory)
		return OK;
	struct directory_realm_settings realms[DIRECTORY_REALMS];
	struct directory_settings settings = {.keytab = a->settings->auth_keytab, .realms = realms};
	for (size_t i = 0; i < a->settings->realm_count && settings.realm_count < DIRECTORY_REALMS; i++) {
		const struct realm_settings *r = &a->settings->realms[i];
		if (r->directory)
			realms[settings.realm_count++] =
			        (struct directory_realm_settings){.name = r->name,
			                                          .controllers = (const char *const *)r->controllers,
			                                          .bind_dn = r->bind_dn,
			                                          .password_file = r->password_file,
			                                          .ca_file = r->ca_file};
	}
	struct keytab_view *keys = a->settings->realm_count ? NULL : keytab_ref(&a->keytab);
	for (size_t i = 0; keys && i < keys->count && settings.realm_count < DIRECTORY_REALMS; i++)
		add_realm(realms, &settings.realm_count, keys->keys[i].realm);
	if (settings.realm_count)
		a->directory = directory_new(&settings);
	bool failed = settings.realm_count && !a->directory;
	keytab_view_unref(keys);
	if (failed)
		return ERR_OF(NO_MEMORY, .what = "the directory");
	return OK;
}

struct err authd_init(struct authd *a, const struct settings *settings)
{
	*a = (struct authd){.settings = settings, .started_wall = clock_wall()};
	TRY(replay_init(&a->replay));
	TRY(keytab_open(&a->keytab, settings->auth_keytab));
	TRY(open_directory(a));
	return ntlm_open(a);
}

/* A service that ends is started again, and its callers come again. */
static void end_when_unprepared(void)
{
	if (gss_is_prepared())
		return;
	event_log(EVENT_AUTHD_FAILED,
	          "krb5.conf has another clockskew now, which would widen the time in which a ticket counts; "
	          "this process ends, so that the next one overrides it");
	kill(getpid(), SIGTERM);
}

void authd_look(struct authd *a)
{
	end_when_unprepared();
	keytab_look(&a->keytab);
	if (keytab_is_usable(&a->keytab) && open_directory(a).code)
		event_log(EVENT_AUTHD_FAILED, "there is no memory for the directory");
}

void authd_done(struct authd *a)
{
	ntlm_close(a);
	directory_free(a->directory);
	keytab_close(&a->keytab);
	replay_done(&a->replay);
}

uint32_t authd_features(struct authd *a)
{
	return (keytab_is_usable(&a->keytab) ? AUTHD_CAN_KERBEROS : 0u) | (a->ntlm_step ? AUTHD_CAN_NTLM : 0u);
}

static void take_ntlm(struct authd *a, struct job *j)
{
	if (a->ntlm_step)
		a->ntlm_step(a, j);
	else
		job_refuse(j, AUTHD_NTLM_OFF, NULL);
}

/* Which mechanism a token is of is decided here, once, over the bytes that the mechanism then gets: nothing is negotiated. */
static void take_token(struct authd *a, struct job *j)
{
	const struct authd_request *q = &j->msg.request;
	struct slice token = q->token;
	struct spnego wrap;
	if (q->conversation) {
		if (a->ntlm_step)
			a->ntlm_step(a, j);
		else
			job_refuse(j, AUTHD_CONVERSATION, NULL);
		return;
	}
	if (slice_starts_with(token, SLICE("NTLMSSP\0"))) {
		take_ntlm(a, j);
		return;
	}
	enum spnego_mech mech = spnego_mech_of(token);
	if (mech == MECH_KERBEROS || mech == MECH_KERBEROS_MS) {
		gss_accept(a, j, token, slice_of(NULL, 0));
		return;
	}
	const char *wrong = spnego_read(token, &wrap);
	if (wrong)
		job_refuse(j, AUTHD_MALFORMED, wrong);
	else if (!wrap.begins)
		job_refuse(j, AUTHD_CONVERSATION, NULL);
	else if (wrap.mech == MECH_NTLM)
		take_ntlm(a, j);
	else if (wrap.mech != MECH_KERBEROS && wrap.mech != MECH_KERBEROS_MS)
		job_refuse(j, AUTHD_NOT_KERBEROS, wrap.offers_kerberos ? "Kerberos is offered, but not first" : NULL);
	else if (wrap.token.len == 0)
		job_refuse(j, AUTHD_MALFORMED, "the SPNEGO token holds no Kerberos token");
	else
		gss_accept(a, j, wrap.token, wrap.mech_oid);
}

void authd_count(struct authd *a, const struct job *j)
{
	if (j->msg.type == AUTHD_REQUEST)
		a->outcomes[j->reply.reason]++;
	else
		a->asked++;
}

void authd_answer(struct authd *a, struct job *j)
{
	if (j->msg.type == AUTHD_ASK)
		ask_answer(a, j);
	else if (j->late_at && clock_now() > j->late_at)
		job_refuse(j, AUTHD_LATE, NULL);
	else
		take_token(a, j);
	authd_count(a, j);
}

void authd_thread_end(void)
{
	gss_thread_end();
}
