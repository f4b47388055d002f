/* What the settings of a listener mean for its connections, and the PROXY header with which some of them begin. One for each listener of a worker, owned by
 * that; its thread only.
 *
 *   accept -> the peer is a balancer? -> PROXY header, within limits.head_timeout_ms -> TLS, HTTP        anything else: closed, counted, told
 */
#pragma once
#include "core/base/address_list.h"
#include "core/base/err.h"
#include "core/base/settings.h"
#include "core/net/proxy_proto.h"

struct client_conn;

struct entrance {
	enum behind behind;
	enum channel_binding binding;
	bool proxy_protocol;              /* a PROXY header is required */
	struct address_prefix *balancers; /* owned; whose header is believed */
	size_t balancer_count;
};

/* ERR_NO_MEMORY; ERR_SETTINGS when an entry of balancers is wrong, which config_load() would have told. */
struct err entrance_open(struct entrance *e, const struct listener_settings *s);
void entrance_close(struct entrance *e);

/* The connection, just accepted, comes from one of the balancers. false: it is closed already. */
bool entrance_admits(struct client_conn *c);
/* stream_events.on_preface: once the header is whole, the caller's address is known and the connection begins. */
size_t entrance_on_preface(struct client_conn *c, const char *bytes, size_t n);
/* Closes, counts and tells. */
void entrance_refuse(struct client_conn *c, enum proxy_reason why);
