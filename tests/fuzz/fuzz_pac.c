/* A whole PAC; and buffers of one: flags (1: a UPN_DNS_INFO, 2: a requestor), length of each, the two, then KERB_VALIDATION_INFO. What is accepted holds together,
 * and is the same when it is read again. */
#include "proto/pac.h"

#include "core/base/check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

/* Of its own, so that a byte too far is found. */
static struct slice take(struct slice *from, size_t n)
{
	struct slice s = slice_until(*from, n);
	char *copy = malloc(s.len + !s.len);
	CHECK(copy);
	memcpy(copy, s.at, s.len);
	*from = slice_from(*from, n);
	return slice_of(copy, s.len);
}

static void check_account(const struct pac_account *a)
{
	size_t len = sid_set_bytes(&a->groups);
	char *wire = malloc(len);
	CHECK(wire);
	sid_set_write(&a->groups, wire);
	CHECK(sid_set_is_valid(slice_of(wire, len), a->groups.count) && sid_set_has(&a->groups, &a->sid));
	free(wire);
	const char *const names[] = {a->name, a->domain};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		CHECK(names[i][0] && strnlen(names[i], PAC_NAME_BYTES) < PAC_NAME_BYTES);
		for (const char *at = names[i]; *at; at++)
			CHECK((uint8_t)*at >= 0x20 && *at != 0x7f);
	}
}

/* The same bytes as a whole PAC: what is found lies within it. */
static void split(const char *bytes, size_t n)
{
	struct slice all = slice_of(bytes, n), whole = take(&all, n);
	struct pac_buffers b;
	bool has_logon;
	if (pac_split(whole, &b, &has_logon)) {
		const struct slice found[] = {b.logon, b.upn, b.requestor};
		for (size_t i = 0; i < ARRAY_COUNT(found); i++)
			CHECK(found[i].len == 0 ||
			      (found[i].at >= whole.at + 8 && found[i].at + found[i].len <= whole.at + whole.len));
	}
	free((char *)(uintptr_t)whole.at);
}

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	split(bytes, n);
	if (n < 3)
		return 0;
	struct slice left = slice_of(bytes + 3, n - 3);
	struct pac_buffers b = {.has_upn = bytes[0] & 1, .has_requestor = bytes[0] & 2};
	struct pac_account a, again;
	const char *why = NULL, *why_again = NULL;
	b.upn = take(&left, (uint8_t)bytes[1]);
	b.requestor = take(&left, (uint8_t)bytes[2]);
	b.logon = take(&left, left.len);
	enum pac_wrong wrong = pac_read(&b, &a, &why);
	CHECK(wrong != PAC_NOT_VALID || (why && *why));
	if (!wrong)
		check_account(&a);
	CHECK(pac_read(&b, &again, &why_again) == wrong && again.groups.count == a.groups.count &&
	      sid_compare(&again.sid, &a.sid) == 0 && again.requestor_differs == a.requestor_differs);
	pac_account_done(&a);
	pac_account_done(&again);
	free((char *)(uintptr_t)b.upn.at);
	free((char *)(uintptr_t)b.requestor.at);
	free((char *)(uintptr_t)b.logon.at);
	return 0;
}
