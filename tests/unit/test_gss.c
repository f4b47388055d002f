/* E10, E04: tickets made here with the connector's own key, as a directory could make them: only what is signed, whole and of one account is believed. */
#include "core/authd/gss.h"

#include "tests/support/der_build.h"
#include "tests/support/pac_build.h"

#include <krb5.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DOMAIN  "S-1-5-21-10-20-30"
#define REALM   SLICE("CORP.TEST")
#define ACCOUNT "exch$"

enum { KVNO = 3, USAGE_TICKET = 2, USAGE_AUTHENTICATOR = 11, USAGE_PAC = 17, PAC_SUM = 16, PAC_ROOM = 4096 };

static struct {
	krb5_context context;
	krb5_keyblock key, other_key, session;
	struct settings *settings;
	struct authd authd;
	char keytab[64];
	unsigned made;
} lab;

static const struct built_group groups[] = {{513, 7}, {1107, 7}};
static const struct built_account account = {.account = ACCOUNT,
                                             .domain = "CORP",
                                             .domain_sid = DOMAIN,
                                             .rid = 1105,
                                             .primary = 513,
                                             .groups = groups,
                                             .group_count = 2};

struct forgery {               /* zero: a ticket as it should be */
	const char *name;      /* in the PAC's client info; NULL: the ticket's */
	const char *requestor; /* NULL: none; "": an empty buffer */
	const char *upn;
	uint32_t twice; /* this buffer is there two times */
	bool other_key, unsigned_pac, spoiled, no_pac, no_logon, in_authenticator;
};

static struct slice data_of(const krb5_data *d)
{
	return slice_of(d->data, d->length);
}

/* ---- the PAC ---- */

struct pac {
	char at[PAC_ROOM];
	size_t len, sums[2];
	uint32_t count;
};

static void put_number(char *at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (char)(value >> (8 * i));
}

/* Room for eight heads is kept at the beginning. */
static size_t add(struct pac *p, uint32_t type, struct slice bytes)
{
	size_t at = p->len;
	assert_true(p->count < 8 && at + bytes.len + 8 <= PAC_ROOM);
	put_number(p->at + 8 + 16 * p->count, type, 4);
	put_number(p->at + 12 + 16 * p->count, bytes.len, 4);
	put_number(p->at + 16 + 16 * p->count++, at, 8);
	if (bytes.len)
		memcpy(p->at + at, bytes.at, bytes.len);
	p->len = (at + bytes.len + 7) & ~(size_t)7;
	return at;
}

static void add_twice(struct pac *p, const struct forgery *f, uint32_t type, struct slice bytes)
{
	add(p, type, bytes);
	if (f->twice == type)
		add(p, type, bytes);
}

static void make_pac(struct pac *p, const struct forgery *f, time_t now)
{
	char client[64] = {0}, upn[256];
	const char *name = f->name ? f->name : ACCOUNT;
	*p = (struct pac){.len = 8 + 16 * 8};
	struct built logon = build_logon(&account);
	if (!f->no_logon)
		add_twice(p, f, 1, slice_of(logon.at, logon.len));
	free(logon.at);
	put_number(client, ((uint64_t)now + 11644473600u) * 10000000u, 8);
	put_number(client + 8, 2 * strlen(name), 2);
	for (size_t i = 0; name[i]; i++)
		client[10 + 2 * i] = name[i];
	add(p, 10, slice_of(client, 10 + 2 * strlen(name)));
	if (f->upn)
		add_twice(p, f, 12, build_upn(f->upn, upn));
	if (f->requestor) {
		struct sid s = *f->requestor ? built_sid_of(f->requestor) : (struct sid){0};
		add_twice(p, f, 18, slice_of((const char *)s.bytes, *f->requestor ? sid_bytes(&s) : 0));
	}
	char sum[16] = {PAC_SUM};
	size_t at = add(p, 6, slice_of(sum, sizeof(sum)));
	add(p, 7, slice_of(sum, sizeof(sum)));
	put_number(p->at, p->count, 4);
	krb5_data all = {.data = p->at, .length = (unsigned)p->len};
	krb5_checksum made;
	assert_int_equal(krb5_c_make_checksum(lab.context, CKSUMTYPE_HMAC_SHA1_96_AES256,
	                                      f->other_key ? &lab.other_key : &lab.key, USAGE_PAC, &all, &made),
	                 0);
	assert_int_equal(made.length, 12);
	if (!f->unsigned_pac)
		memcpy(p->at + at + 4, made.contents, 12);
	krb5_free_checksum_contents(lab.context, &made);
	if (f->spoiled)
		p->at[8 + 16 * 8 + 20 + 100] ^= 1; /* the account's number */
}

