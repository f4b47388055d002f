/* E10: accounts and groups out of a PAC's buffers, as domain controllers write them; and that nothing spoiled is taken for another account. */
#include "proto/pac.h"
#include "tests/support/pac_build.h"
#include "tests/support/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define DOMAIN "S-1-5-21-10-20-30"

static const struct built_group few[] = {{513, 7}, {1107, 7}, {1109, 7}};
static const struct built_extra extra[] = {{"S-1-18-1", 7}, {"S-1-5-21-7-8-9-1200", 7}};
static const struct built_group resource[] = {{1301, 0x20000007}, {1302, 0x20000007}};
static const struct built_account plain = {.account = "exch$",
                                           .full_name = "Exchange",
                                           .domain = "CORP",
                                           .domain_sid = DOMAIN,
                                           .rid = 1105,
                                           .primary = 513,
                                           .groups = few,
                                           .group_count = 3};
static const struct built_account full = {.account = "exch$",
                                          .full_name = "Exchange",
                                          .domain = "CORP",
                                          .domain_sid = DOMAIN,
                                          .rid = 1105,
                                          .primary = 513,
                                          .groups = few,
                                          .group_count = 3,
                                          .extra = extra,
                                          .extra_count = 2,
                                          .resource_domain = "S-1-5-21-4-5-6",
                                          .resource = resource,
                                          .resource_count = 2};

/* In memory of exactly that size, so that a byte too far is found. */
static enum pac_wrong read_bytes(struct slice logon, struct pac_account *out)
{
	const char *why = "";
	char *copy = malloc(logon.len + !logon.len);
	memcpy(copy, logon.at, logon.len);
	enum pac_wrong wrong = pac_read(&(struct pac_buffers){.logon = slice_of(copy, logon.len)}, out, &why);
	assert_true(wrong != PAC_NOT_VALID || *why);
	free(copy);
	return wrong;
}

static enum pac_wrong read_account(const struct built_account *a, struct pac_account *out)
{
	struct built b = build_logon(a);
	enum pac_wrong wrong = read_bytes(slice_of(b.at, b.len), out);
	free(b.at);
	return wrong;
}

static bool has(const struct pac_account *a, const char *sid)
{
	struct sid s = built_sid_of(sid);
	return sid_set_has(&a->groups, &s);
}

static void assert_sid(const struct sid *s, const char *wanted)
{
	char text[SID_TEXT_BYTES];
	sid_print(s, text);
	assert_string_equal(text, wanted);
}

static void assert_refused(const struct built_account *a)
{
	struct pac_account out;
	assert_int_equal(read_account(a, &out), PAC_NOT_VALID);
	pac_account_done(&out);
}

static void an_account_has_its_groups(void **state)
{
	struct pac_account a;
	assert_int_equal(read_account(&full, &a), PAC_FINE);
	assert_string_equal(a.domain, "CORP");
	assert_string_equal(a.name, "exch$");
	assert_sid(&a.sid, DOMAIN "-1105");
	assert_sid(&a.domain_sid, DOMAIN);
	static const char *const wanted[] = {DOMAIN "-1105",        DOMAIN "-513",        DOMAIN "-1107",
	                                     DOMAIN "-1109",        "S-1-18-1",           "S-1-5-21-7-8-9-1200",
	                                     "S-1-5-21-4-5-6-1301", "S-1-5-21-4-5-6-1302"};
	assert_int_equal(a.groups.count, ARRAY_COUNT(wanted));
	for (size_t i = 0; i < ARRAY_COUNT(wanted); i++)
		assert_true(has(&a, wanted[i]));
	assert_false(a.requestor_differs);
	pac_account_done(&a);
}

static void no_groups_leave_the_account_and_its_primary_group(void **state)
{
	struct built_account with = plain;
	struct pac_account a;
	with.group_count = 0;
	assert_int_equal(read_account(&with, &a), PAC_FINE);
	assert_int_equal(a.groups.count, 2);
	pac_account_done(&a);
	with.primary = 0;
	assert_int_equal(read_account(&with, &a), PAC_FINE);
	assert_int_equal(a.groups.count, 1);
	assert_true(has(&a, DOMAIN "-1105"));
	pac_account_done(&a);
}

