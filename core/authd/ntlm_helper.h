/* One ntlm_auth of Samba's, spoken to over pipes as Squid does: a line to it, a line back. It keeps the state of one handshake between two lines, so it
 * belongs to one at a time. Blocking; one thread at a time. Owned by ntlm.c. */
#pragma once
#include "core/base/arena.h"
#include "core/base/clock.h"

enum { NTLM_LINE_BYTES = 96 * 1024 };

struct ntlm_helper;
/* NULL: it cannot be started; *error is an errno. */
struct ntlm_helper *ntlm_helper_open(const char *program, int *error);
/* Ends it; waits for that for a moment only. */
void ntlm_helper_close(struct ntlm_helper *h);

/* word: "YR" begins a handshake, "KK" goes on. *answer: its line without the newline, in arena. false: it is broken or too slow; close it. */
bool ntlm_helper_say(struct ntlm_helper *h, const char *word, struct slice token, usec_t until, struct arena *arena,
                     struct slice *answer);
