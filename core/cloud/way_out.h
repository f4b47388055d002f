/* How connections to one host leave the node: straight, or by the web proxy of the settings (section proxy). Owned by who connects; its thread only.
 *
 *   straight: connect to the host, TLS
 *   proxied:  connect to the proxy, plain; on_ready: write `ask`; on_bytes: way_out_take() until it is open; then stream_secure()
 *
 * The proxy's name is resolved here, the host's name by the proxy. */
#pragma once
#include "core/base/err.h"
#include "core/base/settings.h"
#include "proto/proxy_connect.h"

struct way_out {
	char host[256]; /* whom to connect to, and at which port */
	uint16_t port;
	char *ask; /* CONNECT; owned, with the password in it. NULL: straight */
	size_t ask_len;
	bool with_credentials;
};

/* Reads proxy.password_file. ERR_FILE, ERR_SETTINGS with words (per thread, until the next call); then there is nothing to end. */
struct err way_out_open(const struct settings *s, const char *host, uint16_t port, struct way_out *out);
void way_out_done(struct way_out *w);

static inline bool way_out_is_proxied(const struct way_out *w)
{
	return w->ask != NULL;
}

/* For each connection of a way that is proxied: what is kept until the proxy has answered. NULL: no memory. free() it. */
struct proxy_reader *way_out_reader(const struct way_out *w);
/* OK with *open false: more must come; with *open true: the tunnel is there, the reader is not needed any more. ERR_UPSTREAM_PROXY: it was refused, in
 * words (per thread, until the next call). */
struct err way_out_take(struct proxy_reader *r, const char *bytes, size_t n, bool *open);
