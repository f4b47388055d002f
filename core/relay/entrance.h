/* What the settings of a listener mean for its connections. One for each listener of a worker, owned by that; its thread only. */
#pragma once
#include "core/base/settings.h"

struct entrance {
	enum behind behind;
};

void entrance_open(struct entrance *e, const struct listener_settings *s);