static void as_many_groups_as_windows_has_and_no_more_than_the_bound(void **state)
{
	static struct built_group many[SID_SET_MAX + 1];
	for (uint32_t i = 0; i < ARRAY_COUNT(many); i++)
		many[i] = (struct built_group){2000 + i, 7};
	struct built_account with = plain;
	struct pac_account a;
	with.groups = many;
	with.group_count = 1015;
	assert_int_equal(read_account(&with, &a), PAC_FINE);
	assert_int_equal(a.groups.count, 1017);
	assert_true(has(&a, DOMAIN "-3014"));
	pac_account_done(&a);
	for (with.group_count = SID_SET_MAX - 2; with.group_count <= SID_SET_MAX + 1; with.group_count++) {
		assert_int_equal(read_account(&with, &a), with.group_count > SID_SET_MAX - 2 ? PAC_TOO_MANY : PAC_FINE);
		pac_account_done(&a);
	}
	with.group_count = SID_SET_MAX / 2;
	with.resource_domain = "S-1-5-21-4-5-6";
	with.resource = many;
	with.resource_count = SID_SET_MAX / 2;
	assert_int_equal(read_account(&with, &a), PAC_TOO_MANY);
	pac_account_done(&a);
}

static void what_does_not_count_is_not_there(void **state)
{
	static const uint32_t never[] = {0, 1, 2, 3, 0x10, 0x14, 0x17, 0x20000003, 0xc0000013};
	for (size_t i = 0; i < ARRAY_COUNT(never); i++) {
		struct built_group groups[] = {{1107, never[i]}, {1108, 4}};
		struct built_extra extras[] = {{"S-1-5-21-7-8-9-1200", never[i]}};
		struct built_group resources[] = {{1301, never[i]}};
		struct built_account with = full;
		struct pac_account a;
		with.groups = groups, with.group_count = 2;
		with.extra = extras, with.extra_count = 1;
		with.resource = resources, with.resource_count = 1;
		assert_int_equal(read_account(&with, &a), PAC_FINE);
		assert_int_equal(a.groups.count, 3);
		assert_true(has(&a, DOMAIN "-1108"));
		pac_account_done(&a);
	}
}

static void a_group_that_one_list_denies_is_denied(void **state)
{
	static const struct built_group primary_denied[] = {{513, 0x10}, {1107, 7}};
	static const struct built_extra again[] = {{DOMAIN "-1107", 0x14}};
	struct built_account with = plain;
	struct pac_account a;
	with.groups = primary_denied, with.group_count = 2;
	with.extra = again, with.extra_count = 1;
	assert_int_equal(read_account(&with, &a), PAC_FINE);
	assert_int_equal(a.groups.count, 1);
	assert_false(has(&a, DOMAIN "-513"));
	assert_false(has(&a, DOMAIN "-1107"));
	pac_account_done(&a);
	static const struct built_extra own[] = {{DOMAIN "-1105", 0x10}};
	with.extra = own;
	assert_refused(&with);
}

static void lists_without_their_flag_are_refused(void **state)
{
	struct built_account with = full;
	with.flags_off = 0x20;
	assert_refused(&with);
	with.flags_off = 0x200;
	assert_refused(&with);
}

static void an_account_of_elsewhere_is_the_first_extra_sid(void **state)
{
	static const struct built_extra own[] = {{"S-1-5-21-7-8-9-1200", 7}, {"S-1-18-1", 7}};
	struct built_account with = {.account = "guest", .domain = "THERE", .domain_sid = "S-1-5-21-7-8-9"};
	struct pac_account a;
	assert_refused(&with); /* there is none */
	with.extra = own, with.extra_count = 2;
	assert_int_equal(read_account(&with, &a), PAC_FINE);
	assert_sid(&a.sid, "S-1-5-21-7-8-9-1200");
	assert_int_equal(a.groups.count, 2);
	pac_account_done(&a);
	static const struct built_extra denied[] = {{"S-1-5-21-7-8-9-1200", 0x10}, {"S-1-18-1", 7}};
	with.extra = denied;
	assert_refused(&with);
}

