/* The list credentials: of the configuration. For config_load.c. */
#pragma once
#include "core/ops/config_load_value.h"

void reader_credentials(struct reader *r, const struct key *key);
