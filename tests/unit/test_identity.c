/* E10, E07: from a verified ticket to an account: which realm may speak for whom, and what is refused with which reason. */
#include "core/authd/identity.h"

#include "tests/support/pac_build.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CORP  "S-1-5-21-10-20-30"
#define THERE "S-1-5-21-4-5-6"

static const struct built_group groups[] = {{513, 7}, {1107, 7}};
static const struct built_extra extra[] = {{"S-1-18-1", 7}, {THERE "-1200", 7}, {CORP "-512", 7}, {"S-1-5-32-544", 7}};
static const struct built_account corp = {.account = "exch$",
                                          .domain = "CORP",
                                          .domain_sid = CORP,
                                          .rid = 1105,
                                          .primary = 513,
                                          .groups = groups,
                                          .group_count = 2,
                                          .extra = extra,
                                          .extra_count = 4,
                                          .resource_domain = CORP,
                                          .resource = groups,
                                          .resource_count = 2};

static struct keytab_key own_keys[] = {{.realm = "CORP.TEST"}};
static const struct keytab_view keys = {.keys = own_keys, .count = 1};

/* What one case is about; the rest is usual. */
struct test {
	const char *principal;
	const struct realm_settings *realms;
	size_t realm_count;
	const struct built_account *account; /* NULL: no PAC */
	const char *requestor, *upn;         /* SIDs */
	bool anonymous, unverified, unreadable;
};

/* The job with its answer; ended with job_free(). */
static struct job *make(const struct test *t)
{
	struct authd_msg m = {.type = AUTHD_REQUEST, .request = {.id = 7, .token = SLICE("token")}};
	char bytes[128], upn[256];
	size_t n = authd_msg_bytes(&m);
	assert_true(n && n <= sizeof(bytes));
	authd_msg_write(&m, bytes);
	struct job *j = job_new(1, slice_of(bytes, n));
	struct settings s = {.realms = (struct realm_settings *)(uintptr_t)t->realms, .realm_count = t->realm_count};
	struct identity_facts f = {.keys = &keys,
	                           .principal = slice_str(t->principal),
	                           .anonymous = t->anonymous,
	                           .verified = !t->unverified,
	                           .unreadable = t->unreadable,
	                           .has_pac = t->account};
	struct built b = {0};
	struct sid requestor = {0};
	if (t->account) {
		b = build_logon(t->account);
		f.pac.logon = slice_of(b.at, b.len);
	}
	if (t->requestor) {
		requestor = built_sid_of(t->requestor);
		f.pac.has_requestor = true;
		f.pac.requestor = slice_of((const char *)requestor.bytes, sid_bytes(&requestor));
	}
	if (t->upn) {
		f.pac.has_upn = true;
		f.pac.upn = build_upn(t->upn, upn);
	}
	bool done = identity_make(&s, &f, j);
	assert_int_equal(done, j->reply.outcome == AUTHD_DONE);
	assert_int_equal(done, j->reply.reason == AUTHD_NONE);
	assert_int_equal(j->reply.id, 7);
	if (done)
		j->reply.until_s = 1; /* the only field that is filled in elsewhere */
	struct authd_msg answer = job_answer(j);
	assert_true(authd_msg_bytes(&answer) > 0); /* the node gets it */
	free(b.at);
	return j;
}

static void assert_reason(const struct test *t, enum authd_reason reason)
{
	struct job *j = make(t);
	if (j->reply.reason != reason)
		fail_msg("%s: %s and not %s", t->principal, authd_reason_row(j->reply.reason)->name,
		         authd_reason_row(reason)->name);
	job_free(j);
}

static bool has(const struct job *j, const char *sid)
{
	struct sid_set set = {0};
	struct sid s = built_sid_of(sid);
	assert_true(sid_set_read(j->reply.sids, j->reply.sid_count, &set));
	bool found = sid_set_has(&set, &s);
	sid_set_done(&set);
	return found;
}

static struct realm_settings realm_of(const char *name, struct sid *domains, size_t n)
{
	return (struct realm_settings){
	        .name = (char *)(uintptr_t)name, .directory = true, .domains = domains, .domain_count = n};
}

static void an_account_of_our_own_realm_has_all_its_groups(void **state)
{
	struct test t = {"exch$@CORP.TEST", .account = &corp, .requestor = CORP "-1105", .upn = CORP "-1105"};
	struct job *j = make(&t);
	struct sid own = built_sid_of(CORP "-1105");
	assert_int_equal(j->reply.mechanism, AUTHD_KERBEROS);
	assert_true(slice_equal(j->reply.account, SLICE("CORP\\exch$")));
	assert_true(slice_equal(j->reply.principal, SLICE("exch$@CORP.TEST")));
	assert_int_equal(sid_compare(&j->reply.sid, &own), 0);
	assert_int_equal(j->reply.sid_count, 5);
	assert_true(has(j, CORP "-1105") && has(j, CORP "-513") && has(j, CORP "-1107"));
	assert_true(has(j, THERE "-1200")); /* SID history: our own directory says so */
	assert_false(has(j, "S-1-18-1") || has(j, "S-1-5-32-544"));
	job_free(j);
}

