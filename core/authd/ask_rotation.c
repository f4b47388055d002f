/* The connector account's next password, in the steps of rotation.h. */
#include "core/authd/ask.h"
#include "core/authd/directory_services.h"
#include "core/authd/rotation.h"
#include "core/base/log.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SWITCH_WAIT_S = 40, SWITCH_PAUSE_NS = 500 * 1000 * 1000 };

/* ---- what the keytab and the KDC say ---- */

struct standing {
	struct keytab_view *keys; /* of the file as it is now */
	const char *service;      /* inside keys */
	const char *realm;
	struct kdc_ticket now; /* for service */
};

static json_t *stand(struct authd *a, const char *wanted, const char *account, struct standing *s)
{
	char problem[KEYTAB_PROBLEM_BYTES], kdc_problem[KDC_TEXT];
	*s = (struct standing){.keys = keytab_load(a->keytab.path, problem)};
	if (!s->keys)
		return ask_failed(problem, "put a keytab with the keys of HTTP/NAME there first");
	s->service = rotation_service(s->keys, wanted, problem);
	if (!s->service)
		return ask_failed(problem, "rms-connectorctl auth keytab show tells what is in it");
	s->realm = strrchr(s->service, '@') + 1;
	struct kdc *kdc = kdc_open(s->keys, s->realm, account, kdc_problem);
	if (!kdc)
		return ask_failed(
		        kdc_problem,
		        "see whether a controller of the realm answers (port 88), and whether the keytab is of "
		        "the account's present password");
	kdc_look(kdc, s->keys, s->service, &s->now);
	kdc_close(kdc);
	if (s->now.verdict == KDC_UNREACHABLE || s->now.verdict == KDC_NO_NAME)
		return ask_failed_with("rms-connectorctl auth keytab check tells more", "%s: %s", s->service,
		                       s->now.problem);
	return NULL;
}

static void stand_done(struct standing *s)
{
	keytab_view_unref(s->keys);
}

/* ---- prepare ---- */

/* Who owns the service; NULL: answer says why that account's password is not for us to change. */
static json_t *find_owner(struct authd *a, const struct standing *s, struct service_owner *out)
{
	static struct service_owners none;
	struct directory *d = a->directory;
	struct directory_problem why = {.what = "no realm with a directory is in the settings",
	                                .mend = "add - name: REALM to realms"};
	struct service_owners owners = none;
	enum directory_status status = DIRECTORY_LOST;
	char name[ROTATION_NAME_BYTES];
	snprintf(name, sizeof(name), "%.*s", (int)(s->realm - 1 - s->service), s->service);
	for (size_t i = 0; d && i < directory_realm_count(d); i++)
		if (strcasecmp(directory_realm_name(directory_realm_at(d, i)), s->realm) == 0)
			status = directory_service_owners(directory_realm_at(d, i), name, &owners, &why);
	if (status != DIRECTORY_OK)
		return ask_failed(why.what, why.mend);
	if (owners.count != 1)
		return ask_failed_with("one account must own it: setspn -Q shows who does, setspn -D takes it away",
		                       "%zu accounts own the service name %s", owners.count, name);
	*out = owners.at[0];
	if (out->kind == SERVICE_MANAGED)
		return ask_failed_with("export its keys again after each of these changes, with --keep-old",
		                       "%s is a managed service account: the domain itself changes its password",
		                       out->account);
	if (out->kind == SERVICE_COMPUTER)
		return ask_failed_with("let an ordinary account own the service name: setspn -D, setspn -S",
		                       "%s is a computer account, whose machine changes its password itself",
		                       out->account);
	if (!*out->account)
		return ask_failed("the account that owns the service name is of another domain of the forest",
		                  "name that domain in realms");
	return NULL;
}

/* A user's keys are salted with the realm and the account's name, or the user principal name's where it has one. The KDC tells the present salt; after
 * the account was renamed the next one is another, so keys of both are made. */