static void what_lacks_a_name_or_a_domain_is_refused(void **state)
{
	struct built_account with = plain;
	with.account = "";
	assert_refused(&with);
	with.account = NULL;
	assert_refused(&with);
	with = plain;
	with.domain = "";
	assert_refused(&with);
	with = plain;
	with.domain_sid = NULL;
	assert_refused(&with);
	static const char *const no_domains[] = {"S-1-5-32",         "S-1-5-21-1-2",
	                                         "S-1-5-21-1-2-3-4", "S-1-5-277-1-2-3",
	                                         "S-1-6-21-1-2-3",   "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15"};
	for (size_t i = 0; i < ARRAY_COUNT(no_domains); i++) {
		with.domain_sid = no_domains[i];
		assert_refused(&with);
		struct built_account other = full;
		other.resource_domain = no_domains[i];
		assert_refused(&other);
	}
	with = full;
	with.resource_domain = NULL;
	assert_refused(&with);
}

static void names_are_utf8_without_control_characters(void **state)
{
	static const struct {
		uint16_t units[2];
		const char *utf8; /* NULL: refused */
	} names[] = {{{'a', 0xe4}, "a\xc3\xa4"},
	             {{0x20ac, 0x7ff}, "\xe2\x82\xac\xdf\xbf"},
	             {{0xd83d, 0xde00}, "\xf0\x9f\x98\x80"},
	             {{0xdbff, 0xdfff}, "\xf4\x8f\xbf\xbf"},
	             {{0xde00, 0xd83d}, NULL},
	             {{'a', 0xd83d}, NULL},
	             {{0xd83d, 'a'}, NULL},
	             {{0xd83d, 0xd83d}, NULL},
	             {{'a', 0}, NULL},
	             {{'a', '\n'}, NULL},
	             {{0x7f, 'a'}, NULL},
	             {{0x9b, 'a'}, NULL}};
	struct built_account with = plain;
	with.account = "xx";
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		struct built b = build_logon(&with);
		struct pac_account a;
		memcpy(b.at + 20 + 216 + 12, names[i].units, 4);
		enum pac_wrong wrong = read_bytes(slice_of(b.at, b.len), &a);
		assert_int_equal(wrong, names[i].utf8 ? PAC_FINE : PAC_NOT_VALID);
		if (names[i].utf8)
			assert_string_equal(a.name, names[i].utf8);
		pac_account_done(&a);
		free(b.at);
	}
	char longest[PAC_NAME_BYTES + 1];
	memset(longest, 'x', PAC_NAME_BYTES);
	longest[PAC_NAME_BYTES] = 0;
	with.account = longest;
	assert_refused(&with);
}

/* ---- spoiled ---- */

static bool is_same(const struct pac_account *a, const struct pac_account *b)
{
	if (strcmp(a->name, b->name) != 0 || strcmp(a->domain, b->domain) != 0 || sid_compare(&a->sid, &b->sid) != 0 ||
	    sid_compare(&a->domain_sid, &b->domain_sid) != 0 || a->groups.count != b->groups.count)
		return false;
	for (uint32_t i = 0; i < a->groups.count; i++)
		if (sid_compare(&a->groups.at[i], &b->groups.at[i]) != 0)
			return false;
	return true;
}

static void set_word(char *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (char)(value >> (8 * i));
}

static uint32_t word(const char *at)
{
	uint32_t value = 0;
	for (int i = 0; i < 4; i++)
		value |= (uint32_t)(uint8_t)at[i] << (8 * i);
	return value;
}

static void what_is_cut_off_is_refused(void **state)
{
	static const struct built_account *const whole[] = {&plain, &full};
	for (size_t i = 0; i < ARRAY_COUNT(whole); i++) {
		struct built b = build_logon(whole[i]);
		struct pac_account a;
		for (size_t n = 0; n < b.len; n++) {
			assert_int_equal(read_bytes(slice_of(b.at, n), &a), PAC_NOT_VALID);
			pac_account_done(&a);
		}
		for (size_t n = 16; n < b.used; n++) { /* and when its length says the same */
			set_word(b.at + 8, (uint32_t)(n - 16));
			assert_int_equal(read_bytes(slice_of(b.at, n), &a), PAC_NOT_VALID);
			pac_account_done(&a);
			assert_int_equal(read_bytes(slice_of(b.at, b.len), &a), PAC_NOT_VALID);
			pac_account_done(&a);
		}
		free(b.at);
	}
}

