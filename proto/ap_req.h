/* What a Kerberos AP-REQ says in the clear (RFC 4120 5.5.1, in the frame of RFC 4121 4.1): which service its ticket is for, with which version of which
 * kind of key, and the ciphertext of its authenticator. Strict DER, so that every parser sees the same in it. Pure. */
#pragma once
#include "core/base/slice.h"

enum { AP_REQ_NAMES_MAX = 8, AP_REQ_NAME_BYTES = 256 };

struct ap_req {
	struct slice realm;
	struct slice names[AP_REQ_NAMES_MAX]; /* of the service: "HTTP", "rms.corp.test" */
	size_t name_count;
	bool has_kvno;
	uint32_t kvno;
	int32_t enctype;
	struct slice authenticator; /* ciphertext */
};

/* token: 0x60 ... of the Kerberos mechanism. NULL when fine, else what is wrong. Slices borrow from token. */
const char *ap_req_read(struct slice token, struct ap_req *out);
/* "HTTP/rms.corp.test@CORP.TEST", with '?' for what is not printable ASCII; cut at n. Returns the length. */
size_t ap_req_service(const struct ap_req *a, char *out, size_t n);