static size_t salts_of(const struct service_owner *owner, const char *realm, const struct kdc_salt *present,
                       struct kdc_salt out[static KDC_SALTS_MAX])
{
	const char *name = *owner->principal ? owner->principal : owner->account;
	struct kdc_salt next = *present;
	size_t at = 0;
	for (const char *c = realm; *c && at < sizeof(next.salt) - 1; c++)
		next.salt[at++] = (char)toupper((unsigned char)*c);
	for (const char *c = name; *c && *c != '@' && at < sizeof(next.salt) - 1; c++)
		if (*c != '/')
			next.salt[at++] = *c;
	next.salt[at] = 0;
	out[0] = *present;
	out[1] = next;
	return strcmp(present->salt, next.salt) == 0 ? 1 : 2;
}

/* The kinds of the present keys, and AES in any case. */
static size_t enctypes_of(const struct standing *s, int32_t out[static 8])
{
	static const int32_t always[] = {18, 17};
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_COUNT(always); i++)
		out[count++] = always[i];
	for (size_t i = 0; i < s->keys->count && count < 8; i++) {
		const struct keytab_key *k = &s->keys->keys[i];
		bool known = strcmp(k->principal, s->service) || k->kvno != s->now.kvno || k->enctype < 17;
		for (size_t n = 0; n < count; n++)
			known |= out[n] == k->enctype;
		if (!known)
			out[count++] = k->enctype;
	}
	return count;
}

/* First the file with the password, so that there are never keys of a password that nobody has. */
static json_t *put_keys(struct authd *a, const struct standing *s, struct rotation *r, const struct keytab_key *keys,
                        size_t count)
{
	char problem[KEYTAB_PROBLEM_BYTES];
	struct keytab_view shown = {.keys = (struct keytab_key *)(uintptr_t)keys, .count = count};
	struct keytab_merge both;
	json_t *answer = NULL;
	if (!keytab_fingerprint(&shown, s->service, r->kvno, r->fingerprint) ||
	    !keytab_merge(keys, count, s->keys, &both))
		return ask_failed("there is not enough memory, or the keytab would hold too many keys",
		                  "remove old keys with ktutil");
	if (!rotation_write(a->keytab.path, r, problem))
		answer = ask_failed(problem, "nothing is changed");
	else if (!keytab_file_write(a->keytab.path, both.keys, both.count, problem)) {
		rotation_remove(a->keytab.path);
		answer = ask_failed(problem, "nothing is changed");
	}
	keytab_merge_done(&both);
	return answer;
}

static json_t *make(struct authd *a, const struct standing *s, struct rotation *r)
{
	char problem[KEYTAB_PROBLEM_BYTES], no_salt[KDC_TEXT];
	struct service_owner owner;
	struct kdc_salt present, salts[KDC_SALTS_MAX];
	struct rotation_names names;
	int32_t enctypes[8];
	json_t *answer = find_owner(a, s, &owner);
	if (answer)
		return answer;
	snprintf(r->account, sizeof(r->account), "%s@%s", owner.account, s->realm);
	snprintf(r->service, sizeof(r->service), "%s", s->service);
	r->kvno = s->now.kvno + 1;
	if (!kdc_salt_of(r->account, &present, no_salt))
		return ask_failed(no_salt, "rms-connectorctl auth keytab check tells more");
	if (!rotation_password(r->password))
		return ask_failed("there are no random bytes", "");
	rotation_names_of(s->keys, s->service, &names);
	bool named = false;
	for (size_t i = 0; i < names.count; i++)
		named |= strcmp(names.at[i], r->account) == 0;
	if (!named && names.count < ROTATION_NAMES_MAX)
		names.at[names.count++] = r->account;
	struct keytab_key *keys = calloc(ROTATION_KEYS_MAX, sizeof(*keys));
	size_t salt_count = salts_of(&owner, s->realm, &present, salts), enctype_count = enctypes_of(s, enctypes);
	snprintf(problem, sizeof(problem), "there is not enough memory");
	size_t count = keys ? rotation_keys(&names, r->kvno, r->password, salts, salt_count, enctypes, enctype_count,
	                                    keys, problem)
	                    : 0;
	answer = count ? put_keys(a, s, r, keys, count) : ask_failed(problem, "nothing is changed");
	if (keys)
		explicit_bzero(keys, ROTATION_KEYS_MAX * sizeof(*keys));
	free(keys);
	if (!answer)
		answer =
		        json_pack("{s:b, s:s, s:s, s:I, s:I, s:s, s:s, s:I}", "ok", 1, "account", r->account, "service",
		                  r->service, "kvno", (json_int_t)s->now.kvno, "next_kvno", (json_int_t)r->kvno,
		                  "fingerprint", r->fingerprint, "path", a->keytab.path, "added", (json_int_t)count);
	return answer;
}