static void more_than_padding_behind_the_end_is_refused(void **state)
{
	struct built b = build_logon(&full);
	struct pac_account a;
	for (size_t more = 0; more < 32; more++) {
		set_word(b.at + 8, (uint32_t)(b.used + more - 16));
		assert_int_equal(read_bytes(slice_of(b.at, b.used + more), &a), more < 8 ? PAC_FINE : PAC_NOT_VALID);
		pac_account_done(&a);
	}
	free(b.at);
}

/* Each of the words at these places, once with each of these values: refused, or the same account. Returns how many were the same. */
static unsigned spoil(struct built *b, const size_t *places, size_t n, bool may_be_same)
{
	static const uint32_t values[] = {
	        0,    1,     2,       3,          4,          5,          7,          8,          12,
	        15,   16,    28,      64,         255,        256,        1015,       4095,       4096,
	        4097, 65535, 0x10000, 0x7fffffff, 0x80000000, 0x1fffffff, 0x20000001, 0xfffffffe, 0xffffffff};
	struct pac_account good, a;
	unsigned same = 0;
	assert_int_equal(read_bytes(slice_of(b->at, b->len), &good), PAC_FINE);
	for (size_t i = 0; i < n; i++) {
		uint32_t before = word(b->at + places[i]);
		for (size_t v = 0; v < ARRAY_COUNT(values) + 2; v++) {
			uint32_t value = v < ARRAY_COUNT(values)    ? values[v]
			                 : v == ARRAY_COUNT(values) ? before + 1
			                                            : before - 1;
			if (value == before)
				continue;
			set_word(b->at + places[i], value);
			if (read_bytes(slice_of(b->at, b->len), &a) == PAC_FINE) {
				if (!is_same(&a, &good) || !may_be_same)
					fail_msg("the word at %zu, %u made %u, is accepted", places[i], before, value);
				same++;
			}
			pac_account_done(&a);
		}
		set_word(b->at + places[i], before);
	}
	pac_account_done(&good);
	return same;
}

static void spoiled_counts_are_refused(void **state)
{
	struct built b = build_logon(&full);
	assert_true(b.count_count > 30 && b.count_count < BUILT_MARKS);
	assert_int_equal(spoil(&b, b.counts, b.count_count, false), 0);
	free(b.at);
}

static void spoiled_pointers_are_refused_or_as_good(void **state)
{
	struct built b = build_logon(&full);
	assert_true(b.pointer_count > 10 && b.pointer_count < BUILT_MARKS);
	assert_true(spoil(&b, b.pointers, b.pointer_count, true) > 0); /* any that is not null points at the same */
	struct pac_account a;
	for (size_t i = 0; i < b.pointer_count; i++) {
		uint32_t before = word(b.at + b.pointers[i]);
		set_word(b.at + b.pointers[i], 0);
		assert_int_equal(read_bytes(slice_of(b.at, b.len), &a), PAC_NOT_VALID);
		pac_account_done(&a);
		set_word(b.at + b.pointers[i], before);
	}
	free(b.at);
}

/* Whatever byte is another one: nothing is read out of bounds, and what is accepted holds together. */
static void any_spoiled_byte_is_survived(void **state)
{
	static const uint8_t with[] = {0x01, 0x04, 0x10, 0x20, 0x80, 0xff};
	struct built b = build_logon(&full);
	for (size_t i = 0; i < b.len; i++)
		for (size_t k = 0; k < ARRAY_COUNT(with); k++) {
			struct pac_account a;
			b.at[i] ^= (char)with[k];
			if (read_bytes(slice_of(b.at, b.len), &a) == PAC_FINE) {
				assert_true(i >= 12); /* the frame is exact */
				assert_true(sid_set_has(&a.groups, &a.sid) && a.groups.count <= 9);
				assert_true(a.name[0] && a.domain[0]);
			}
			pac_account_done(&a);
			b.at[i] ^= (char)with[k];
		}
	free(b.at);
}

