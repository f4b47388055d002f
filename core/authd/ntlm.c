#include "core/authd/ntlm.h"

#include "core/authd/ask.h"
#include "core/authd/binding.h"
#include "core/authd/directory_asks.h"
#include "core/authd/ntlm_helper.h"
#include "proto/base64.h"
#include "proto/spnego.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/*   first leg:  a free place, its helper (started when there is none): YR token -> TT challenge; the place is reserved for that conversation
 *   second leg: the place of that conversation and connection:         KK token -> AF DOMAIN\account, or NA why; the place is free again
 *
 * A place belongs to the thread that works on it (busy), else to the lock.
 */
struct place {
	struct ntlm_helper *helper; /* NULL: none is running */
	bool busy;
	bool cancelled;        /* while busy: its connection is gone */
	bool wrapped;          /* in SPNEGO */
	uint64_t connection;   /* with conversation */
	uint64_t conversation; /* 0: free */
	usec_t until;          /* of the reservation */
};

struct ntlm {
	pthread_mutex_t lock;
	struct place places[NTLM_HELPERS];
};

static const char program[] = "/usr/bin/ntlm_auth";
static const struct slice ntlm_oid = {"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a", 10};

/* ---- places ---- */

/* A free one, or the one whose handshake was given up longest ago. NULL: all are in use. */
static struct place *take_free(struct ntlm *n)
{
	usec_t now = clock_now();
	struct place *best = NULL;
	pthread_mutex_lock(&n->lock);
	for (size_t i = 0; i < NTLM_HELPERS; i++) {
		struct place *p = &n->places[i];
		if (p->busy || (p->conversation && p->until > now))
			continue;
		if (best == NULL || (best->helper == NULL && p->helper))
			best = p;
	}
	if (best) {
		best->busy = true;
		best->cancelled = false;
		best->conversation = 0;
	}
	pthread_mutex_unlock(&n->lock);
	return best;
}

static struct place *take_reserved(struct ntlm *n, uint64_t connection, uint64_t conversation)
{
	struct place *found = NULL;
	pthread_mutex_lock(&n->lock);
	for (size_t i = 0; i < NTLM_HELPERS && found == NULL; i++) {
		struct place *p = &n->places[i];
		if (!p->busy && p->conversation == conversation && p->connection == connection &&
		    p->until > clock_now()) {
			p->busy = true;
			p->cancelled = false;
			p->conversation = 0;
			found = p;
		}
	}
	pthread_mutex_unlock(&n->lock);
	return found;
}

/* conversation 0: free again. */
static void put_back(struct ntlm *n, struct place *p, uint64_t connection, uint64_t conversation)
{
	pthread_mutex_lock(&n->lock);
	p->busy = false;
	p->connection = connection;
	p->conversation = p->cancelled ? 0 : conversation;
	p->until = clock_now() + NTLM_RESERVED_MS * 1000ull;
	pthread_mutex_unlock(&n->lock);
}

static void break_helper(struct place *p)
{
	ntlm_helper_close(p->helper);
	p->helper = NULL;
}

static void cancel(struct authd *a, uint64_t connection, uint64_t conversation)
{
	struct ntlm *n = a->ntlm;
	pthread_mutex_lock(&n->lock);
	for (size_t i = 0; i < NTLM_HELPERS; i++) {
		struct place *p = &n->places[i];
		if (p->connection != connection || (conversation && p->conversation != conversation))
			continue;
		p->cancelled = p->busy && conversation == 0;
		if (!p->busy)
			p->conversation = 0;
	}
	pthread_mutex_unlock(&n->lock);
}

/* ---- the first leg ---- */

static usec_t leg_end(const struct job *j)
{
	usec_t end = clock_now() + NTLM_LEG_MS * 1000ull;
	return j->late_at && j->late_at < end ? j->late_at : end;
}