static void a_trusted_realm_speaks_for_its_own_domains_only(void **state)
{
	struct sid domains[] = {built_sid_of("S-1-5-21-1-1-1"), built_sid_of(THERE)};
	struct realm_settings realms[] = {realm_of("CORP.TEST", NULL, 0), realm_of("THERE.TEST", domains, 2)};
	struct built_account account = corp;
	struct test t = {"exch$@THERE.TEST", realms, 2, .account = &account};
	assert_reason(&t, AUTHD_PAC_FOREIGN); /* it says that its caller is ours */
	account.domain_sid = THERE;
	struct job *j = make(&t);
	assert_int_equal(j->reply.outcome, AUTHD_DONE);
	assert_int_equal(j->reply.sid_count, 4);
	assert_true(has(j, THERE "-1105") && has(j, THERE "-513") && has(j, THERE "-1107") && has(j, THERE "-1200"));
	job_free(j);
	account.domain_sid = "S-1-5-21-4-5-7";
	assert_reason(&t, AUTHD_PAC_FOREIGN);
	account.domain_sid = THERE; /* an account named by a whole SID has to be of the realm, too */
	static const struct built_extra ours[] = {{CORP "-1105", 7}, {THERE "-1105", 7}};
	account.rid = 0, account.extra = ours, account.extra_count = 2;
	assert_reason(&t, AUTHD_PAC_FOREIGN);
}

static void a_trusted_realm_without_domains_speaks_for_nobody(void **state)
{
	struct realm_settings realms[] = {realm_of("CORP.TEST", NULL, 0), realm_of("THERE.TEST", NULL, 0)};
	struct built_account account = corp;
	struct test t = {"exch$@THERE.TEST", realms, 2, .account = &account};
	assert_reason(&t, AUTHD_PAC_FOREIGN);
	account.domain_sid = THERE;
	assert_reason(&t, AUTHD_PAC_FOREIGN);
	t.principal = "exch$@CORP.TEST";
	assert_reason(&t, AUTHD_NONE);
}

static void our_own_realm_can_be_held_to_domains(void **state)
{
	struct sid domains[] = {built_sid_of(CORP)};
	struct realm_settings realms[] = {realm_of("CORP.TEST", domains, 1)};
	struct test t = {"exch$@CORP.TEST", realms, 1, .account = &corp};
	struct job *j = make(&t);
	assert_int_equal(j->reply.sid_count, 4);
	assert_true(has(j, CORP "-512"));
	assert_false(has(j, THERE "-1200"));
	job_free(j);
}

static void a_realm_that_nobody_named_is_not_trusted(void **state)
{
	struct realm_settings realms[] = {realm_of("THERE.TEST", NULL, 0)};
	static const char *const strangers[] = {"exch$@ELSEWHERE.TEST",
	                                        "exch$@corp.test",
	                                        "exch$@CORP.TEST.",
	                                        "exch$@CORP.TEST2",
	                                        "exch$@",
	                                        "exch$",
	                                        "exch$\\@CORP.TEST",
	                                        "a\\@CORP.TEST\\\\@ELSEWHERE.TEST"};
	struct test t = {.account = &corp};
	for (size_t i = 0; i < ARRAY_COUNT(strangers); i++) {
		t.principal = strangers[i];
		assert_reason(&t, AUTHD_UNTRUSTED_REALM);
	}
	t.principal = "a\\@ELSEWHERE.TEST\\\\@CORP.TEST";
	assert_reason(&t, AUTHD_NONE);
	t = (struct test){"exch$@CORP.TEST", realms, 1, .account = &corp}; /* once realms are named, ours has to be */
	assert_reason(&t, AUTHD_UNTRUSTED_REALM);
}

static void tickets_without_a_good_pac_are_refused(void **state)
{
	struct test t = {.principal = "exch$@CORP.TEST"};
	assert_reason(&t, AUTHD_NO_PAC);
	t.account = &corp;
	t.unverified = true;
	assert_reason(&t, AUTHD_PAC_BAD);
	t.unverified = false;
	t.unreadable = true;
	assert_reason(&t, AUTHD_PAC_BAD);
	t.account = NULL;
	assert_reason(&t, AUTHD_PAC_BAD);
	t.unreadable = false;
	struct built_account account = corp;
	t.account = &account;
	account.flags_off = 0x20;
	assert_reason(&t, AUTHD_PAC_BAD);
	static struct built_group many[SID_SET_MAX + 1];
	account = corp;
	account.groups = many, account.group_count = SID_SET_MAX + 1;
	assert_reason(&t, AUTHD_TOO_MANY_GROUPS);
	static const struct built_extra no_account[] = {{"S-1-18-1", 7}};
	account = corp;
	account.rid = 0, account.extra = no_account, account.extra_count = 1;
	assert_reason(&t, AUTHD_PAC_BAD);
}