/* ---- the ticket ---- */

static void put_time(struct der *d, int number, time_t at)
{
	char text[32];
	struct tm tm;
	gmtime_r(&at, &tm);
	der_field(d, number, 0x18, slice_of(text, strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm)));
}

static void put_name(struct der *d, int number, struct slice first, struct slice second)
{
	size_t start = d->len, list;
	der_field(d, 0, 0x02, SLICE("\1"));
	list = d->len;
	der_put(d, first);
	der_wrap(d, list, 0x1b);
	size_t at = d->len;
	der_put(d, second);
	if (second.len)
		der_wrap(d, at, 0x1b);
	der_wrap(d, list, 0x30);
	der_wrap(d, list, 0xa1);
	der_wrap(d, start, 0x30);
	der_wrap(d, start, 0xa0 + number);
}

/* A number and bytes, as keys, checksums and authorization data are. */
static void put_pair(struct der *d, struct slice number, struct slice bytes)
{
	size_t start = d->len;
	der_field(d, 0, 0x02, number);
	der_field(d, 1, 0x04, bytes);
	der_wrap(d, start, 0x30);
}

static void put_pac(struct der *d, int number, const struct pac *p)
{
	struct der inner = {.len = 0};
	put_pair(&inner, SLICE("\0\x80"), slice_of(p->at, p->len)); /* AD-WIN2K-PAC */
	der_wrap(&inner, 0, 0x30);
	size_t start = d->len;
	put_pair(d, SLICE("\1"), slice_of(inner.at, inner.len)); /* AD-IF-RELEVANT */
	der_wrap(d, start, 0x30);
	der_wrap(d, start, 0xa0 + number);
}

/* plain, encrypted, as field [number]. */
static void put_encrypted(struct der *d, int number, const krb5_keyblock *key, int usage, struct slice kvno,
                          const struct der *plain)
{
	char room[DER_ROOM];
	krb5_enc_data sealed = {.ciphertext = {.data = room, .length = sizeof(room)}};
	krb5_data in = {.data = (char *)(uintptr_t)plain->at, .length = (unsigned)plain->len};
	assert_int_equal(krb5_c_encrypt(lab.context, key, usage, NULL, &in, &sealed), 0);
	size_t start = d->len;
	der_field(d, 0, 0x02, SLICE("\x12"));
	if (kvno.len)
		der_field(d, 1, 0x02, kvno);
	der_field(d, 2, 0x04, data_of(&sealed.ciphertext));
	der_wrap(d, start, 0x30);
	der_wrap(d, start, 0xa0 + number);
}

static void put_ticket(struct der *d, const struct forgery *f, const struct pac *p, time_t now)
{
	struct der plain = {.len = 0};
	size_t start = d->len, at;
	der_field(&plain, 0, 0x03, SLICE("\0\0\0\0\0"));
	at = plain.len;
	put_pair(&plain, SLICE("\x12"), slice_of((const char *)lab.session.contents, lab.session.length));
	der_wrap(&plain, at, 0xa1);
	der_field(&plain, 2, 0x1b, REALM);
	put_name(&plain, 3, SLICE(ACCOUNT), SLICE(""));
	at = plain.len;
	put_pair(&plain, SLICE("\1"), SLICE("")); /* no realm between */
	der_wrap(&plain, at, 0xa4);
	put_time(&plain, 5, now);
	put_time(&plain, 7, now + 3600);
	if (!f->no_pac && !f->in_authenticator)
		put_pac(&plain, 10, p);
	der_wrap(&plain, 0, 0x30);
	der_wrap(&plain, 0, 0x63);
	der_field(d, 0, 0x02, SLICE("\5"));
	der_field(d, 1, 0x1b, REALM);
	put_name(d, 2, SLICE("HTTP"), SLICE("rms.corp.test"));
	put_encrypted(d, 3, &lab.key, USAGE_TICKET, SLICE("\3"), &plain);
	der_wrap(d, start, 0x30);
	der_wrap(d, start, 0x61);
	der_wrap(d, start, 0xa3);
}

