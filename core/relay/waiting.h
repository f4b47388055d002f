/* What an exchange does between two turns: whom it waits for, how long, and what it says when the wait was too long. The worker's thread only. */
#pragma once
#include "core/relay/exchange.h"

/* The turn ends here: keeps what borrowed the loop's buffer, and bounds the wait. May reset the connection: then x is gone. */
void exchange_park(struct exchange *x);
/* The caller left (EV_CLIENT_GONE), or a wait was too long (EV_TIMEOUT): what the steps would have to say is the same everywhere, so it
 * stands here once. */
enum step exchange_cut_short(struct exchange *x, enum event ev);