/* One line to the helper of that place; a helper that was idle may have died meanwhile, so a new one is tried once. */
static bool begin(struct place *p, struct job *j, struct slice token, struct slice *answer, const char **wrong)
{
	int error;
	for (bool idle = p->helper != NULL;; idle = false) {
		if (p->helper == NULL)
			p->helper = ntlm_helper_open(program, &error);
		if (p->helper == NULL) {
			*wrong = "ntlm_auth cannot be started (Debian package winbind)";
			return false;
		}
		if (ntlm_helper_say(p->helper, "YR", token, leg_end(j), &j->arena, answer))
			return true;
		break_helper(p);
		*wrong = "ntlm_auth ended or did not answer";
		if (!idle)
			return false;
	}
}

static bool challenge(struct job *j, struct slice text, bool wrapped, uint64_t conversation)
{
	size_t len;
	char *raw = arena_take(&j->arena, text.len), *out = raw;
	if (raw == NULL || !base64_decode(text, raw, &len) || len == 0)
		return false;
	if (wrapped) {
		out = arena_take(&j->arena, len + SPNEGO_ANSWER_EXTRA);
		if (out == NULL)
			return false;
		len = spnego_incomplete(ntlm_oid, slice_of(raw, len), out);
	}
	j->reply = (struct authd_reply){.id = j->reply.id,
	                                .outcome = AUTHD_CONTINUE,
	                                .answer = slice_of(out, len),
	                                .conversation = conversation};
	return true;
}

static uint64_t new_conversation(void)
{
	uint64_t number;
	return getrandom(&number, sizeof(number), 0) == sizeof(number) ? number : 0;
}

static void first_leg(struct authd *a, struct job *j, struct slice token, bool wrapped)
{
	const char *wrong = NULL;
	struct slice said;
	struct place *p = take_free(a->ntlm);
	if (p == NULL) {
		job_refuse(j, AUTHD_BUSY, "all NTLM helpers are between two legs of a handshake");
		return;
	}
	uint64_t conversation = 0;
	p->wrapped = wrapped;
	if (!begin(p, j, token, &said, &wrong)) {
		job_refuse(j, AUTHD_NTLM_UNAVAILABLE, wrong);
	} else if (slice_starts_with(said, SLICE("TT ")) && (conversation = new_conversation()) != 0 &&
	           challenge(j, slice_from(said, 3), wrapped, conversation)) {
		/* reserved */
	} else {
		conversation = 0;
		break_helper(p);
		job_refuse(j, slice_starts_with(said, SLICE("BH")) ? AUTHD_NTLM_UNAVAILABLE : AUTHD_MALFORMED,
		           arena_copy(&j->arena, said).at);
	}
	put_back(a->ntlm, p, j->connection, conversation);
}

/* ---- the second leg ---- */

static uint32_t number_at(struct slice token, size_t at, size_t bytes)
{
	uint32_t value = 0;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint32_t)(uint8_t)token.at[at + i] << (8 * i);
	return value;
}

enum { MESSAGE_TYPE_AT = 8 };

static enum authd_reason reason_of(enum directory_status status)
{
	return status == DIRECTORY_LOST ? AUTHD_NTLM_UNAVAILABLE : AUTHD_UNTRUSTED_REALM;
}

/* The domain said yes; now who that is. Without SIDs nobody is let in, so a directory that is away means: come again. */
static void identify(struct authd *a, struct job *j, struct slice account)
{
	struct sid sid;
	struct sid_set all CLEANUP(sid_set_done) = {0};
	struct directory_problem why;
	bool disabled;
	size_t slash = slice_find(account, '\\');
	if (slash == account.len || !a->directory) {
		job_refuse(j, AUTHD_UNTRUSTED_REALM,
		           a->directory ? "the account is of no domain" : "no realm has a directory");
		return;
	}
	enum directory_status status = directory_account_sids(
	        a->directory, slice_until(account, slash), slice_from(account, slash + 1), &sid, &all, &disabled, &why);
	if (status != DIRECTORY_OK) {
		job_refuse(j, reason_of(status), why.what);
		return;
	}
	if (disabled) {
		job_refuse(j, AUTHD_DISABLED, arena_copy(&j->arena, account).at);
		return;
	}
	size_t bytes = sid_set_bytes(&all);
	char *sids = arena_take(&j->arena, bytes);
	struct slice name = arena_copy(&j->arena, account);
	if (sids == NULL || name.at == NULL || name.len > AUTHD_NAME_BYTES) {
		job_refuse(j, AUTHD_INTERNAL, "no memory");
		return;
	}
	sid_set_write(&all, sids);
	j->reply = (struct authd_reply){.id = j->reply.id,
	                                .outcome = AUTHD_DONE,
	                                .mechanism = AUTHD_NTLM,
	                                .until_s = clock_wall() / 1000000 + NTLM_IDENTITY_S,
	                                .account = name,
	                                .sid = sid,
	                                .sids = slice_of(sids, bytes),
	                                .sid_count = all.count};
}

