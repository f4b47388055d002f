/* URLs as settings write them (RFC 3986, the part we need). Pure. */
#pragma once
#include "core/base/slice.h"

struct uri {
	bool tls;
	char host[256]; /* lower case; an IPv6 literal without brackets */
	uint16_t port;
	struct slice path; /* borrowed from the text; empty for none */
};
/* "http://host[:port][/path]" or https; no user info, query or fragment. NULL when fine, else what is wrong, in words. */
const char *uri_parse(struct slice text, struct uri *out);
