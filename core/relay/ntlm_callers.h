/* Callers with NTLM, for the administrator who wants to be rid of it: while it is on, once a day an event with their names; while it is off, each that was
 * refused once, with the line that gives it a Kerberos ticket. One table for the process, under a lock; any thread. */
#pragma once
#include "proto/ntlm_names.h"

enum { NTLM_CALLERS_MAX = 4096, NTLM_DAY_S = 24 * 3600 };

/* NTLM is off. address: of the caller; names: what its token says; host: of the URL that it used, with or without port; may be empty. */
void ntlm_callers_refused(const char *address, const struct ntlm_names *names, struct slice host);
/* NTLM is on, and this account came with it. */
void ntlm_callers_used(const char *account);
/* Each second, in the main thread: when a day is over since the first was noted, the event. all: now. */
void ntlm_callers_tick(bool all);
void ntlm_callers_forget(void);