/* Controllers from before the end of 2021 write neither the requestor's SID nor the account's SID beside its names. Then the signed logon info alone says who
 * it is, which such a controller may have been tricked about by a renamed account; it is taken, because those controllers write nothing else. */
static void a_ticket_of_an_old_controller_is_taken_by_its_logon_info(void **state)
{
	struct test t = {"exch$@CORP.TEST", .account = &corp};
	struct sid own = built_sid_of(CORP "-1105");
	struct job *j = make(&t);
	assert_int_equal(j->reply.outcome, AUTHD_DONE);
	assert_int_equal(sid_compare(&j->reply.sid, &own), 0);
	job_free(j);
	t.upn = CORP "-1105"; /* one of the two is enough to be compared */
	j = make(&t);
	assert_int_equal(j->reply.outcome, AUTHD_DONE);
	job_free(j);
}

static void the_requestor_has_to_be_the_account(void **state)
{
	static const char *const others[] = {CORP "-1106", THERE "-1105", CORP, "S-1-5-18"};
	struct test t = {"exch$@CORP.TEST", .account = &corp};
	for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
		t.requestor = others[i], t.upn = NULL;
		assert_reason(&t, AUTHD_PAC_MISMATCH);
		t.requestor = NULL, t.upn = others[i];
		assert_reason(&t, AUTHD_PAC_MISMATCH);
		t.requestor = others[i], t.upn = CORP "-1105";
		assert_reason(&t, AUTHD_PAC_MISMATCH);
	}
}

static void the_anonymous_are_refused(void **state)
{
	static const struct built_extra nobody[] = {{"S-1-5-7", 7}};
	struct built_account account = corp;
	struct test t = {"exch$@CORP.TEST", .account = &corp, .anonymous = true};
	assert_reason(&t, AUTHD_ANONYMOUS);
	t.anonymous = false;
	t.principal = "WELLKNOWN/ANONYMOUS@CORP.TEST";
	assert_reason(&t, AUTHD_ANONYMOUS);
	t.principal = "WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS";
	assert_reason(&t, AUTHD_ANONYMOUS);
	account.rid = 0, account.extra = nobody, account.extra_count = 1;
	t = (struct test){"exch$@CORP.TEST", .account = &account};
	assert_reason(&t, AUTHD_ANONYMOUS);
}

static void a_realm_without_a_directory_has_names_only(void **state)
{
	struct realm_settings realms[] = {{.name = (char *)(uintptr_t) "UNIX.TEST"}};
	struct test t = {"scan/host@UNIX.TEST", realms, 1, .account = &corp};
	struct job *j = make(&t);
	assert_int_equal(j->reply.outcome, AUTHD_DONE);
	assert_true(slice_equal(j->reply.account, SLICE("scan/host@UNIX.TEST")));
	assert_true(sid_is_none(&j->reply.sid) && j->reply.sid_count == 0); /* whatever a PAC says */
	job_free(j);
}

/* An answer that cannot be written would end the node's connection, and with it what other callers wait for. */
static void names_that_no_message_carries_are_refused(void **state)
{
	struct realm_settings realms[] = {{.name = (char *)(uintptr_t) "UNIX.TEST"}, realm_of("CORP.TEST", NULL, 0)};
	static const char *const ends[] = {"@UNIX.TEST", "@CORP.TEST"};
	char name[AUTHD_NAME_BYTES + 32];
	for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
		struct test t = {name, realms, 2, .account = &corp};
		size_t longest = AUTHD_NAME_BYTES - strlen(ends[i]);
		for (size_t n = longest; n <= longest + 1; n++) {
			memset(name, 'n', n);
			strcpy(name + n, ends[i]);
			assert_reason(&t, n > longest ? AUTHD_INTERNAL : AUTHD_NONE);
		}
		strcpy(name, "a\001b");
		strcat(name, ends[i]);
		assert_reason(&t, AUTHD_INTERNAL);
		name[1] = 0x7f;
		assert_reason(&t, AUTHD_INTERNAL);
	}
	struct test t = {.principal = "", .realms = realms, .realm_count = 2};
	assert_reason(&t, AUTHD_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_account_of_our_own_realm_has_all_its_groups),
	        cmocka_unit_test(a_trusted_realm_speaks_for_its_own_domains_only),
	        cmocka_unit_test(a_trusted_realm_without_domains_speaks_for_nobody),
	        cmocka_unit_test(our_own_realm_can_be_held_to_domains),
	        cmocka_unit_test(a_realm_that_nobody_named_is_not_trusted),
	        cmocka_unit_test(tickets_without_a_good_pac_are_refused),
	        cmocka_unit_test(a_ticket_of_an_old_controller_is_taken_by_its_logon_info),
	        cmocka_unit_test(the_requestor_has_to_be_the_account),
	        cmocka_unit_test(the_anonymous_are_refused),
	        cmocka_unit_test(a_realm_without_a_directory_has_names_only),
	        cmocka_unit_test(names_that_no_message_carries_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
