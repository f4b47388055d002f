/* Names to addresses with c-ares, in the loop's thread; the only file that sees c-ares. Answers are kept for their TTL, 5 to 300 s; the hosts file
 * is read too. Addresses in literal form are answered at once. */
#pragma once
#include "core/base/err.h"
#include "core/net/loop.h"

#include <netinet/in.h>

enum { RESOLVED_MAX = 16 };

struct resolved {
	struct sockaddr_storage address[RESOLVED_MAX]; /* with the port asked for; v6 and v4 alternate, v6 first */
	size_t count;
};

struct resolver;
/* Called once, perhaps before resolver_lookup returns. ERR_NAME with the reason in words, and in sys UV_EAI_NONAME (there is no such name), UV_EAI_NODATA
 * (it has no address) or UV_EAI_AGAIN (no name server answered); answer is borrowed during the call. */
typedef void resolved_fn(void *context, struct err why, const struct resolved *answer);

/* servers: "127.0.0.10:53,..." or empty for the system's. */
struct err resolver_new(struct loop *l, const char *servers, struct resolver **out);
void resolver_lookup(struct resolver *r, const char *host, uint16_t port, resolved_fn *done, void *context);
/* Forgets the kept answer for a host, when none of its addresses works. */
void resolver_forget(struct resolver *r, const char *host);
/* Answers what is open with ERR_NAME, closes its handles over the next turns of the loop. */
void resolver_close(struct resolver *r);