/* ---- the other buffers ---- */

static enum pac_wrong read_with(struct pac_buffers with, bool *differs)
{
	struct built b = build_logon(&plain);
	struct pac_account a;
	const char *why = "";
	with.logon = slice_of(b.at, b.len);
	enum pac_wrong wrong = pac_read(&with, &a, &why);
	*differs = a.requestor_differs;
	pac_account_done(&a);
	free(b.at);
	return wrong;
}

static void the_requestor_is_the_account(void **state)
{
	static const struct {
		const char *sid;
		bool differs;
	} requestors[] = {{DOMAIN "-1105", false}, {DOMAIN "-1106", true}, {DOMAIN, true}, {"S-1-5-18", true}};
	bool differs;
	for (size_t i = 0; i < ARRAY_COUNT(requestors); i++) {
		struct sid s = built_sid_of(requestors[i].sid);
		char room[256], padded[SID_BYTES_MAX + 8] = {0};
		memcpy(padded, s.bytes, sid_bytes(&s));
		for (size_t more = 0; more < 8; more++) {
			struct slice bytes = slice_of(padded, sid_bytes(&s) + more);
			assert_int_equal(
			        read_with((struct pac_buffers){.has_requestor = true, .requestor = bytes}, &differs),
			        PAC_FINE);
			assert_int_equal(differs, requestors[i].differs);
		}
		for (size_t n = 0; n <= sid_bytes(&s) + 8; n += n == sid_bytes(&s) - 1 ? 9 : 1)
			assert_int_equal(
			        read_with((struct pac_buffers){.has_requestor = true, .requestor = slice_of(padded, n)},
			                  &differs),
			        PAC_NOT_VALID);
		struct slice upn = build_upn(requestors[i].sid, room);
		assert_int_equal(read_with((struct pac_buffers){.has_upn = true, .upn = upn}, &differs), PAC_FINE);
		assert_int_equal(differs, requestors[i].differs);
	}
}

static void dns_data_is_whole_or_refused(void **state)
{
	char room[256], none[256];
	bool differs;
	struct slice upn = build_upn(DOMAIN "-1105", room);
	for (size_t n = 0; n < upn.len; n++) {
		char *copy = malloc(n + 1);
		memcpy(copy, upn.at, n);
		struct pac_buffers b = {.has_upn = true, .upn = slice_of(copy, n)};
		assert_int_equal(read_with(b, &differs), PAC_NOT_VALID);
		free(copy);
	}
	for (size_t at = 16; at < 20; at++)
		for (unsigned x = 1; x < 256; x++) { /* length and offset of the SID */
			room[at] ^= (char)x;
			assert_int_equal(read_with((struct pac_buffers){.has_upn = true, .upn = upn}, &differs),
			                 PAC_NOT_VALID);
			room[at] ^= (char)x;
		}
	struct pac_buffers b = {.has_upn = true, .upn = build_upn(NULL, none)};
	assert_int_equal(read_with(b, &differs), PAC_FINE);
	assert_false(differs);
	b.upn.len = 11;
	assert_int_equal(read_with(b, &differs), PAC_NOT_VALID);
	b.upn.len = 0;
	assert_int_equal(read_with(b, &differs), PAC_NOT_VALID);
}

/* As fuzz_pac takes them. */
static bool is_seed(const char *name, const struct built_account *account, struct slice upn, struct slice requestor)
{
	char out[8192] = {(char)((upn.len ? 1 : 0) | (requestor.len ? 2 : 0)), (char)upn.len, (char)requestor.len};
	struct built b = build_logon(account);
	size_t n = 3;
	struct slice parts[] = {upn, requestor, slice_of(b.at, b.len)};
	for (size_t i = 0; i < ARRAY_COUNT(parts); n += parts[i++].len) {
		assert_true(n + parts[i].len <= sizeof(out));
		if (parts[i].len)
			memcpy(out + n, parts[i].at, parts[i].len);
	}
	free(b.at);
	return seed_is("pac", name, slice_of(out, n));
}

