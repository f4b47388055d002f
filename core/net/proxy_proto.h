/* The header with which a balancer that passes TCP on says whose connection it is: PROXY protocol, versions 1 and 2, told apart by their first bytes
 * (https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt). Pure, strict, bounded; looks at bytes in place and takes no memory. Any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PROXY_V1_BYTES = 107,
	PROXY_V2_BYTES = 536,
	PROXY_BYTES = PROXY_V2_BYTES
}; /* the longest; with so many bytes it is never MORE */

/* Rows in proxy_reasons.def; the last two are told by who waits for the header. */
enum proxy_reason {
#define PROXY_REASON(name, text) PROXY_##name,
#include "core/net/proxy_reasons.def"
#undef PROXY_REASON
	PROXY_REASON_COUNT
};
extern const char *const proxy_reason_names[PROXY_REASON_COUNT]; /* "LINE_ODD" */
const char *proxy_reason_text(enum proxy_reason why);

struct proxy_caller {
	bool known;          /* false: the balancer speaks for itself (LOCAL, UNKNOWN), as when it asks for health */
	uint8_t address[16]; /* IPv6 or mapped IPv4 */
};

/* The header at the beginning of these bytes: its length; 0: more is needed; -1: *why. */
long proxy_proto_read(const char *bytes, size_t n, struct proxy_caller *out, enum proxy_reason *why);
