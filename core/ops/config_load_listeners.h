/* The list listeners: of the configuration. For config_load.c. */
#pragma once
#include "core/ops/config_load_value.h"

void reader_listeners(struct reader *r, const struct key *key);
