/* What the directory told, made into the record that survives a restart, and back. Main thread. */
#pragma once
#include "core/relay/expansions.h"

/* malloc'd; NULL: nothing is to be kept, or no memory. wall_s: now, since 1970. Of standings only those that keep somebody out. */
char *directory_kept_write(const struct expansions *groups, const struct standings *standings, uint64_t wall_s,
                           size_t *len);
/* Into groups and *standings, which are empty. Answers older than max_age_s, and those from the time to come, are left out. */
void directory_kept_restore(const struct directory_record *kept, uint64_t wall_s, uint64_t max_age_s,
                            struct expansions *groups, struct standings **standings);
