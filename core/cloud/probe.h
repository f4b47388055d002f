/* One request to the tenant's service by one credential: GetServerInfo, which changes nothing and holds nothing of anybody. Main thread. */
#pragma once
#include "core/base/err.h"
#include "core/base/settings.h"
#include "core/net/loop.h"
#include "core/base/slice.h"

struct probe;

enum { PROBE_TEXT_BYTES = 1200 };

struct probe_result {
	unsigned status;             /* of HTTP; 0: there was no answer */
	bool good;                   /* the service answered the question */
	char text[PROBE_TEXT_BYTES]; /* what came of it, for an administrator; printable */
};

/* authorization: the value of that header, copied; may be empty. done: once, later, unless cancelled. ERR_SETTINGS, ERR_FILE: it cannot even begin. */
struct err probe_start(struct loop *l, const struct settings *s, const struct credential_settings *c,
                       struct slice authorization, void (*done)(void *context, const struct probe_result *result),
                       void *context, struct probe **out);
void probe_cancel(struct probe *p); /* NULL is fine */
