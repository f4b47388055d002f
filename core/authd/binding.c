#include "core/authd/binding.h"

#include "proto/authd_msg.h"

#include <krb5.h>

/* Types and lengths of two addresses, none, then the length of the data: 4 bytes each (RFC 2744 3.11, RFC 4121 4.1.1.2). */
enum { LENGTH_AT = 16, HEAD = 20 };

bool binding_for_ntlm(struct slice data, uint8_t out[static NTLM_BINDING_BYTES])
{
	char bytes[HEAD + AUTHD_BINDING_BYTES] = {0};
	krb5_checksum sum = {0};
	if (data.len > AUTHD_BINDING_BYTES)
		return false;
	for (int i = 0; i < 4; i++)
		bytes[LENGTH_AT + i] = (char)(data.len >> (8 * i));
	memcpy(bytes + HEAD, data.at, data.len);
	krb5_data all = {.length = HEAD + (unsigned)data.len, .data = bytes};
	/* A checksum without a key needs nothing of a context. */
	bool done = krb5_c_make_checksum(NULL, CKSUMTYPE_RSA_MD5, NULL, 0, &all, &sum) == 0 &&
	            sum.length == NTLM_BINDING_BYTES;
	if (done)
		memcpy(out, sum.contents, NTLM_BINDING_BYTES);
	krb5_free_checksum_contents(NULL, &sum);
	return done;
}