static json_t *prepare(struct authd *a, const char *wanted)
{
	char problem[KEYTAB_PROBLEM_BYTES];
	struct rotation r;
	struct standing s;
	if (rotation_read(a->keytab.path, &r, problem) || *problem) {
		rotation_done(&r);
		return ask_failed(*problem ? problem : "a change is prepared already",
		                  "go on with --verify and --switch, or throw it away with --abandon");
	}
	json_t *answer = stand(a, wanted, NULL, &s);
	const struct keytab_key *newest = answer ? NULL : rotation_newest(s.keys, s.service);
	if (!answer && s.now.verdict != KDC_SAME_KEY)
		answer = ask_failed_with("export the account's present keys first, and import them with --keep-old",
		                         "the keytab does not hold the key that the domain uses now for %s (kvno %u)",
		                         s.service, s.now.kvno);
	else if (!answer && newest->kvno != s.now.kvno)
		answer = ask_failed_with(
		        "if they were prepared on another node, go on there; else take them out with ktutil",
		        "the keytab holds keys of kvno %u already, and the domain is at kvno %u", newest->kvno,
		        s.now.kvno);
	if (!answer)
		answer = make(a, &s, &r);
	rotation_done(&r);
	stand_done(&s);
	return answer;
}

json_t *ask_keytab_prepare(struct authd *a, const json_t *question)
{
	keytab_file_lock();
	json_t *answer = prepare(a, ask_text(question, "service"));
	keytab_file_unlock();
	keytab_read(&a->keytab);
	if (json_is_true(json_object_get(answer, "ok")))
		event_log(EVENT_KEYTAB_CHANGED,
		          "the keys of the next password of %s (kvno %lld) are beside the old ones in %s",
		          ask_text(answer, "account"),
		          (long long)json_integer_value(json_object_get(answer, "next_kvno")), a->keytab.path);
	return answer;
}

/* ---- verify ---- */

