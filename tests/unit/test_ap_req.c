/* E04: the Kerberos request as its sender wrote it, read in one way only: whose ticket it is and which authenticator (that replays are known by). */
#include "core/base/check.h"
#include "proto/ap_req.h"
#include "tests/support/der_build.h"
#include "tests/support/seed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define KRB5    "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
#define MS_KRB5 "\x06\x09\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"
#define CIPHER  "0123456789abcdef0123456789abcdef"

struct parts { /* contents of the elements; what is empty is left out */
	struct slice oid, id, version, type, options, ticket_version, realm, names[AP_REQ_NAMES_MAX + 1];
	size_t name_count;
	struct slice enctype, kvno, cipher, own_kvno, own_cipher;
	struct slice end; /* of the fields of the request, behind them */
};

static const struct parts usual = {.oid = {KRB5, 11},
                                   .id = {"\1\0", 2},
                                   .version = {"\5", 1},
                                   .type = {"\x0e", 1},
                                   .options = {"\0\x20\0\0\0", 5},
                                   .ticket_version = {"\5", 1},
                                   .realm = {"CORP.TEST", 9},
                                   .names = {{"HTTP", 4}, {"rms.corp.test", 13}},
                                   .name_count = 2,
                                   .enctype = {"\x12", 1},
                                   .kvno = {"\3", 1},
                                   .cipher = {"ticket's", 8},
                                   .own_cipher = {CIPHER, 32}};

static void put_encrypted(struct der *d, int number, struct slice enctype, struct slice kvno, struct slice cipher)
{
	size_t start = d->len;
	der_field(d, 0, 0x02, enctype);
	if (kvno.len)
		der_field(d, 1, 0x02, kvno);
	der_field(d, 2, 0x04, cipher);
	der_wrap(d, start, 0x30);
	der_wrap(d, start, 0xa0 + number);
}

static void put_ticket(struct der *d, const struct parts *p)
{
	size_t start = d->len, name, list;
	der_field(d, 0, 0x02, p->ticket_version);
	der_field(d, 1, 0x1b, p->realm);
	name = d->len;
	der_field(d, 0, 0x02, SLICE("\2"));
	list = d->len;
	for (size_t i = 0; i < p->name_count; i++) {
		size_t one = d->len;
		der_put(d, p->names[i]);
		der_wrap(d, one, 0x1b);
	}
	der_wrap(d, list, 0x30);
	der_wrap(d, list, 0xa1);
	der_wrap(d, name, 0x30);
	der_wrap(d, name, 0xa2);
	put_encrypted(d, 3, p->enctype, p->kvno, p->cipher);
	der_wrap(d, start, 0x30);
	der_wrap(d, start, 0x61);
	der_wrap(d, start, 0xa3);
}

static struct slice make(struct der *d, const struct parts *p)
{
	d->len = 0;
	der_put(d, p->oid);
	der_put(d, p->id);
	size_t start = d->len;
	der_field(d, 0, 0x02, p->version);
	der_field(d, 1, 0x02, p->type);
	der_field(d, 2, 0x03, p->options);
	put_ticket(d, p);
	put_encrypted(d, 4, p->enctype, p->own_kvno, p->own_cipher);
	der_put(d, p->end);
	der_wrap(d, start, 0x30);
	der_wrap(d, start, 0x6e);
	der_wrap(d, 0, 0x60);
	return slice_of(d->at, d->len);
}

/* In memory of exactly that size; what is read is only looked at, not kept. */
static const char *read_bytes(struct slice token)
{
	struct ap_req out;
	char *copy = malloc(token.len + !token.len);
	memcpy(copy, token.at, token.len);
	const char *wrong = ap_req_read(slice_of(copy, token.len), &out);
	free(copy);
	return wrong;
}

