#include "core/relay/entrance.h"

void entrance_open(struct entrance *e, const struct listener_settings *s)
{
	*e = (struct entrance){.behind = s->behind};
}