static void the_fuzzer_starts_from_these(void **state)
{
	char room[256];
	struct slice none = {NULL, 0}, upn = build_upn(DOMAIN "-1105", room);
	struct sid s = built_sid_of(DOMAIN "-1105");
	struct slice requestor = slice_of((const char *)s.bytes, sid_bytes(&s));
	assert_true(is_seed("plain", &plain, none, none));
	assert_true(is_seed("full", &full, upn, requestor));
	static const struct built_extra own[] = {{"S-1-5-21-7-8-9-1200", 7}, {"S-1-18-1", 7}};
	struct built_account elsewhere = {
	        .account = "guest", .domain = "THERE", .domain_sid = "S-1-5-21-7-8-9", .extra = own, .extra_count = 2};
	assert_true(is_seed("elsewhere", &elsewhere, none, requestor));
}

/* Of a Samba domain with a trust: what its controllers wrote into tickets for one service of CORP. */
static void what_controllers_write_is_read(void **state)
{
#define SAMBA   "S-1-5-21-139174971-2041744391-1389920372"
#define PARTNER "S-1-5-21-2295322811-1632382468-3614759986"
	static const struct {
		const char *seed, *domain, *name, *groups[5]; /* the account's own first */
	} tickets[] = {{"samba_srv1",
	                "CORP",
	                "SRV1$",
	                {SAMBA "-1103", SAMBA "-515", SAMBA "-1766", SAMBA "-1767", "S-1-18-1"}},
	               {"samba_fs01", "CORP", "FS01$", {SAMBA "-1105", SAMBA "-515", SAMBA "-1770", "S-1-18-1"}},
	               {"samba_gustav", "PARTNER", "gustav", {PARTNER "-1104", PARTNER "-513", "S-1-18-1"}}};
	static char room[SEED_ROOM];
	for (size_t i = 0; i < ARRAY_COUNT(tickets); i++) {
		struct slice seed = seed_read("pac", tickets[i].seed, room);
		assert_true(seed.len > 3 && seed.at[0] == 1);
		size_t upn = (uint8_t)seed.at[1], count = 0;
		struct pac_buffers b = {
		        .has_upn = true, .upn = slice_of(seed.at + 3, upn), .logon = slice_from(seed, 3 + upn)};
		struct pac_account a;
		const char *why = "";
		assert_int_equal(pac_read(&b, &a, &why), PAC_FINE);
		assert_string_equal(a.domain, tickets[i].domain);
		assert_string_equal(a.name, tickets[i].name);
		assert_sid(&a.sid, tickets[i].groups[0]);
		for (; count < ARRAY_COUNT(tickets[i].groups) && tickets[i].groups[count]; count++)
			assert_true(has(&a, tickets[i].groups[count]));
		assert_int_equal(a.groups.count, count);
		assert_false(a.requestor_differs);
		pac_account_done(&a);
		struct slice logon = b.logon;
		for (size_t n = 0; n < logon.len; n++) {
			assert_int_equal(read_bytes(slice_until(logon, n), &a), PAC_NOT_VALID);
			pac_account_done(&a);
		}
	}
}

/* ---- a whole PAC ---- */

struct place {
	uint32_t kind, length, offset;
};

/* In memory of exactly that size; the buffers of out are not to be looked into. */
static bool split(uint32_t count, uint32_t version, const struct place *places, size_t rows, size_t body,
                  struct pac_buffers *out, bool *has_logon, size_t *logon_at)
{
	struct built b = {.at = malloc(BUILT_MAX)};
	built_put(&b, count, 4);
	built_put(&b, version, 4);
	for (size_t i = 0; i < rows; i++) {
		built_put(&b, places[i].kind, 4);
		built_put(&b, places[i].length, 4);
		built_put(&b, places[i].offset, 8);
	}
	for (size_t i = 0; i < body; i++)
		built_put(&b, i, 1);
	char *whole = malloc(b.len);
	memcpy(whole, b.at, b.len);
	bool fine = pac_split(slice_of(whole, b.len), out, has_logon);
	*logon_at = *has_logon ? (size_t)(out->logon.at - whole) : 0;
	free(whole);
	free(b.at);
	return fine;
}