/* The newest version, which is the KDC's own or the next one. */
static json_t *verify(struct authd *a, const json_t *question)
{
	char problem[KEYTAB_PROBLEM_BYTES], found[KEYTAB_FINGERPRINT_BYTES];
	const char *wanted = ask_text(question, "fingerprint");
	struct rotation r;
	struct standing s;
	bool ours = rotation_read(a->keytab.path, &r, problem);
	json_t *answer = *problem ? ask_failed(problem, "throw it away with --abandon") : NULL;
	if (!answer)
		answer = stand(a, ours ? r.service : ask_text(question, "service"), NULL, &s);
	else
		s = (struct standing){0};
	const struct keytab_key *newest = answer ? NULL : rotation_newest(s.keys, s.service);
	if (answer) {
		/* told */
	} else if (s.now.verdict != KDC_SAME_KEY) {
		answer = ask_failed_with(
		        "export the account's present keys and import them with --keep-old: callers are refused now",
		        "the keytab does not hold the key that the domain uses now for %s (kvno %u)", s.service,
		        s.now.kvno);
	} else if (newest->kvno != s.now.kvno + 1 && !(wanted && newest->kvno == s.now.kvno)) {
		answer = ask_failed_with(
		        "copy the keytab of the node where it was prepared, and import it with --keep-old",
		        "the keys of the next password (kvno %u) are not in the keytab", s.now.kvno + 1);
	} else if (!keytab_fingerprint(s.keys, s.service, newest->kvno, found)) {
		answer = ask_failed("no fingerprint can be made of the keys", "");
	} else if ((wanted && strcasecmp(wanted, found)) || (ours && strcmp(r.fingerprint, found))) {
		answer = ask_failed_with(
		        "copy the keytab of the node where it was prepared again, and import it with --keep-old",
		        "the next keys are others than those that were prepared: their fingerprint is %s", found);
	} else {
		if (ours && newest->kvno == r.kvno && !r.verified) {
			r.verified = true;
			if (!rotation_write(a->keytab.path, &r, problem))
				answer = ask_failed(problem, "");
		}
		if (!answer)
			answer = json_pack("{s:b, s:s, s:I, s:I, s:s, s:b}", "ok", 1, "service", s.service, "kvno",
			                   (json_int_t)s.now.kvno, "next_kvno", (json_int_t)newest->kvno, "fingerprint",
			                   found, "prepared_here", (int)ours);
	}
	rotation_done(&r);
	stand_done(&s);
	return answer;
}

json_t *ask_keytab_verify(struct authd *a, const json_t *question)
{
	keytab_file_lock();
	json_t *answer = verify(a, question);
	keytab_file_unlock();
	return answer;
}

/* ---- switch ---- */

/* A fresh ticket is made with the new key: on this controller, at least. */
static json_t *await_new_key(struct authd *a, const struct rotation *r)
{
	time_t end = time(NULL) + SWITCH_WAIT_S;
	json_t *failed = NULL;
	for (;;) {
		struct standing s;
		json_decref(failed);
		failed = stand(a, r->service, r->account, &s);
		bool done = !failed && s.now.verdict == KDC_SAME_KEY && s.now.kvno == r->kvno;
		if (!failed && !done)
			failed = ask_failed_with(
			        "look again with --verify; the other nodes' keys are the same as here",
			        "the password is set, but the domain makes tickets for %s with kvno %u%s, not %u",
			        r->service, s.now.kvno,
			        s.now.verdict == KDC_SAME_KEY ? "" : ", which is not in the keytab", r->kvno);
		stand_done(&s);
		if (done || time(NULL) >= end)
			return done ? NULL : failed;
		nanosleep(&(struct timespec){.tv_nsec = SWITCH_PAUSE_NS}, NULL);
	}
}

static json_t *set_password(struct authd *a, const struct standing *s, const struct rotation *r, const json_t *question)
{
	char problem[KDC_TEXT], who[ROTATION_NAME_BYTES + 64];
	const char *admin = ask_text(question, "admin"), *password = ask_text(question, "password");
	if (!admin != !password)
		return ask_failed("an administrator's name and password go together", "");
	if (admin)
		snprintf(who, sizeof(who), "%s%s%s", admin, strchr(admin, '@') ? "" : "@",
		         strchr(admin, '@') ? "" : s->realm);
	if (kdc_set_password(s->keys, r->account, r->password, admin ? who : NULL, password, problem))
		return NULL;
	return ask_failed(
	        problem,
	        admin ? "nothing is changed; let that account be allowed to reset the connector account's password"
	              : "nothing is changed; when a policy forbids the account to change its own password (minimum "
	                "age), give "
	                "--admin NAME and its password");
}

