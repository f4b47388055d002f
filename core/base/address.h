/* Addresses of sockets as administrators write and read them. Pure. */
#pragma once
#include "core/base/err.h"

#include <netinet/in.h>
#include <stdbool.h>

/* "host:port", "[::]:443", ":8080", port 0 for any. Numeric hosts only. ERR_SETTINGS with words for an administrator. */
struct err address_parse(const char *text, struct sockaddr_storage *out);
/* "127.0.0.1" or "::1"; "?" when it is neither v4 nor v6. */
const char *address_text(const struct sockaddr_storage *a, char out[static 64]);
bool address_is_loopback(const struct sockaddr *a);
/* A literal one of those, or "localhost": what is said there stays on this machine, also without TLS. */
bool address_is_loopback_name(const char *host);