static void put_authenticator(struct der *d, const struct forgery *f, const struct pac *p, time_t now)
{
	static const char sum[24] = {16}; /* RFC 4121 4.1.1: no binding, no flags */
	struct der plain = {.len = 0};
	char usec = (char)(lab.made++ % 100);
	der_field(&plain, 0, 0x02, SLICE("\5"));
	der_field(&plain, 1, 0x1b, REALM);
	put_name(&plain, 2, SLICE(ACCOUNT), SLICE(""));
	size_t at = plain.len;
	put_pair(&plain, SLICE("\0\x80\3"), slice_of(sum, sizeof(sum)));
	der_wrap(&plain, at, 0xa3);
	der_field(&plain, 4, 0x02, slice_of(&usec, 1));
	put_time(&plain, 5, now);
	if (f->in_authenticator)
		put_pac(&plain, 8, p);
	der_wrap(&plain, 0, 0x30);
	der_wrap(&plain, 0, 0x62);
	put_encrypted(d, 4, &lab.session, USAGE_AUTHENTICATOR, SLICE(""), &plain);
}

static void make_token(struct der *d, const struct forgery *f)
{
	time_t now = time(NULL);
	struct pac p;
	make_pac(&p, f, now);
	*d = (struct der){.len = 0};
	der_put(d, SLICE("\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\1\0"));
	size_t start = d->len;
	der_field(d, 0, 0x02, SLICE("\5"));
	der_field(d, 1, 0x02, SLICE("\x0e"));
	der_field(d, 2, 0x03, SLICE("\0\0\0\0\0"));
	put_ticket(d, f, &p, now);
	put_authenticator(d, f, &p, now);
	der_wrap(d, start, 0x30);
	der_wrap(d, start, 0x6e);
	der_wrap(d, 0, 0x60);
}

/* ---- the tests ---- */

static struct job *answer(struct slice token)
{
	struct authd_msg m = {.type = AUTHD_REQUEST, .request = {.id = 7, .token = token}};
	size_t n = authd_msg_bytes(&m);
	char *bytes = malloc(n);
	assert_true(n && bytes);
	authd_msg_write(&m, bytes);
	struct job *j = job_new(1, slice_of(bytes, n));
	free(bytes);
	gss_accept(&lab.authd, j, j->msg.request.token, slice_of("", 0));
	struct authd_msg reply = job_answer(j);
	assert_true(authd_msg_bytes(&reply) > 0);
	return j;
}

/* detail: a part of what the log says. */
static void assert_detail(const struct forgery *f, const char *detail)
{
	struct der token;
	make_token(&token, f);
	struct job *j = answer(slice_of(token.at, token.len));
	assert_int_equal(j->reply.reason, AUTHD_PAC_BAD);
	assert_non_null(memmem(j->reply.detail.at, j->reply.detail.len, detail, strlen(detail)));
	job_free(j);
}

static void assert_reason(const struct forgery *f, enum authd_reason reason)
{
	struct der token;
	make_token(&token, f);
	struct job *j = answer(slice_of(token.at, token.len));
	if (j->reply.reason != reason)
		fail_msg("%s (%.*s) and not %s", authd_reason_row(j->reply.reason)->name, SLICE_ARG(j->reply.detail),
		         authd_reason_row(reason)->name);
	job_free(j);
}

static void a_ticket_as_it_should_be_names_its_account(void **state)
{
	struct der token;
	make_token(&token, &(struct forgery){.requestor = DOMAIN "-1105", .upn = DOMAIN "-1105"});
	struct job *j = answer(slice_of(token.at, token.len));
	assert_int_equal(j->reply.reason, AUTHD_NONE);
	assert_true(slice_equal(j->reply.account, SLICE("CORP\\" ACCOUNT)));
	assert_true(slice_equal(j->reply.principal, SLICE(ACCOUNT "@CORP.TEST")));
	assert_int_equal(j->reply.sid_count, 3);
	job_free(j);
	j = answer(slice_of(token.at, token.len));
	assert_int_equal(j->reply.reason, AUTHD_REPLAY);
	job_free(j);
	assert_reason(&(struct forgery){0}, AUTHD_NONE); /* service tickets of many directories hold no requestor */
}

static void a_pac_that_is_not_signed_with_our_key_is_refused(void **state)
{
	assert_detail(&(struct forgery){.other_key = true}, "not signed with our key");
	assert_detail(&(struct forgery){.unsigned_pac = true}, "not signed with our key");
	assert_detail(&(struct forgery){.spoiled = true}, "not signed with our key");
}

