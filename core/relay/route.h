/* What a request head asks for: a service, an operation, a page of our own, or a refusal. Pure but for reading settings. */
#pragma once
#include "core/relay/exchange.h"

/* Fills x->service, x->op, x->soap, x->action_unknown, x->wants_100 from the head. ERR_NONE: go on; else the answer's row. */
struct err route_request(struct exchange *x, const struct http_head *head);
bool route_is_health(struct slice path);
