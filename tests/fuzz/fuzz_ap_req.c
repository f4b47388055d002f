/* A Kerberos token, bare: what comes out lies inside what went in, and its service name is printable and bounded. */
#include "core/base/check.h"
#include "proto/ap_req.h"

int LLVMFuzzerTestOneInput(const char *bytes, size_t n);

int LLVMFuzzerTestOneInput(const char *bytes, size_t n)
{
	struct ap_req a;
	char name[100];
	if (ap_req_read(slice_of(bytes, n), &a))
		return 0;
	CHECK(a.name_count > 0 && a.name_count <= AP_REQ_NAMES_MAX);
	CHECK(a.authenticator.at > bytes && a.authenticator.at + a.authenticator.len == bytes + n);
	size_t length = ap_req_service(&a, name, sizeof(name));
	CHECK(length < sizeof(name) && strlen(name) == length);
	for (size_t i = 0; i < length; i++)
		CHECK(name[i] > 0x20 && name[i] < 0x7f);
	return 0;
}
