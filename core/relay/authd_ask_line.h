/* What is said to the cloud for a credential of the kind exec: rms-connector-authd is asked to run its program. Main thread. */
#pragma once
#include "core/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct authd_ask;

/* told: once, later: the line and when it ends, or problem, for people; both borrowed. false: nothing will be told. */
bool authd_ask_line(struct authd_ask *a, const char *credential,
                    void (*told)(void *owner, size_t index, struct slice line, int64_t ends_s, const char *problem),
                    void *owner, size_t index);
