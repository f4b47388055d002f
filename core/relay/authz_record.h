/* What was decided about a caller, made into a record for `explain` (store/decisions.h). Worker's thread. */
#pragma once
#include "core/relay/exchange.h"
#include "core/relay/principal.h"

/* who->decision is new, and not the one that before was: records it, unless the same was recorded less than its time ago. */
void authz_record(struct exchange *x, struct principal *who, const struct decision *before);
