/* Event 1004 with every row of a list, or 2003, after each reading that went well. Main thread. */
#pragma once
#include "store/authlist.h"

void authlist_tell(const struct authlist *list, const char *path, bool same);
