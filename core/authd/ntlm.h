/* NTLM, bare and in SPNEGO, checked by Samba's winbind: a bounded pool of ntlm_auth helpers, one reserved for each handshake between its two legs. Who the
 * account's groups are is asked of the directory. Off unless auth.ntlm says winbind. */
#pragma once
#include "core/authd/authd.h"

enum {
	NTLM_HELPERS = 16 /* handshakes in flight */,
	NTLM_LEG_MS = 15000,
	NTLM_RESERVED_MS = 30000,
	NTLM_IDENTITY_S = 3600
};

/* Sets a->ntlm, a->ntlm_step and a->ntlm_cancel, or leaves them NULL. Starts nothing. */
struct err ntlm_open(struct authd *a);
void ntlm_close(struct authd *a);
