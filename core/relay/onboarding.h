/* Onboarding controls of a tenant say which accounts may protect. A node whose account is not among them is told so by the service in a SOAP fault, which
 * passes to the caller as it is; here it is recognized, so that the node's administrator hears of it too. The word is looked for anywhere in the fault: how
 * exactly the service says it is not documented. */
#pragma once
#include "core/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct upstream;

/* state: 0 before the first piece of a fault, then as it was left. true: the word is complete with this piece, for the first time. */
bool onboarding_seen(uint8_t *state, struct slice piece);
/* Once in an hour for each credential. */
void onboarding_tell(const struct upstream *u);
