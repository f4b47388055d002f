/* Account data of a ticket, as a domain controller signs it; and the same bytes as its other buffers. What is accepted is whole: a set of SIDs that the
 * wire takes, with the account in it. */
#include "core/base/check.h"
#include "proto/pac.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

static void read_all(const struct pac_buffers *b)
{
	struct pac_account who;
	const char *why = NULL;
	enum pac_wrong wrong = pac_read(b, &who, &why);
	CHECK(wrong != PAC_NOT_VALID || why);
	if (wrong == PAC_FINE) {
		size_t size = sid_set_bytes(&who.groups);
		char *set = malloc(size);
		CHECK(who.name[0] && who.domain[0] && !sid_is_none(&who.sid) && who.groups.count > 0 && set);
		sid_set_write(&who.groups, set);
		CHECK(sid_set_is_valid(slice_of(set, size), who.groups.count));
		free(set);
	}
	pac_account_done(&who);
}

/* The first two bytes say where the second buffer begins. */
int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	if (n < 2)
		return 0;
	size_t cut = 2 + (size_t)((uint8_t)bytes[0] | (uint8_t)bytes[1] << 8);
	struct slice all = slice_of(bytes, n),
	             logon = cut < n ? slice_of(bytes + 2, cut - 2) : slice_of(bytes + 2, n - 2);
	struct slice rest = cut < n ? slice_from(all, cut) : slice_of(NULL, 0);
	read_all(&(struct pac_buffers){.logon = logon});
	read_all(&(struct pac_buffers){.logon = logon, .upn = rest});
	read_all(&(struct pac_buffers){.logon = logon, .requestor = rest});
	return 0;
}