static json_t *change(struct authd *a, const json_t *question)
{
	char problem[KEYTAB_PROBLEM_BYTES], found[KEYTAB_FINGERPRINT_BYTES];
	struct rotation r;
	struct standing s = {0};
	json_t *answer = NULL;
	if (!rotation_read(a->keytab.path, &r, problem))
		answer = ask_failed(*problem ? problem : "no change is prepared here",
		                    "begin with --prepare on this node, or switch on the node where that was done");
	else if (!r.verified && !json_is_true(json_object_get(question, "force")))
		answer = ask_failed("what was prepared was not looked at yet",
		                    "run --verify here and on every other node; --force goes on without");
	else
		answer = stand(a, r.service, NULL, &s);
	if (answer) {
		/* told */
	} else if (!keytab_fingerprint(s.keys, s.service, r.kvno, found) || strcmp(found, r.fingerprint)) {
		answer = ask_failed("the keytab does not hold the keys that were prepared any more",
		                    "throw the change away with --abandon, and prepare anew");
	} else if (s.now.kvno != r.kvno && s.now.kvno + 1 != r.kvno) {
		answer = ask_failed_with(
		        "throw the change away with --abandon, and prepare anew",
		        "the account's password was changed meanwhile: the domain is at kvno %u, %u was prepared",
		        s.now.kvno, r.kvno);
	} else if (s.now.kvno != r.kvno) {
		answer = set_password(a, &s, &r, question);
	}
	if (!answer)
		answer = await_new_key(a, &r);
	if (!answer) {
		rotation_remove(a->keytab.path);
		event_log(EVENT_PASSWORD_CHANGED, "%s, kvno %u", r.account, r.kvno);
		answer = json_pack("{s:b, s:s, s:s, s:I}", "ok", 1, "account", r.account, "service", r.service, "kvno",
		                   (json_int_t)r.kvno);
	}
	rotation_done(&r);
	stand_done(&s);
	return answer;
}

json_t *ask_keytab_switch(struct authd *a, const json_t *question)
{
	keytab_file_lock();
	json_t *answer = change(a, question);
	keytab_file_unlock();
	return answer;
}

/* ---- abandon ---- */

/* The keys are taken out only when the domain does not use them. */
static json_t *abandon(struct authd *a)
{
	char problem[KEYTAB_PROBLEM_BYTES];
	struct rotation r;
	struct standing s = {0};
	if (!rotation_read(a->keytab.path, &r, problem) && !*problem)
		return ask_failed("no change is prepared here", "");
	json_t *answer = *problem ? NULL : stand(a, r.service, NULL, &s);
	struct keytab_key *kept = answer || *problem ? NULL : calloc(s.keys->count, sizeof(*kept));
	size_t count = 0;
	if (!answer && kept && s.now.kvno >= r.kvno)
		answer = ask_failed("the domain uses the prepared password already", "finish with --switch");
	else if (!answer && kept) {
		struct rotation_names names;
		rotation_names_of(s.keys, s.service, &names);
		for (size_t i = 0; i < s.keys->count; i++) {
			bool ours = strcmp(s.keys->keys[i].principal, r.account) == 0;
			for (size_t n = 0; n < names.count; n++)
				ours |= strcmp(s.keys->keys[i].principal, names.at[n]) == 0;
			if (!ours || s.keys->keys[i].kvno != r.kvno)
				kept[count++] = s.keys->keys[i];
		}
		if (!keytab_file_write(a->keytab.path, kept, count, problem))
			answer = ask_failed(problem, "nothing is changed");
	}
	if (!answer) {
		rotation_remove(a->keytab.path);
		answer = json_pack("{s:b, s:I}", "ok", 1, "gone", (json_int_t)(kept ? s.keys->count - count : 0));
	}
	if (kept)
		explicit_bzero(kept, s.keys->count * sizeof(*kept));
	free(kept);
	rotation_done(&r);
	stand_done(&s);
	return answer;
}

json_t *ask_keytab_abandon(struct authd *a, const json_t *question)
{
	keytab_file_lock();
	json_t *answer = abandon(a);
	keytab_file_unlock();
	keytab_read(&a->keytab);
	return answer;
}
