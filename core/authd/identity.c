#include "core/authd/identity.h"

#include <stdio.h>

/* Behind the '@' that is not escaped, of which there is one. */
static struct slice realm_of(struct slice principal)
{
	for (size_t i = 0; i < principal.len; i++)
		if (principal.at[i] == '\\')
			i++;
		else if (principal.at[i] == '@')
			return slice_from(principal, i + 1);
	return slice_of("", 0);
}

/* What a message can carry: one that cannot be written would cost the node its connection. */
static bool is_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((uint8_t)s.at[i] < 0x20 || s.at[i] == 0x7f)
			return false;
	return s.len > 0 && s.len <= AUTHD_NAME_BYTES;
}

static const struct realm_settings *find_realm(const struct settings *s, struct slice realm)
{
	for (size_t i = 0; i < s->realm_count; i++)
		if (slice_equal(slice_str(s->realms[i].name), realm))
			return &s->realms[i];
	return NULL;
}

static bool is_own(const struct keytab_view *keys, struct slice realm)
{
	for (size_t i = 0; i < keys->count; i++)
		if (slice_equal(slice_str(keys->keys[i].realm), realm))
			return true;
	return false;
}

static bool refuse(struct job *j, enum authd_reason reason, struct slice principal, const char *more)
{
	char text[AUTHD_DETAIL_BYTES];
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(principal.len < 300 ? principal.len : 300), principal.at,
	         *more ? ": " : "", more);
	job_refuse(j, reason, text);
	return false;
}

static bool is_of_realm(const struct realm_settings *realm, const struct sid *sid)
{
	for (size_t d = 0; d < realm->domain_count; d++)
		if (sid_is_of_domain(sid, &realm->domains[d]))
			return true;
	return false;
}

/* A foreign realm's KDC can write any SID into a ticket; only those of its own domains are taken from it (realm NULL: of any domain). What is of no
 * domain, as S-1-18-1, "a domain controller said so", or the controller's own BUILTIN groups, says nothing about who may come in: it never counts. */
static void keep_domains(const struct realm_settings *realm, struct pac_account *who)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < who->groups.count; i++) {
		const struct sid *one = &who->groups.at[i];
		if (!sid_is_domain_object(one) || (realm && !is_of_realm(realm, one)))
			continue;
		if (kept != i)
			who->groups.at[kept] = *one;
		kept++;
	}
	who->groups.count = kept; /* still sealed: none changed its place among those that stay */
}

static bool is_anonymous(const struct sid *sid)
{
	struct sid anonymous;
	return sid_parse(SLICE("S-1-5-7"), &anonymous) && sid_compare(sid, &anonymous) == 0;
}

/* false: no memory, or names that no message may hold. */
static bool put(struct job *j, const struct pac_account *who, struct slice principal)
{
	char account[2 * PAC_NAME_BYTES + 2];
	int n = snprintf(account, sizeof(account), "%s\\%s", who->domain, who->name);
	size_t bytes = sid_set_bytes(&who->groups);
	char *sids = arena_take(&j->arena, bytes);
	j->reply = (struct authd_reply){.id = j->msg.request.id,
	                                .outcome = AUTHD_DONE,
	                                .mechanism = AUTHD_KERBEROS,
	                                .account = arena_copy(&j->arena, slice_of(account, (size_t)n)),
	                                .principal = arena_copy(&j->arena, principal),
	                                .sid = who->sid,
	                                .sid_count = who->groups.count};
	if (!sids || !j->reply.account.at || !j->reply.principal.at || n > AUTHD_NAME_BYTES)
		return false;
	sid_set_write(&who->groups, sids);
	j->reply.sids = slice_of(sids, bytes);
	return true;
}

static bool take_pac(const struct realm_settings *realm, bool own, const struct identity_facts *f, struct job *j)
{
	static const struct realm_settings any = {.directory = true};
	struct pac_account who;
	const char *why = "";
	bool done = false;
	enum pac_wrong wrong = pac_read(&f->pac, &who, &why);
	if (!realm)
		realm = &any;
	bool all = own && realm->domain_count == 0;
	if (wrong == PAC_TOO_MANY)
		refuse(j, AUTHD_TOO_MANY_GROUPS, f->principal, "");
	else if (wrong == PAC_NO_MEMORY)
		refuse(j, AUTHD_INTERNAL, f->principal, "no memory");
	else if (wrong)
		refuse(j, AUTHD_PAC_BAD, f->principal, why);
	else if (is_anonymous(&who.sid))
		refuse(j, AUTHD_ANONYMOUS, f->principal, "");
	else if (!sid_is_domain_object(&who.sid))
		refuse(j, AUTHD_PAC_BAD, f->principal, "its account is of no domain");
	else if (who.requestor_differs)
		refuse(j, AUTHD_PAC_MISMATCH, f->principal, "");
	else if (!all && !is_of_realm(realm, &who.sid))
		refuse(j, AUTHD_PAC_FOREIGN, f->principal,
		       realm->domain_count ? "" : "no domain is named for this realm in realms:");
	else {
		keep_domains(all ? NULL : realm, &who);
		done = put(j, &who, f->principal);
		if (!done)
			refuse(j, AUTHD_INTERNAL, f->principal, "no memory, or a name is too long");
	}
	pac_account_done(&who);
	return done;
}

bool identity_make(const struct settings *s, const struct identity_facts *f, struct job *j)
{
	struct slice name = realm_of(f->principal);
	const struct realm_settings *realm = find_realm(s, name);
	bool own = is_own(f->keys, name);
	if (!is_name(f->principal))
		return refuse(j, AUTHD_INTERNAL, f->principal, "the name is too long or holds control characters");
	if (f->anonymous || slice_equal(name, SLICE("WELLKNOWN:ANONYMOUS")) ||
	    slice_starts_with(f->principal, SLICE("WELLKNOWN/ANONYMOUS@")))
		return refuse(j, AUTHD_ANONYMOUS, f->principal, "");
	if (!realm && !(s->realm_count == 0 && own))
		return refuse(j, AUTHD_UNTRUSTED_REALM, f->principal, "");
	if (realm && !realm->directory) {
		struct slice account = arena_copy(&j->arena, f->principal);
		if (!account.at)
			return refuse(j, AUTHD_INTERNAL, f->principal, "no memory");
		j->reply = (struct authd_reply){.id = j->msg.request.id,
		                                .outcome = AUTHD_DONE,
		                                .mechanism = AUTHD_KERBEROS,
		                                .account = account,
		                                .principal = account};
		return true;
	}
	if (f->unreadable)
		return refuse(j, AUTHD_PAC_BAD, f->principal, "a part of it is there twice, or cannot be read");
	if (!f->verified) /* then nothing of it can be read either */
		return refuse(j, AUTHD_PAC_BAD, f->principal, "it is not signed with our key");
	if (!f->has_pac)
		return refuse(j, AUTHD_NO_PAC, f->principal, "");
	return take_pac(realm, own, f, j);
}
