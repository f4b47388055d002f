/* Which hosts are a realm's domain controllers, in the order in which they are tried. Any thread. */
#pragma once
#include "core/authd/directory_conn.h"

struct directory_controllers; /* one for each realm */
/* All copied. named: NULL at the end; NULL or empty: the system's resolver is asked for SRV records, now and then anew. */
struct directory_controllers *directory_controllers_new(const char *realm, const char *const *named);
void directory_controllers_free(struct directory_controllers *c);
/* Those that failed a short while ago come last. Returns how many; 0: why is filled. */
size_t directory_controllers_get(struct directory_controllers *c,
                                 char out[static DIRECTORY_CONTROLLERS][DIRECTORY_TEXT], struct directory_problem *why);
void directory_controllers_answered(struct directory_controllers *c, const char *host);
void directory_controllers_failed(struct directory_controllers *c, const char *host);
