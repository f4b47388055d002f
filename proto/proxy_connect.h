/* A way through a web proxy: the CONNECT request, what the proxy answers (RFC 9110 9.3.6, 15.5.8), and which hosts go past it. Pure. */
#pragma once
#include "core/base/slice.h"

#include <stdint.h>

enum { PROXY_ANSWER_MAX = 16 * 1024, PROXY_WORDS_BYTES = 320 };

/* "CONNECT HOST:PORT HTTP/1.1 ..." with Basic credentials (RFC 7617) when user is not empty. *len: without its NUL. The caller wipes it, for it holds
 * the password, and frees it. NULL: no memory. */
char *proxy_connect_make(const char *host, uint16_t port, struct slice user, struct slice password, size_t *len);

enum proxy_answer { PROXY_WAITS, PROXY_OPEN, PROXY_REFUSED };

struct proxy_reader { /* zeroed by its owner; all that a proxy says before the tunnel is there */
	size_t len, scanned;
	bool with_credentials; /* were sent */
	char bytes[PROXY_ANSWER_MAX];
	char words[PROXY_WORDS_BYTES]; /* PROXY_REFUSED: why and how to mend it, for an administrator */
};
/* Takes what came. PROXY_OPEN: a 2xx whose last byte came with these and nothing behind it; whatever a proxy adds there would be taken for the other
 * end's. */
enum proxy_answer proxy_reader_take(struct proxy_reader *r, const char *bytes, size_t n);

/* A list with commas: host names, ".suffix" or "*.suffix" for all names below one, addresses and prefixes, which are compared with hosts that are
 * written as addresses; no name is resolved for it. NULL when fine, else what is wrong with *entry. */
const char *proxy_bypass_check(struct slice list, struct slice *entry);
bool proxy_bypasses(struct slice list, const char *host);