static void a_pac_of_another_name_is_refused(void **state)
{
	assert_reason(&(struct forgery){.name = "other$"}, AUTHD_PAC_BAD);
	assert_reason(&(struct forgery){.name = "exch"}, AUTHD_PAC_BAD);
}

static void a_ticket_without_groups_is_refused(void **state)
{
	assert_reason(&(struct forgery){.no_pac = true}, AUTHD_NO_PAC);
	assert_reason(&(struct forgery){.no_logon = true}, AUTHD_NO_PAC);
}

static void another_requestor_is_refused(void **state)
{
	assert_reason(&(struct forgery){.requestor = DOMAIN "-1106"}, AUTHD_PAC_MISMATCH);
	assert_reason(&(struct forgery){.upn = DOMAIN "-1106"}, AUTHD_PAC_MISMATCH);
	assert_reason(&(struct forgery){.requestor = ""}, AUTHD_PAC_BAD);
}

/* The library would show neither of the two, as if there were none to compare with. */
static void a_buffer_that_is_there_twice_is_refused(void **state)
{
	assert_detail(&(struct forgery){.twice = 1}, "twice");
	assert_detail(&(struct forgery){.twice = 12, .upn = DOMAIN "-1106"}, "twice");
	assert_detail(&(struct forgery){.twice = 18, .requestor = DOMAIN "-1106"}, "twice");
}

/* A caller writes its own authenticator: not even a PAC that our key signed counts there. */
static void a_pac_that_the_caller_added_is_refused(void **state)
{
	assert_reason(&(struct forgery){.in_authenticator = true}, AUTHD_NO_PAC);
	assert_reason(&(struct forgery){.in_authenticator = true, .other_key = true}, AUTHD_NO_PAC);
}

static void set_key(krb5_keyblock *key)
{
	assert_int_equal(krb5_c_make_random_key(lab.context, ENCTYPE_AES256_CTS_HMAC_SHA1_96, key), 0);
}

static int set_up(void **state)
{
	krb5_keytab file;
	krb5_keytab_entry entry = {.vno = KVNO};
	char name[80];
	setenv("KRB5_CONFIG", "/dev/null", 1);
	assert_int_equal(gss_prepare().code, ERR_NONE);
	assert_int_equal(krb5_init_context(&lab.context), 0);
	set_key(&lab.key);
	set_key(&lab.other_key);
	set_key(&lab.session);
	snprintf(lab.keytab, sizeof(lab.keytab), "/tmp/test_gss.%d.keytab", (int)getpid());
	snprintf(name, sizeof(name), "FILE:%s", lab.keytab);
	assert_int_equal(krb5_kt_resolve(lab.context, name, &file), 0);
	assert_int_equal(krb5_parse_name(lab.context, "HTTP/rms.corp.test@CORP.TEST", &entry.principal), 0);
	entry.key = lab.key;
	assert_int_equal(krb5_kt_add_entry(lab.context, file, &entry), 0);
	krb5_free_principal(lab.context, entry.principal);
	krb5_kt_close(lab.context, file);
	lab.settings = settings_new();
	assert_non_null(lab.settings);
	assert_true(settings_set_text(lab.settings, SETTING_auth_keytab, lab.keytab, strlen(lab.keytab)));
	assert_int_equal(authd_init(&lab.authd, lab.settings).code, ERR_NONE);
	return 0;
}

static int tear_down(void **state)
{
	gss_thread_end();
	authd_done(&lab.authd);
	settings_free(lab.settings);
	unlink(lab.keytab);
	krb5_free_keyblock_contents(lab.context, &lab.key);
	krb5_free_keyblock_contents(lab.context, &lab.other_key);
	krb5_free_keyblock_contents(lab.context, &lab.session);
	krb5_free_context(lab.context);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_ticket_as_it_should_be_names_its_account),
	        cmocka_unit_test(a_pac_that_is_not_signed_with_our_key_is_refused),
	        cmocka_unit_test(a_pac_of_another_name_is_refused),
	        cmocka_unit_test(a_ticket_without_groups_is_refused),
	        cmocka_unit_test(another_requestor_is_refused),
	        cmocka_unit_test(a_buffer_that_is_there_twice_is_refused),
	        cmocka_unit_test(a_pac_that_the_caller_added_is_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
