/* A Kerberos token: what is read lies inside it, and its service can be named in any room. */
#include "core/base/check.h"
#include "proto/ap_req.h"
#include "proto/spnego.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

static bool is_inside(struct slice s, struct slice whole)
{
	return s.at > whole.at && s.at + s.len <= whole.at + whole.len;
}

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	char *copy = malloc(n + !n), name[3 * AP_REQ_NAME_BYTES];
	memcpy(copy, bytes, n);
	struct slice token = slice_of(copy, n);
	struct ap_req a;
	const char *wrong = ap_req_read(token, &a);
	if (wrong) {
		CHECK(*wrong);
	} else {
		enum spnego_mech mech = spnego_mech_of(token);
		CHECK(mech == MECH_KERBEROS || mech == MECH_KERBEROS_MS);
		CHECK(a.name_count >= 1 && a.name_count <= AP_REQ_NAMES_MAX && is_inside(a.realm, token));
		CHECK(is_inside(a.authenticator, token) && a.authenticator.at > a.realm.at + a.realm.len);
		for (size_t i = 0; i < a.name_count; i++)
			CHECK(is_inside(a.names[i], token) && a.names[i].len <= AP_REQ_NAME_BYTES);
	}
	for (size_t room = 1; room <= sizeof(name); room = room * 4 - 1 + !(room - 1)) {
		size_t len = ap_req_service(&a, name, room);
		CHECK(len < room && strlen(name) == len);
	}
	free(copy);
	return 0;
}
