/* Who an NTLM message says its sender is: for the log, never for a decision. [MS-NLMP] 2.2.1.1, 2.2.1.3. Pure; any thread. */
#pragma once
#include "core/base/slice.h"

enum { NTLM_NAME_BYTES = 65 };

/* Printable ASCII, other characters as '?'; cut to what fits; "" when it is not said. */
struct ntlm_names {
	char domain[NTLM_NAME_BYTES], account[NTLM_NAME_BYTES], workstation[NTLM_NAME_BYTES];
};

/* token: the first or third message, without SPNEGO around it; of anything else, and of fields that lie outside of it, out says nothing. */
void ntlm_names_read(struct slice token, struct ntlm_names *out);