static void a_request_is_read(void **state)
{
	struct der d;
	struct ap_req a;
	char name[64];
	struct parts p = usual;
	for (int ms = 0; ms < 2; ms++) {
		p.oid = ms ? SLICE(MS_KRB5) : SLICE(KRB5);
		assert_null(ap_req_read(make(&d, &p), &a));
		assert_true(slice_equal(a.realm, SLICE("CORP.TEST")));
		assert_int_equal(a.name_count, 2);
		assert_true(a.has_kvno && a.kvno == 3);
		assert_int_equal(a.enctype, 18);
		assert_true(slice_equal(a.authenticator, SLICE(CIPHER)));
		assert_int_equal(ap_req_service(&a, name, sizeof(name)), 28);
		assert_string_equal(name, "HTTP/rms.corp.test@CORP.TEST");
	}
	assert_true(seed_is("ap_req", "usual", slice_of(d.at, d.len)));
	p.kvno = slice_of("", 0);
	assert_null(ap_req_read(make(&d, &p), &a));
	assert_false(a.has_kvno);
	assert_true(seed_is("ap_req", "no_kvno", slice_of(d.at, d.len)));
}

static void numbers_are_as_short_as_they_can_be(void **state)
{
	static const struct {
		struct slice kvno;
		int64_t value; /* -1: refused */
	} numbers[] = {{{"\0", 1}, 0},          {{"\x7f", 1}, 127},
	               {{"\0\x80", 2}, 128},    {{"\0\xff\xff\xff\xff", 5}, UINT32_MAX},
	               {{"\0\x7f", 2}, -1},     {{"\0\0\x80", 3}, -1},
	               {{"\xff", 1}, -1},       {{"\xff\xff", 2}, -1},
	               {{"\1\0\0\0\0", 5}, -1}, {{"\0\xff\xff\xff\xff\xff", 6}, -1}};
	struct der d;
	struct ap_req a;
	struct parts p = usual;
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
		p.kvno = numbers[i].kvno;
		const char *wrong = ap_req_read(make(&d, &p), &a);
		assert_true(!wrong == (numbers[i].value >= 0));
		if (!wrong)
			assert_int_equal(a.kvno, numbers[i].value);
	}
	p = usual;
	p.enctype = SLICE("\xff\x79"); /* RC4 of old: -135 */
	assert_null(ap_req_read(make(&d, &p), &a));
	assert_int_equal(a.enctype, -135);
	p.enctype = SLICE("\0\x80\0\0\0");
	assert_non_null(ap_req_read(make(&d, &p), &a));
}