/* The domain said yes, so what the caller's answer says of its TLS connection is the caller's word. false: refused. */
static bool binding_is_right(struct job *j, const struct ntlm_authenticate *answer)
{
	const struct authd_request *q = &j->msg.request;
	uint8_t ours[NTLM_BINDING_BYTES];
	if (q->binding.len == 0)
		return true;
	if (!answer->v2) { /* whoever is in between could have taken the newer answer out of it */
		job_refuse(j, AUTHD_BINDING_MISSING, "an answer older than NTLMv2");
		return false;
	}
	if (!answer->bound) {
		if (q->flags & AUTHD_BINDING_REQUIRED)
			job_refuse(j, AUTHD_BINDING_MISSING, NULL);
		return !(q->flags & AUTHD_BINDING_REQUIRED);
	}
	if (!binding_for_ntlm(q->binding, ours)) {
		job_refuse(j, AUTHD_INTERNAL, "no MD5 for a channel binding");
		return false;
	}
	if (memcmp(ours, answer->binding, sizeof(ours)) == 0)
		return true;
	job_refuse(j, AUTHD_BINDING_WRONG, NULL);
	return false;
}

static void take_verdict(struct authd *a, struct job *j, struct slice said, const struct ntlm_authenticate *answer,
                         bool wrapped)
{
	if (slice_starts_with(said, SLICE("AF "))) {
		if (!binding_is_right(j, answer))
			return;
		identify(a, j, slice_from(said, 3));
	} else {
		bool refused = slice_starts_with(said, SLICE("NA "));
		job_refuse(j, refused ? AUTHD_NTLM_REFUSED : AUTHD_NTLM_UNAVAILABLE,
		           arena_copy(&j->arena, refused ? slice_from(said, 3) : said).at);
	}
	if (j->reply.outcome != AUTHD_DONE || !wrapped)
		return;
	char *out = arena_take(&j->arena, SPNEGO_ANSWER_EXTRA);
	if (out)
		j->reply.answer = slice_of(out, spnego_accepted(ntlm_oid, slice_of(NULL, 0), out));
}

static void second_leg(struct authd *a, struct job *j, struct slice token)
{
	const char *wrong = NULL;
	struct spnego wrap = {0};
	struct ntlm_authenticate answer = {0};
	struct slice said;
	struct place *p = take_reserved(a->ntlm, j->connection, j->msg.request.conversation);
	if (p == NULL) {
		job_refuse(j, AUTHD_CONVERSATION, NULL);
		return;
	}
	if (p->wrapped) {
		wrong = spnego_read(token, &wrap);
		token = wrap.token;
	}
	if (!wrong)
		wrong = wrap.begins ? "the token is not the third message of NTLM"
		                    : ntlm_authenticate_read(token, &answer);
	if (wrong) {
		job_refuse(j, AUTHD_MALFORMED, wrong);
		break_helper(p); /* it waits for a line that does not come */
	} else if (answer.anonymous) {
		job_refuse(j, AUTHD_ANONYMOUS, NULL);
		break_helper(p);
	} else if (ntlm_helper_say(p->helper, "KK", token, leg_end(j), &j->arena, &said)) {
		take_verdict(a, j, said, &answer, p->wrapped);
	} else {
		break_helper(p);
		job_refuse(j, AUTHD_NTLM_UNAVAILABLE, "ntlm_auth ended or did not answer");
	}
	put_back(a->ntlm, p, 0, 0);
}

