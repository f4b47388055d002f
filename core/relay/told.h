/* What is said of a peer once in an hour, whichever worker meets it: a proxy's connections come by the thousand. Any thread; a lock, so only where
 * something is about to be told. Process-wide, bounded: of many peers the one told longest ago is told again earlier. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum told_what { TOLD_PROXY_SIGNS, TOLD_ONBOARDING, TOLD_PROXY_HEADER /* and a number for why */ };
enum { TOLD_PEERS = 128, TOLD_AGAIN_S = 3600 };

/* peer: IPv6 or mapped IPv4. true: not told yet, and taken as told from now on. */
bool told_once(unsigned what, const uint8_t peer[static 16]);