static void other_parts_are_refused(void **state)
{
	static char long_name[AP_REQ_NAME_BYTES + 1];
	struct der d;
	memset(long_name, 'n', sizeof(long_name));
#define WITH(...)                                               \
	do {                                                    \
		struct parts p = usual;                         \
		__VA_ARGS__;                                    \
		if (!read_bytes(make(&d, &p)))                  \
			fail_msg("accepted: %s", #__VA_ARGS__); \
	} while (0)
	WITH(p.oid = SLICE("\x06\x06\x2b\x06\x01\x05\x05\x02"));
	WITH(p.id = SLICE("\2\0")); /* an AP-REP */
	WITH(p.id = SLICE("\1"));
	WITH(p.version = SLICE("\4"));
	WITH(p.type = SLICE("\x0f"));
	WITH(p.options = SLICE("\1\x20\0\0\0"));
	WITH(p.options = SLICE("\0\x20\0\0"));
	WITH(p.options = SLICE("\0\x20\0\0\0\0"));
	WITH(p.ticket_version = SLICE("\4"));
	WITH(p.name_count = 0);
	WITH(p.name_count = AP_REQ_NAMES_MAX + 1);
	WITH(p.names[1] = slice_of(long_name, sizeof(long_name)));
	WITH(p.realm = slice_of(long_name, sizeof(long_name)));
	WITH(p.end = SLICE("\xa5\2\5\0"));
	WITH(p.end = SLICE("\0"));
	WITH(p.enctype = SLICE(""));
#undef WITH
	struct parts p = usual;
	p.name_count = AP_REQ_NAMES_MAX;
	p.names[1] = slice_of(long_name, AP_REQ_NAME_BYTES);
	assert_null(read_bytes(make(&d, &p)));
	assert_true(seed_is("ap_req", "many_names", slice_of(d.at, d.len)));
}

static void what_is_cut_off_or_followed_is_refused(void **state)
{
	struct der d;
	struct slice token = make(&d, &usual);
	for (size_t n = 0; n < token.len; n++)
		assert_non_null(read_bytes(slice_until(token, n)));
	d.at[d.len] = 0;
	assert_non_null(read_bytes(slice_of(d.at, d.len + 1)));
}

/* Every byte made another: refused, or some field holds it. Names may run together where a length says so; nothing else moves. */
static void a_spoiled_byte_changes_what_it_is_part_of_and_nothing_else(void **state)
{
	struct der d;
	struct slice token = make(&d, &usual);
	struct ap_req good, a;
	unsigned accepted = 0;
	assert_null(ap_req_read(token, &good));
	const char *good_end = good.names[1].at + good.names[1].len;
	for (size_t i = 0; i < token.len; i++)
		for (unsigned x = 1; x < 256; x++) {
			d.at[i] ^= (char)x;
			if (!read_bytes(token)) {
				assert_null(ap_req_read(token, &a));
				accepted++;
				const char *end = a.names[a.name_count - 1].at + a.names[a.name_count - 1].len;
				assert_ptr_equal(end, good_end);
				assert_ptr_equal(a.realm.at, good.realm.at);
				assert_int_equal(a.realm.len, good.realm.len);
				assert_ptr_equal(a.authenticator.at, good.authenticator.at);
				assert_int_equal(a.authenticator.len, good.authenticator.len);
			}
			d.at[i] ^= (char)x;
		}
	assert_true(accepted > 1000);
}

/* The same request in other bytes would be another one for the table of replays. */
static void lengths_longer_than_they_need_are_refused(void **state)
{
	struct der d;
	struct slice token = make(&d, &usual);
	assert_int_equal((uint8_t)d.at[1], 0x81); /* 60 81 nn */
	char room[DER_ROOM + 1] = "\x60\x82\0";
	memcpy(room + 3, token.at + 2, token.len - 2);
	assert_non_null(read_bytes(slice_of(room, token.len + 1)));
	memcpy(room, "\x60\x80", 2);
	memcpy(room + 2, token.at + 3, token.len - 3);
	assert_non_null(read_bytes(slice_of(room, token.len - 1)));
	memcpy(room, "\x60\x84\0\0\0", 5);
	memcpy(room + 5, token.at + 2, token.len - 2);
	assert_non_null(read_bytes(slice_of(room, token.len + 3)));
}

static void the_service_is_printable_and_cut_to_its_room(void **state)
{
	struct der d;
	struct ap_req a;
	struct parts p = usual;
	p.names[1] = SLICE("a\0\n\xff b");
	assert_null(ap_req_read(make(&d, &p), &a));
	for (size_t room = 1; room < 40; room++) {
		char *name = malloc(room);
		size_t len = ap_req_service(&a, name, room);
		assert_int_equal(len, room - 1 < 21 ? room - 1 : 21);
		assert_memory_equal(name, "HTTP/a????b@CORP.TEST", len);
		assert_int_equal(name[len], 0);
		free(name);
	}
}

/* What libkrb5 sends to a service of a Samba domain. */
static void what_a_library_sends_is_read(void **state)
{
	static char room[SEED_ROOM];
	char name[AP_REQ_NAME_BYTES];
	struct ap_req a;
	assert_null(ap_req_read(seed_read("ap_req", "mit_srv1", room), &a));
	ap_req_service(&a, name, sizeof(name));
	assert_string_equal(name, "HTTP/rmsconnector.corp.test@CORP.TEST");
	assert_int_equal(a.enctype, 18);
	assert_true(a.has_kvno);
	assert_true(a.authenticator.len > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_request_is_read),
	        cmocka_unit_test(numbers_are_as_short_as_they_can_be),
	        cmocka_unit_test(other_parts_are_refused),
	        cmocka_unit_test(what_is_cut_off_or_followed_is_refused),
	        cmocka_unit_test(a_spoiled_byte_changes_what_it_is_part_of_and_nothing_else),
	        cmocka_unit_test(lengths_longer_than_they_need_are_refused),
	        cmocka_unit_test(the_service_is_printable_and_cut_to_its_room),
	        cmocka_unit_test(what_a_library_sends_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
