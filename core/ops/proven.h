/* The mark that a proof leaves below node.state_directory: when the service was last seen to take this node's credential, and what was asked. It holds
 * nothing secret. Blocking, of a few hundred bytes. */
#pragma once
#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PROVEN_FILE "upstream-proven.json"

enum { PROVEN_WHAT_BYTES = 200 };

struct proven {
	char at[25];    /* "2026-11-25T10:11:12.000Z"; empty: never */
	char host[300]; /* and port */
	char base[300], scheme[32];
	char operations[PROVEN_WHAT_BYTES]; /* that were answered, with commas */
	bool licences;                      /* a recorded request for a certificate or licence was among them */
};

/* In the place of an earlier one. err.what (per thread, until the next call) names the file. */
struct err proven_write(const char *state_directory, const struct proven *p);
/* false: there is none, or it is not of this host. url: upstream.url. */
bool proven_read(const char *state_directory, const char *url, struct proven *out);
/* "proven on 2026-11-25 against HOST (GetServerInfo, ...); ...", or "not proven against a tenant: ...". Returns proven_read(). */
bool proven_sentence(const char *state_directory, const char *url, char *out, size_t room);