static void a_whole_pac_shows_its_buffers(void **state)
{
	const struct place places[] = {{6, 16, 88}, {1, 8, 72}, {18, 0, 104}, {12, 24, 80}};
	struct pac_buffers b;
	bool has_logon;
	size_t at;
	assert_true(split(4, 0, places, 4, 40, &b, &has_logon, &at));
	assert_true(has_logon && at == 72 && b.logon.len == 8 && b.has_upn && b.upn.len == 24 && b.has_requestor &&
	            b.requestor.len == 0);
	assert_true(split(1, 0, places, 1, 80, &b, &has_logon, &at)); /* a signature alone */
	assert_true(!has_logon && !b.has_upn && !b.has_requestor);
}

static void a_pac_that_is_not_framed_is_refused(void **state)
{
	static const struct {
		const char *what;
		uint32_t count, version;
		size_t rows, body;
		struct place places[2];
	} cases[] = {
	        {"another version", 1, 1, 1, 8, {{1, 8, 24}}},
	        {"fewer rows than it says", 2, 0, 1, 8, {{1, 8, 24}}},
	        {"more rows than any has", 65, 0, 2, 1200, {{1, 8, 1048}}},
	        {"a buffer among the rows", 1, 0, 1, 8, {{1, 8, 16}}},
	        {"a buffer that begins behind the end", 1, 0, 1, 8, {{1, 0, 33}}},
	        {"a buffer that ends behind the end", 1, 0, 1, 8, {{1, 9, 24}}},
	        {"a length that wraps", 1, 0, 1, 8, {{1, UINT32_MAX, 24}}},
	        {"the account data twice", 2, 0, 2, 8, {{1, 4, 40}, {1, 4, 40}}},
	        {"the requestor twice", 2, 0, 2, 8, {{18, 4, 40}, {18, 4, 44}}},
	        {"the DNS data twice", 2, 0, 2, 8, {{12, 4, 40}, {12, 4, 44}}},
	};
	struct pac_buffers b;
	bool has_logon;
	size_t at;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (split(cases[i].count, cases[i].version, cases[i].places, cases[i].rows, cases[i].body, &b,
		          &has_logon, &at))
			fail_msg("%s", cases[i].what);
	assert_false(pac_split(SLICE("\0\0\0\0\0\0\0"), &b, &has_logon));
	assert_false(pac_split(SLICE("\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\x18\0\0\0\1\0\0\0"), &b,
	                       &has_logon)); /* 64 bits of offset */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(an_account_has_its_groups),
	        cmocka_unit_test(no_groups_leave_the_account_and_its_primary_group),
	        cmocka_unit_test(as_many_groups_as_windows_has_and_no_more_than_the_bound),
	        cmocka_unit_test(what_does_not_count_is_not_there),
	        cmocka_unit_test(a_group_that_one_list_denies_is_denied),
	        cmocka_unit_test(lists_without_their_flag_are_refused),
	        cmocka_unit_test(an_account_of_elsewhere_is_the_first_extra_sid),
	        cmocka_unit_test(what_lacks_a_name_or_a_domain_is_refused),
	        cmocka_unit_test(names_are_utf8_without_control_characters),
	        cmocka_unit_test(what_is_cut_off_is_refused),
	        cmocka_unit_test(more_than_padding_behind_the_end_is_refused),
	        cmocka_unit_test(spoiled_counts_are_refused),
	        cmocka_unit_test(spoiled_pointers_are_refused_or_as_good),
	        cmocka_unit_test(any_spoiled_byte_is_survived),
	        cmocka_unit_test(the_requestor_is_the_account),
	        cmocka_unit_test(dns_data_is_whole_or_refused),
	        cmocka_unit_test(the_fuzzer_starts_from_these),
	        cmocka_unit_test(what_controllers_write_is_read),
	        cmocka_unit_test(a_whole_pac_shows_its_buffers),
	        cmocka_unit_test(a_pac_that_is_not_framed_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
