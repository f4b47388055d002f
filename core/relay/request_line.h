/* The request log's line of one exchange: who, what, how long, what it came to. */
#pragma once
#include "core/relay/exchange.h"

void request_line_write(struct exchange *x, enum err_effect effect);
