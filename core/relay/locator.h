/* auth.anonymous_locator: local. FindServiceLocations of callers who do not say who they are is answered here, from settings; nothing of it reaches the cloud,
 * and no other operation is answered or relayed so. Part of an exchange's steps; the worker's thread only. */
#pragma once
#include "core/relay/exchange.h"
#include "proto/rms_locations.h"

/* It brought no Authorization, and may have its answer all the same. */
bool locator_takes(const struct exchange *x);
/* COLLECT of such an exchange: waits for the whole question, then ANSWER. */
enum step locator_collect(struct exchange *x);
/* ANSWER, in the same turn. */
void locator_answer(struct exchange *x, bool close);
