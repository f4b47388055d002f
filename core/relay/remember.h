/* The cloud's answers on their way to the caller, copied as they pass, where they may be given again (recall.h): whole, 200, framed by a length or in
 * chunks, not compressed, and such as rms_keep.h takes. Part of RELAY; the worker's thread only. */
#pragma once
#include "core/relay/exchange.h"

/* The head of the answer came; it is in relay->answer_head. Uses relay->scratch. */
void remember_begin(struct exchange *x, const struct http_head *head);
/* Content of it; when the answer is complete it is kept, if it may be. */
void remember_take(struct exchange *x, struct input content);
/* What was copied is given up. */
void remember_drop(struct exchange *x);
