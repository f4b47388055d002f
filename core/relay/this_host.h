/* Whether a caller is the computer account of this machine itself: a connector that would call itself. Any thread. */
#pragma once
#include "core/base/slice.h"

enum { HOST_BYTES = 256 };

/* account: "CORP\\NODE1$"; principal: "NODE1$@CORP.TEST" or empty. A machine of the same name in another domain is another one, where this machine's own
 * domain is known: by its host name (node1.corp.test) or by its line in /etc/hosts. Where it is not, the name alone decides. */
bool this_host_is(const char *account, const char *principal);

/* The same for any host; domain: "corp.test" or empty. */
bool host_is_account(const char *host, const char *domain, const char *account, const char *principal);
/* The domain of a host's full name in what /etc/hosts holds. false: there is none. */
bool host_domain_in(struct slice hosts, const char *host, char out[static HOST_BYTES]);
