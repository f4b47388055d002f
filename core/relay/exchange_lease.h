/* The connection to the cloud that an exchange has on lease: what it and its pool tell, as events of the exchange. The worker's thread only. */
#pragma once
#include "core/relay/exchange.h"

/* Of a new exchange. */
void exchange_prepare_lease(struct exchange *x);
void exchange_take_lease(struct exchange *x, struct upstream_conn *c);
/* Nothing happens when it has none. reusable: as for upstream_pool_release(). */
void exchange_give_back(struct exchange *x, bool reusable);