static void step(struct authd *a, struct job *j)
{
	const struct authd_request *q = &j->msg.request;
	struct spnego wrap;
	if (q->conversation) {
		second_leg(a, j, q->token);
		return;
	}
	bool wrapped = !slice_starts_with(q->token, SLICE("NTLMSSP\0"));
	struct slice token = q->token;
	if (wrapped) {
		const char *wrong = spnego_read(token, &wrap);
		token = wrong ? token : wrap.token;
	}
	if (token.len < 16 || !slice_starts_with(token, SLICE("NTLMSSP\0")) ||
	    number_at(token, MESSAGE_TYPE_AT, 4) != 1)
		job_refuse(j, AUTHD_MALFORMED, "the token is not the first message of NTLM");
	else
		first_leg(a, j, token, wrapped);
}

/* ---- life ---- */

struct err ntlm_open(struct authd *a)
{
	if (strcmp(a->settings->auth_ntlm, "winbind") != 0)
		return OK;
	a->ntlm = calloc(1, sizeof(*a->ntlm));
	if (a->ntlm == NULL)
		return ERR_OF(NO_MEMORY);
	pthread_mutex_init(&a->ntlm->lock, NULL);
	a->ntlm_step = step;
	a->ntlm_cancel = cancel;
	return OK;
}

void ntlm_close(struct authd *a)
{
	if (a->ntlm == NULL)
		return;
	for (size_t i = 0; i < NTLM_HELPERS; i++)
		ntlm_helper_close(a->ntlm->places[i].helper);
	pthread_mutex_destroy(&a->ntlm->lock);
	free(a->ntlm);
	a->ntlm = NULL;
	a->ntlm_step = NULL;
	a->ntlm_cancel = NULL;
}

/* ---- what is missing ---- */

static void lacks(json_t *list, const char *what, const char *mend)
{
	json_array_append_new(list, json_pack("{s:s, s:s}", "what", what, "mend", mend));
}

/* The first message that every client may send: winbind's helper answers it only when it knows its domain. */
static bool helper_works(void)
{
	static const char negotiate[32] = "NTLMSSP\0\1\0\0\0\x05\x82\x08";
	int error;
	char first[1024];
	struct arena arena;
	struct slice answer;
	struct ntlm_helper *h = ntlm_helper_open(program, &error);
	arena_init(&arena, first, sizeof(first), 2 * NTLM_LINE_BYTES);
	bool works = h &&
	             ntlm_helper_say(h, "YR", slice_of(negotiate, sizeof(negotiate)), clock_now() + 5000000, &arena,
	                             &answer) &&
	             slice_starts_with(answer, SLICE("TT "));
	ntlm_helper_close(h);
	arena_done(&arena);
	return works;
}

json_t *ask_ntlm(struct authd *a, const json_t *question)
{
	static const char pipe[] = "/run/samba/winbindd/pipe", privileged[] = "/var/lib/samba/winbindd_privileged";
	json_t *missing = json_array();
	if (access(program, X_OK))
		lacks(missing, "there is no /usr/bin/ntlm_auth", "apt-get install winbind");
	else if (access(pipe, F_OK))
		lacks(missing, "winbind does not run: there is no /run/samba/winbindd/pipe",
		      "join this machine to the domain (net ads join -U administrator), then systemctl enable --now "
		      "winbind");
	else if (!helper_works())
		lacks(missing, "ntlm_auth gives no challenge",
		      "see wbinfo -t and wbinfo -p as root; join this machine to the domain (net ads join -U "
		      "administrator)");
	else if (geteuid() != 0 && access(privileged, X_OK) && errno == EACCES)
		lacks(missing, "authd may not use winbind's privileged pipe",
		      "usermod -aG winbindd_priv with authd's user, then start it again");
	if (a->directory == NULL)
		lacks(missing, "no realm with a directory is in the settings, so nobody's groups can be looked up",
		      "add - name: CORP.TEST to realms");
	bool on = a->ntlm != NULL;
	return json_pack("{s:b, s:b, s:b, s:o}", "ok", 1, "on", on, "ready", on && json_array_size(missing) == 0,
	                 "missing", missing);
}
